# The image of a system on disk, as the archive that Kadeploy unpacks onto a partition: the store of all roles, and
# kernel and initrd for the boot loader. The initrd finds the role, as for the RAM disk.
{ lib, evalRole, modules }:
{ pkgs, roles, metadata }:
let
  manifest = import ./manifest.nix { inherit lib pkgs; };
  base = import ./base.nix { inherit lib evalRole modules pkgs roles; };
  layer = import ./layer.nix { inherit pkgs; };
  files = base.bootFiles base.config [ (layer.archive "roles" { "nxc/roles" = base.rolesFile; }) ];
  other = lib.attrNames base.otherKernels;

  root = pkgs.runCommand "root.tar.zst"
    {
      nativeBuildInputs = [ pkgs.zstd ];
      closure = pkgs.closureInfo { rootPaths = lib.mapAttrsToList (_: role: role.config.system.build.toplevel) roles; };
      inherit (files) kernel initrd;
      __structuredAttrs = true;
      unsafeDiscardReferences.out = true;
    } ''
    mkdir -p root/{boot,dev,etc,nix/store,proc,root,run,sys,tmp,var}
    chmod 1777 root/tmp
    chmod 700 root/root
    cp "$kernel" root/boot/kernel
    for archive in "''${initrd[@]}"; do
      cat "$archive" >> root/boot/initrd
      truncate --size=%4 root/boot/initrd # the kernel wants archives that are not compressed at multiples of four
    done
    cp "$closure/registration" root/nix/store/.nxc-registration
    sed 's,^/,,' "$closure/store-paths" > paths
    tar --create --sort=name --mtime=@1 --owner=0 --group=0 --numeric-owner \
      --directory root . --directory / --files-from "$PWD/paths" \
      | zstd -6 -T"$NIX_BUILD_CORES" -o "''${outputs[out]}"
  '';
in
if other != [ ]
then throw "nxc: role \"${lib.head other}\": an installed image has one kernel, that of role \"${lib.head (lib.attrNames roles)}\"; let the roles agree on boot.kernelPackages, or use the flavour g5k-ramdisk"
else manifest {
  inherit roles metadata;
  files = files // {
    images."root.tar.zst" = "${root}";
    kernelParameters = [ "init=/nxc/system/init" ] ++ base.kernelParameters;
  };
}
