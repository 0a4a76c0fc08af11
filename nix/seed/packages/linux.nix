# Kernels: Debian's, taken apart into what boots (bzImage) and the modules that a system wants.
#   pkgs.linuxPackages.kernel         for virtual machines (Debian's cloud kernel)
#   pkgs.linuxPackages_generic.kernel for real machines as well
# A kernel has: version (as uname -r), bzImage, config, modules (the default set), modulesFor (any set).
{ locked }:
final: prev:
let
  inherit (builtins)
    elemAt
    filter
    head
    isList
    match
    ;

  # The real package behind Debian's name for "the current kernel", such as linux-image-6.1.0-40-cloud-amd64.
  current = meta: head (filter (name: match "linux-image-[0-9].*" name != null) locked.packages.${meta}.depends);

  # What every virtual machine may need before its role's services start; what a service needs, it asks for.
  common = [
    "virtio_pci"
    "virtio_net"
    "virtio_blk"
    "virtio_scsi"
    "virtio_rng"
    "virtio_console"
    "virtio_balloon"
    "virtiofs"
    "qemu_fw_cfg"
    "button"
    "af_packet"
    "overlay"
    "squashfs"
    "erofs"
    "loop"
    "ext4"
    "vfat"
    "nls_ascii"
    "nls_cp437"
    "dummy"
    "tun"
    "veth"
    "bridge"
  ];

  # Storage and networks of real machines.
  metal = [
    "ahci"
    "nvme"
    "sd_mod"
    "megaraid_sas"
    "mpt3sas"
    "hpsa"
    "aacraid"
    "e1000"
    "e1000e"
    "igb"
    "ixgbe"
    "i40e"
    "ice"
    "bnx2"
    "bnx2x"
    "bnxt_en"
    "tg3"
    "be2net"
    "mlx4_en"
    "mlx5_core"
    "qede"
    "r8169"
    "ehci_pci"
    "xhci_pci"
    "usbhid"
    "hid_generic"
    "9p"
    "9pnet_virtio"
  ];

  # No test node has a screen, a sound card or a radio; half of the modules are for these.
  leftOut = [
    "drivers/gpu"
    "drivers/media"
    "drivers/iio"
    "drivers/staging"
    "drivers/comedi"
    "drivers/bluetooth"
    "drivers/net/wireless"
    "drivers/isdn"
    "drivers/video"
    "drivers/gnss"
    "net/bluetooth"
    "net/wireless"
    "net/mac80211"
    "net/nfc"
    "sound"
  ];

  kernelOf =
    {
      package,
      defaultModules,
    }:
    let
      release = elemAt (match "linux-image-(.*)" package) 0;
      boot = final.run {
        name = "linux-${release}";
        deb = final.deb package;
        nativeBuildInputs = [
          final.tar
          final.xz-utils
        ];
        inherit release;
        script = ''
          mkdir -p $out $NIX_BUILD_TOP/raw
          # They are the first in the archive: tar leaves off once it has them, and then nobody wants the rest.
          { ar p $deb data.tar.xz | xz -dcT0 || true; } 2> /dev/null | tar -x -C $NIX_BUILD_TOP/raw --no-same-owner \
            --occurrence=1 ./boot/vmlinuz-$release ./boot/config-$release
          cp $NIX_BUILD_TOP/raw/boot/vmlinuz-$release $out/bzImage
          cp $NIX_BUILD_TOP/raw/boot/config-$release $out/config
          echo $release > $out/version
        '';
      };
      allModules = final.run {
        name = "linux-modules-all-${release}";
        deb = final.deb package;
        nativeBuildInputs = [
          final.kmod
          final.tar
          final.xz-utils
        ];
        inherit release leftOut;
        script = ''
          mkdir -p $out
          for dir in $leftOut; do echo "./lib/modules/$release/kernel/$dir"; done > $NIX_BUILD_TOP/excluded
          ar p $deb data.tar.xz | xz -dcT0 | tar -x -C $out --no-same-owner --exclude-from=$NIX_BUILD_TOP/excluded ./lib/modules
          depmod -b $out $release
        '';
      };
      # A module tree with these and what they need. `required` must exist (or be built in), `optional` may.
      modulesFor =
        wanted:
        let
          required = if isList wanted then wanted else wanted.required or [ ];
          optional = if isList wanted then [ ] else wanted.optional or [ ];
        in
        final.run {
          name = "linux-modules-${release}";
          nativeBuildInputs = [ final.kmod ];
          inherit release required optional;
          modules = allModules;
          script = builtins.readFile ./modules.sh;
        };
    in
    boot
    // {
      pname = "linux";
      version = release;
      modDirVersion = release;
      bzImage = "${boot}/bzImage";
      config = "${boot}/config";
      inherit defaultModules modulesFor allModules;
      modules = modulesFor { optional = defaultModules; };
      runtimeDeps = [ boot ];
    };

  cloud = current "linux-image-cloud-amd64";
  generic = current "linux-image-amd64";

  packagesFor = kernel: {
    inherit kernel;
    # Out-of-tree modules would need a compiler.
    callPackage = final.callPackage;
  };
  kernelCloud = kernelOf {
    package = cloud;
    defaultModules = common;
  };
  kernelGeneric = kernelOf {
    package = generic;
    defaultModules = common ++ metal;
  };
in
{
  linuxPackages = packagesFor kernelCloud;
  linuxPackages_cloud = final.linuxPackages;
  linuxPackages_generic = packagesFor kernelGeneric;
  linux = final.linuxPackages.kernel;
  linux-image-cloud-amd64 = final.linuxPackages.kernel;
  linux-image-amd64 = final.linuxPackages_generic.kernel;
  ${cloud} = kernelCloud;
  ${generic} = kernelGeneric;
}
