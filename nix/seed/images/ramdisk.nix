# A kernel and an initrd that is the whole system, in memory: one image for all roles, which choose theirs at boot.
{ pkgs, lib }:
let
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep head listToAttrs map;
  inherit (lib) filter mapAttrs unique;
  layers = import ./layers.nix { inherit pkgs lib; };
  runtime = import ../system/runtime.nix { inherit pkgs; };

  # Drivers that are loaded before anything is known about the node.
  early = [ "virtio_pci" "virtio_net" "virtio_rng" "virtio_blk" ];

  # /init, and the links that it needs before there is a role.
  base = kernel: modules: layers.compressed {
    name = "base";
    inherit (runtime) code interpreter shell;
    inherit modules;
    release = kernel.version;
    early = concatStringsSep ", " (map (module: "\"${module}\"") early);
    list = ''
      root=$NIX_BUILD_TOP/root
      for directory in bin sbin lib/modules etc proc sys dev run tmp var root home nix/store; do mkdir -p $root/$directory; done
      ln -s $modules/lib/modules/$release $root/lib/modules/$release
      ln -s $shell $root/bin/sh
      ln -s $shell $root/bin/busybox
      ln -s $shell $root/sbin/modprobe
      {
        echo "#!$interpreter"
        echo 'jit.off() -- nothing here runs long enough to gain'
        echo "package.path = '$code/?.lua'"
        echo "require('nxc.main').run {"
        echo "  roles = '/nxc/roles', shell = '$shell', modules = { $early }, dhcp_script = '$code/udhcpc.sh' }"
      } > $root/init
      chmod 755 $root/init
      for name in $(ls $root); do printf '%s\t%s\n' $name $root/$name; done
    '';
  };

  # The systems themselves, and everything of theirs that has no layer of its own.
  top = systems: layered: layers.compressed {
    name = "roles";
    exportReferencesGraph = concatLists (lib.mapAttrsToList (role: system: [ "closure-${role}" system ]) systems);
    names = attrNames systems;
    systems = attrValues systems;
    layered = map toString layered;
    passAsFile = [ "layered" ];
    list = ''
      tr ' ' '\n' < $layeredPath > $NIX_BUILD_TOP/layered
      cat $NIX_BUILD_TOP/closure-* | grep '^/' | sort -u | grep -vxFf $NIX_BUILD_TOP/layered |
        while read -r path; do printf '%s\t%s\n' "''${path#/}" "$path"; done
      mkdir -p $NIX_BUILD_TOP/roles
      set -- $systems
      for name in $names; do
        ln -s "$1" $NIX_BUILD_TOP/roles/$name
        shift
      done
      printf 'nxc/roles\t%s\n' $NIX_BUILD_TOP/roles
    '';
  };

  # Roles by their kernel: what boots a group of them.
  boot = systems:
    let
      kernel = (head (attrValues systems)).kernel;
      wanted = unique (concatMap (system: system.kernelModules) (attrValues systems));
      modules =
        if wanted == [ ] then kernel.modules
        else kernel.modulesFor { required = wanted; optional = kernel.defaultModules; };
      packages = layers.packagesOf (attrValues systems);
      layered = packages ++ [ modules runtime.code runtime.tools ];
    in
    {
      inherit kernel;
      initrd =
        [ (base kernel modules) (layers.layer modules) (layers.layer (runtime.tools // { pname = "nxc"; })) (layers.layer { pname = "nxc-init"; outPath = runtime.code; }) ]
        ++ map layers.layer packages
        ++ [ (top systems layered) ];
    };
in
{
  inherit boot;

  # The manifest's part about booting, for roles → systems (see controller/model/manifest.py).
  manifest = systems:
    let
      kernelOf = role: toString systems.${role}.kernel;
      main = kernelOf (head (attrNames systems));
      group = kernel: lib.filterAttrs (role: _: kernelOf role == kernel) systems;
      common = boot (group main);
      others = filter (role: kernelOf role != main) (attrNames systems);
    in
    {
      kernel = common.kernel.bzImage;
      kernelVersion = common.kernel.version;
      initrd = map toString common.initrd;
      roles = listToAttrs (map (role: let own = boot (group (kernelOf role)); in {
        name = role;
        value = { kernel = own.kernel.bzImage; kernelVersion = own.kernel.version; initrd = map toString own.initrd; };
      }) others);
    };
}
