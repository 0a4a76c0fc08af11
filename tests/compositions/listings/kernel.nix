# The same on a kernel that one role chooses for itself.
{ pkgs, lib, ... }: {
  roles = {
    default = { };
    latest = { boot.kernelPackages = pkgs.linuxPackages_latest; };
  };
  testScript = { nodes, ... }: ''
    assert "${nodes.latest.boot.kernelPackages.kernel.modDirVersion}" in latest.succeed("uname -r")
  '';
}
