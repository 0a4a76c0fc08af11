# A package that only an overlay has, in the composition and in its roles alike.
{ pkgs, ... }: {
  overlays = [
    (final: prev: { greet = final.writeShellScriptBin "greet" "echo hello from an overlay"; })
  ];
  roles.machine = { pkgs, ... }: { environment.systemPackages = [ pkgs.greet ]; };
  testScript = ''machine.succeed("${pkgs.greet}/bin/greet")'';
}
