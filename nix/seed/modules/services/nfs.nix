# NFS, server and client.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkEnableOption mkIf mkMerge mkOption types;
  cfg = config.services.nfs.server;
  port = what: mkOption { type = types.nullOr types.port; default = null; description = "The port of ${what}."; };
  nfs = pkgs.nfs-utils;
  # What clients see as /.
  root = "/run/nfs-root";
in
{
  options.services.nfs = {
    server = {
      enable = mkEnableOption "the kernel's NFS server";
      exports = mkOption {
        type = types.lines;
        default = "";
        example = "/srv/shared *(rw,no_root_squash)";
        description = "Lines of /etc/exports (exports(5)): a directory and who may mount it.";
      };
      hostName = mkOption { type = types.nullOr types.str; default = null; description = "The address it listens on; null: all."; };
      nproc = mkOption { type = types.int; default = 8; description = "How many threads serve."; };
      createMountPoints = mkOption { type = types.bool; default = false; description = "Whether exported directories are made."; };
      mountdPort = port "mountd";
      lockdPort = port "lockd";
      statdPort = port "statd";
      extraNfsdConfig = mkOption { type = types.str; default = ""; description = "Further lines of the [nfsd] section of nfs.conf."; };
    };
    client.enable = mkOption {
      type = types.bool;
      default = false;
      internal = true;
      description = "Whether the role can mount by NFS; set where a file system needs it.";
    };
    settings = mkOption { type = types.attrsOf types.attrs; default = { }; description = "Sections of /etc/nfs.conf."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "Further lines of /etc/nfs.conf."; };
    idmapd.settings = mkOption { type = types.attrsOf types.attrs; default = { }; description = "Without effect: users have the same numbers everywhere."; };
  };

  config = mkMerge [
    (mkIf (cfg.enable || config.services.nfs.client.enable) {
      environment.systemPackages = [ nfs ];
      environment.etc."nfs.conf".text = lib.generators.toINI { } config.services.nfs.settings + config.services.nfs.extraConfig;
      environment.etc."protocols".source = "${pkgs.netbase}/etc/protocols";
      environment.etc."services".source = "${pkgs.netbase}/etc/services";
      users.users.statd = { isSystemUser = true; group = "nogroup"; home = "/var/lib/nfs"; };
      systemd.tmpfiles.rules = [ "d /var/lib/nfs 0755 root root" "d /var/lib/nfs/sm 0700 statd nogroup" "d /var/lib/nfs/sm.bak 0700 statd nogroup" ];
      boot.kernelModules = [ "nfs" "nfsv4" "nfsv3" ];
    })
    (mkIf cfg.enable {
      services.rpcbind.enable = true;
      boot.kernelModules = [ "nfsd" ];
      environment.etc.exports.text = cfg.exports + "\n";
      systemd.tmpfiles.rules = [
        "d /var/lib/nfs/v4recovery 0755 root root"
        "f /var/lib/nfs/rmtab 0644 root root"
        "f /var/lib/nfs/etab 0644 root root"
        "f /var/lib/nfs/state 0644 root root"
      ];
      # Nodes start together, so that no client has state from before to reclaim.
      services.nfs.settings = {
        nfsd = { "grace-time" = 10; "lease-time" = 10; } // lib.optionalAttrs (cfg.hostName != null) { host = cfg.hostName; };
        exports.rootdir = root;
        mountd = lib.optionalAttrs (cfg.mountdPort != null) { port = cfg.mountdPort; };
      };
      systemd.services = {
        nfs-mountd = {
          description = "NFS Mount Daemon";
          requires = [ "rpcbind.service" ];
          after = [ "rpcbind.service" "network.target" ];
          wantedBy = [ "multi-user.target" ];
          partOf = [ "nfs-server.service" ];
          serviceConfig = { ExecStart = "${nfs}/bin/rpc.mountd --foreground"; Restart = "on-failure"; };
        };
        nfs-server = {
          description = "NFS server and services";
          requires = [ "rpcbind.service" "nfs-mountd.service" ];
          after = [ "rpcbind.service" "nfs-mountd.service" "network.target" ];
          wantedBy = [ "multi-user.target" ];
          path = [ nfs ];
          preStart = ''
            [ -e /proc/fs/nfsd/threads ] || mount -t nfsd nfsd /proc/fs/nfsd
            sed -e 's/#.*//' /etc/exports | while read -r directory _; do
              [ -n "$directory" ] || continue
              ${lib.optionalString cfg.createMountPoints ''mkdir -p "$directory"''}
              [ -d "$directory" ] || continue
              # The root of a node is a ramfs, which cannot be exported; a tmpfs can.
              if [ "$(stat -f -c %T "$directory")" = ramfs ]; then
                mkdir -p /run/nfs-new
                mount -t tmpfs -o mode="$(stat -c %a "$directory")" tmpfs /run/nfs-new
                cp -a "$directory/." /run/nfs-new/
                mount -o move /run/nfs-new "$directory" || { umount /run/nfs-new; exit 1; }
              fi
              # NFS version 4 exports the way from / to a directory as well.
              grep -q " ${root}$directory " /proc/mounts || { mkdir -p "${root}$directory" && mount -o bind "$directory" "${root}$directory"; }
            done
            exportfs -ra
          '';
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            ExecStart = "${nfs}/bin/rpc.nfsd ${toString cfg.nproc}";
            ExecReload = "${nfs}/bin/exportfs -ra";
            ExecStop = [ "${nfs}/bin/rpc.nfsd 0" "${nfs}/bin/exportfs -au" ];
          };
        };
      };
    })
  ];
}
