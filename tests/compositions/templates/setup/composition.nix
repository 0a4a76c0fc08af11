{ pkgs, setup, ... }: {
  roles.bar = { ... }: {
    environment.variables.A = setup.params.a;
    environment.variables.B = builtins.toString (setup.params.b + 1);
    environment.variables.SETUP_PROJECT = setup.project.selected;
  };
  testScript = ''
    bar.succeed("[ \"$A\" = '${setup.params.a}' ]")
  '';
}
