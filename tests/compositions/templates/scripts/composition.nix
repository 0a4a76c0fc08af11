{ pkgs, ... }:
let
  scripts = import ./scripts.nix { inherit pkgs; };
in
{
  roles = {
    bar = { ... }: { environment.systemPackages = [ scripts.one ]; };
    foo = { ... }: { environment.systemPackages = [ scripts.two scripts.from-file ]; };
  };
  testScript = ''
    bar.succeed("one")
    foo.succeed("two && from-file")
    foo.fail("one")
  '';
}
