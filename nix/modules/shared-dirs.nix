# nxc.sharedDirs: folders that roles share. Machines share over NFS; containers through the volume /var/nxc/shared.
{ config, lib, ... }:
let
  inherit (lib) concatImapStrings filterAttrs mapAttrs mkIf mkMerge;
  cfg = config.nxc.sharedDirs;
  exported = filterAttrs (_: dir: dir.export) cfg;
  mounted = filterAttrs (_: dir: ! dir.export && dir.server != "") cfg;
in
{
  config = mkMerge [
    (mkIf (! config.boot.isContainer) {
      services.nfs.server = mkIf (exported != { }) {
        enable = true;
        # The root of a RAM disk has no identity that NFS could use, so each export says its own.
        exports = concatImapStrings
          (i: path: "${path} *(rw,no_subtree_check,no_root_squash,fsid=${toString i})\n")
          (lib.attrNames exported);
      };
      systemd.tmpfiles.rules = map (path: "d ${path} 0755 root root -") (lib.attrNames exported);
      fileSystems = mapAttrs
        (path: dir: {
          device = "${dir.server}:${path}";
          fsType = "nfs";
          # The server may be up later than its clients.
          options = [ "x-systemd.automount" "x-systemd.mount-timeout=5min" "retry=5" "_netdev" ];
        })
        mounted;
    })
    (mkIf config.boot.isContainer {
      systemd.tmpfiles.rules =
        lib.concatMap (path: [ "d /var/nxc/shared${path} 0755 root root -" "L+ ${path} - - - - /var/nxc/shared${path}" ])
          (lib.attrNames (exported // mounted));
    })
  ];
}
