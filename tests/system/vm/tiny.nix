# The smallest image that keeps its side of first boot, and breaks it where `test.mode=` on the command line says so
# (init.sh). Kernel, busybox and dropbear are the seed's. The output is a manifest.
{ seed }:
let
  pkgs = import (seed + "/packages") { };
  kernel = pkgs.linuxPackages.kernel;
  # One archive with everything: programs and what they need, drivers, and /init.
  archive = pkgs.run {
    name = "tiny.cpio.zst";
    nativeBuildInputs = [ pkgs.zstd ];
    inherit (pkgs) busybox dropbear;
    inherit (kernel) modules;
    exportReferencesGraph = [ "programs" pkgs.busybox "login" pkgs.dropbear ];
    init = builtins.readFile ./init.sh;
    passAsFile = [ "init" ];
    script = ''
      mkdir root
      cd root
      mkdir -p bin lib proc sys dev run tmp root/.ssh etc/dropbear nix/store
      cat ../programs ../login | grep '^/' | sort -u | while read -r path; do
        cp -a "$path" nix/store/
      done
      cp -a $modules/lib/modules lib/
      chmod -R u+w lib nix
      ln -s $busybox/bin/busybox bin/sh
      echo 'root:x:0:0::/root:/bin/sh' > etc/passwd
      echo 'root:x:0:' > etc/group
      echo /bin/sh > etc/shells
      sed "s#@busybox@#$busybox#g; s#@dropbear@#$dropbear#g" < $initPath > init
      printf '#!/bin/sh\nexit 0\n' > bin/systemctl
      printf '#!/bin/sh\nexec cat > /run/pushed.json\n' > bin/nxc-inform
      chmod 755 init bin/systemctl bin/nxc-inform
      find . -mindepth 1 | sed 's#^\./##' | sort | busybox cpio -o -H newc -R 0:0 > ../archive.cpio
      zstd -q -1 < ../archive.cpio > $out
    '';
  };
  # Two layers, so that they are put together; the second is empty.
  padding = pkgs.writeText "tiny-padding" "";
  role = {
    toplevel = "${pkgs.busybox}";
    init = "${pkgs.busybox}/bin/busybox";
    openPorts = { tcp = [ 22 ]; udp = [ ]; };
  };
in
pkgs.writeText "tiny.json" (builtins.toJSON {
  version = 1;
  flavour = "vm-ramdisk";
  system = "x86_64-linux";
  kernel = "${kernel}/bzImage";
  kernelVersion = kernel.version;
  kernelParameters = [ "console=ttyS0" "quiet" ];
  initrd = [ "${archive}" "${padding}" ];
  roles = { server = role; client = role; };
})
