# A system on disk. The boot loader's `root=` says which disk; the image's file system has no name of its own.
{ config, lib, ... }:
{
  boot.loader.grub.enable = lib.mkDefault false; # Kadeploy installs the boot loader
  boot.kernelParams = [ "rw" ];
  boot.initrd.supportedFilesystems = [ "ext4" ];
  boot.initrd.systemd.root = null; # not NixOS's fstab: `root=` of the command line

  # For remounting; the same `root=` has mounted it.
  fileSystems."/" = lib.mkDefault { device = "/dev/disk/by-label/nxc"; fsType = "ext4"; options = [ "nofail" ]; };
}
