{ pkgs, ... }: { roles.shipped = { pkgs, lib, ... }: { boot.kernelPackages = lib.mkDefault pkgs.linuxPackages; boot.kernelModules = [ "dummy" ]; }; }
