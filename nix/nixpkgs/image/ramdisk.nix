# The image of systems that live in memory: a kernel, and an initrd in layers that the boot loader concatenates.
#
#   1. the initrd proper         the same for every composition of this flavour
#   2. /nxc/base.squashfs        the store of a NixOS without a role: likewise
#   3. /nxc/roles.squashfs       what the roles' systems need beyond that, and /nxc/roles: role and system, a line each
#
# So a change of a composition copies and compresses its own part of the store only.
{ lib, evalRole, modules }:
{ pkgs, roles, metadata }:
let
  manifest = import ./manifest.nix { inherit lib pkgs; };
  base = import ./base.nix { inherit lib evalRole modules pkgs roles; };

  layer = import ./layer.nix { inherit pkgs; };
  baseStore = layer.store { name = "base"; roots = base.common; };
  rolesStore = layer.store {
    name = "roles";
    roots = lib.mapAttrsToList (_: role: role.config.system.build.toplevel) roles;
    without = base.common;
    registration = true;
  };
  layers = [
    (layer.archive "base" { "nxc/base.squashfs" = baseStore; })
    (layer.archive "roles" { "nxc/roles.squashfs" = rolesStore; "nxc/roles" = base.rolesFile; })
  ];
in
manifest {
  inherit roles metadata;
  files = base.bootFiles base.config layers // {
    kernelParameters = [ "init=/nxc/system/init" ] ++ base.kernelParameters;
    roles = lib.mapAttrs (_: config: base.bootFiles config layers) base.otherKernels;
  };
}
