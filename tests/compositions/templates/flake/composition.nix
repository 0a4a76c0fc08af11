{ pkgs, setup, ... }: {
  roles.foo = { pkgs, config, ... }: { environment.systemPackages = [ pkgs.greet ]; };
  testScript = { nodes, ... }: "${setup.params.word} ${nodes.foo.environment.variables.EVERYWHERE}";
}
