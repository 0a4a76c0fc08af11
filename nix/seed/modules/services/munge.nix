# MUNGE, which tells Slurm's nodes who asks. The key is the composition's or the user's business.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.munge;
in
{
  options.services.munge = {
    enable = lib.mkEnableOption "munge";
    password = lib.mkOption { type = lib.types.path; default = "/etc/munge/munge.key"; description = "The file on the node with the secret that all nodes share; at least 32 bytes."; };
  };
  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ pkgs.munge ];
    users.users.munge = { isSystemUser = true; group = "munge"; description = "Munge daemon user"; };
    users.groups.munge = { };
    systemd.services.munged = {
      description = "MUNGE authentication service";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" "time-sync.target" ];
      serviceConfig = {
        # As root: it hands the key and the directories over to its user.
        ExecStartPre = [
          "+${pkgs.busybox}/bin/chmod 0400 ${toString cfg.password}"
          "+${pkgs.busybox}/bin/chown munge:munge ${toString cfg.password}"
        ];
        ExecStart = "${pkgs.munge}/bin/munged --foreground --key-file ${toString cfg.password}";
        User = "munge";
        Group = "munge";
        RuntimeDirectory = "munge";
        RuntimeDirectoryMode = "0755";
        StateDirectory = "munge";
        StateDirectoryMode = "0711";
        LogsDirectory = "munge";
        LogsDirectoryMode = "0700";
        PIDFile = "/run/munge/munged.pid";
        Restart = "on-failure";
      };
    };
  };
}
