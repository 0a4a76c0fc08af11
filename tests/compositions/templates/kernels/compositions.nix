{
  shipped = import ./shipped.nix;
  latest = { pkgs, ... }: { roles.latest = { boot.kernelPackages = pkgs.linuxPackages_latest; }; };
}
