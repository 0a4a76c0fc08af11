{ pkgs, ... }: {
  roles.foo = { pkgs, ... }: {
    # nothing of its own
  };
  testScript = ''foo.succeed("true")'';
}
