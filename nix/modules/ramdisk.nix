# A system that lives in memory: the store is two squashfs files that came with the initrd (one that every image has,
# one of the composition's own) under a layer that can be written to.
{ lib, ... }:
let
  inherit (lib) mkDefault mkForce;
  squashfs = name: mkForce {
    device = "../nxc/${name}.squashfs"; # in the initrd, seen from /sysroot
    fsType = "squashfs";
    options = [ "loop" ];
    neededForBoot = true;
  };
  tmpfs = mkForce { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=0755" ]; neededForBoot = true; };
in
{
  boot.loader.grub.enable = mkDefault false;
  boot.initrd.kernelModules = [ "loop" "overlay" "squashfs" ];

  fileSystems."/" = tmpfs;
  fileSystems."/nix/.base" = squashfs "base";
  fileSystems."/nix/.roles" = squashfs "roles";
  fileSystems."/nix/.changes" = tmpfs;
  fileSystems."/nix/store" = mkForce {
    overlay = {
      lowerdir = [ "/nix/.roles" "/nix/.base" ];
      upperdir = "/nix/.changes/store";
      workdir = "/nix/.changes/work";
    };
    neededForBoot = true;
  };
}
