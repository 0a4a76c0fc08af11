# The flavours of NixOS: for each a description, the module that every role gets, and what makes the image of all roles.
{ lib, evalRole }:
let
  ramdisk = hardware: stage1: {
    module.imports = [ ../modules/nxc.nix ../modules/role.nix ../modules/ramdisk.nix hardware ];
    image = import ../nixpkgs/image/ramdisk.nix {
      inherit lib evalRole;
      modules = [ ../modules/nxc.nix ../modules/stage-1.nix ../modules/ramdisk.nix hardware ] ++ stage1;
    };
  };
in
{
  vm-ramdisk = { description = "Virtual machines that live in memory"; } // ramdisk ./vm.nix [ ];
  g5k-ramdisk = { description = "Machines of Grid'5000, booted into memory by kexec"; } // ramdisk ./g5k.nix [ ./g5k-stage-1.nix ];
  g5k-image = {
    description = "Machines of Grid'5000, installed on disk by Kadeploy";
    module.imports = [ ../modules/nxc.nix ../modules/role.nix ./disk.nix ./g5k.nix ];
    image = import ../nixpkgs/image/disk.nix {
      inherit lib evalRole;
      modules = [ ../modules/nxc.nix ../modules/stage-1.nix ./disk.nix ./g5k.nix ./g5k-stage-1.nix ];
    };
  };
  docker = {
    description = "Containers that share the store of their host";
    module.imports = [ ../modules/nxc.nix ./docker.nix ];
    image = import ../nixpkgs/image/containers.nix { inherit lib; };
  };
}
