# iperf3's server.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkEnableOption mkOption types;
  cfg = config.services.iperf3;
in
{
  options.services.iperf3 = {
    enable = mkEnableOption "iperf3, which measures a network's throughput";
    package = lib.mkPackageOption pkgs "iperf3" { };
    port = mkOption { type = types.port; default = 5201; description = "The port it listens on."; };
    openFirewall = mkOption { type = types.bool; default = false; description = "Whether the port is open."; };
    affinity = mkOption { type = types.nullOr types.ints.unsigned; default = null; description = "The processor it runs on."; };
    bind = mkOption { type = types.nullOr types.str; default = null; description = "The address it listens on; null: all."; };
    verbose = mkOption { type = types.bool; default = false; description = "Whether it tells more."; };
    forceFlush = mkOption { type = types.bool; default = false; description = "Whether it writes at every interval."; };
    debug = mkOption { type = types.bool; default = false; description = "Whether it tells what it does."; };
    rsaPrivateKey = mkOption { type = types.nullOr types.path; default = null; description = "The key that reads users' passwords."; };
    authorizedUsersFile = mkOption { type = types.nullOr types.path; default = null; description = "The users who may measure."; };
    extraFlags = mkOption { type = types.listOf types.str; default = [ ]; description = "Further arguments."; };
  };
  config = lib.mkIf cfg.enable {
    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall cfg.port;
    environment.systemPackages = [ cfg.package ];
    systemd.services.iperf3 = {
      description = "iperf3 daemon";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      serviceConfig = {
        Restart = "on-failure";
        RestartSec = 2;
        DynamicUser = true;
        ExecStart = lib.concatStringsSep " " (
          [ (lib.getExe' cfg.package "iperf3") "--server --port ${toString cfg.port}" ]
          ++ lib.optional (cfg.affinity != null) "--affinity ${toString cfg.affinity}"
          ++ lib.optional (cfg.bind != null) "--bind ${cfg.bind}"
          ++ lib.optional (cfg.rsaPrivateKey != null) "--rsa-private-key-path ${cfg.rsaPrivateKey}"
          ++ lib.optional (cfg.authorizedUsersFile != null) "--authorized-users-path ${cfg.authorizedUsersFile}"
          ++ lib.optional cfg.verbose "--verbose"
          ++ lib.optional cfg.debug "--debug"
          ++ lib.optional cfg.forceFlush "--forceflush"
          ++ lib.optional (cfg.extraFlags != [ ]) (lib.escapeShellArgs cfg.extraFlags)
        );
      };
    };
  };
}
