# The seed's flavours: for each a description, a NixOS module that every role gets, and the image of a composition.
{ pkgs, lib }:
let
  inherit (lib) mapAttrs;
  manifest = import ./manifest.nix { inherit pkgs lib; };
  ramdisk = import ./ramdisk.nix { inherit pkgs lib; };
  systemsOf = mapAttrs (_: role: role.config.system.build.toplevel);

  # The root lives in memory: a ramfs has no limit of its own (a tmpfs would stop at half of the memory while it is
  # unpacked); /tmp, /var, /home and /root are bounded by init.
  inMemory = [ "rootfstype=ramfs" ];
in
{
  vm-ramdisk = {
    description = "QEMU virtual machines that boot kernel and initrd directly; the whole system is in memory";
    module = { };
    image = { pkgs, roles, metadata }: manifest {
      flavour = "vm-ramdisk";
      inherit roles metadata;
      parts = ramdisk.manifest (systemsOf roles);
      parameters = [ "console=ttyS0" "quiet" ] ++ inMemory;
    };
  };

  g5k-ramdisk = {
    description = "Real machines that change into kernel and initrd by kexec; the whole system is in memory";
    module = { lib, pkgs, ... }: { boot.kernelPackages = lib.mkDefault pkgs.linuxPackages_generic; };
    image = { pkgs, roles, metadata }: manifest {
      flavour = "g5k-ramdisk";
      inherit roles metadata;
      parts = ramdisk.manifest (systemsOf roles);
      parameters = [ "console=tty0" "console=ttyS0,115200" ] ++ inMemory;
    };
  };

  docker = {
    description = "Containers that share the store of the builder's machine";
    module = { boot.isContainer = true; };
    image = { pkgs, roles, metadata }: manifest {
      flavour = "docker";
      inherit roles metadata;
      parts = { };
    };
  };
}
