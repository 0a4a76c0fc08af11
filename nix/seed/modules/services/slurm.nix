# Slurm: a controller and its nodes. The accounting database is not on the seed.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkEnableOption mkIf mkOption optionalString types;
  cfg = config.services.slurm;
  any = cfg.server.enable || cfg.client.enable || cfg.enableStools;
  conf = ''
    ClusterName=${cfg.clusterName}
    StateSaveLocation=${cfg.stateSaveLocation}
    SlurmUser=${cfg.user}
    ${optionalString (cfg.controlMachine != null) "SlurmctldHost=${cfg.controlMachine}${optionalString (cfg.controlAddr != null) "(${cfg.controlAddr})"}"}
    ${lib.concatStringsSep "\n" (map (node: "NodeName=${node}") cfg.nodeName)}
    ${lib.concatStringsSep "\n" (map (partition: "PartitionName=${partition}") cfg.partitionName)}
    PluginDir=${cfg.package}/lib/slurm-wlm
    PlugStackConfig=/etc/slurm/plugstack.conf
    ProctrackType=${cfg.procTrackType}
    SlurmctldPidFile=/run/slurmctld.pid
    SlurmdPidFile=/run/slurmd.pid
    SlurmdSpoolDir=/var/spool/slurmd
    AuthType=auth/munge
    CredType=cred/munge
    TaskPlugin=task/none
    MpiDefault=none
    JobAcctGatherType=jobacct_gather/none
    SwitchType=switch/none
    ReturnToService=2
    ${cfg.extraConfig}
  '';

  daemon = what: program: more: {
    description = "Slurm ${what} daemon";
    wantedBy = [ "multi-user.target" ];
    wants = [ "network-online.target" ];
    after = [ "network-online.target" "munged.service" ];
    requires = [ "munged.service" ];
    path = [ cfg.package pkgs.munge ];
    serviceConfig = {
      ExecStart = "${cfg.package}/bin/${program} -D";
      ExecReload = "${pkgs.busybox}/bin/kill -HUP $MAINPID";
      Restart = "on-failure";
      RestartSec = 2;
    } // more;
  };
in
{
  options.services.slurm = {
    server.enable = mkEnableOption "Slurm's controller, slurmctld";
    client.enable = mkEnableOption "a Slurm node, slurmd";
    enableStools = mkOption { type = types.bool; default = false; description = "Whether only the commands and the configuration are there."; };
    dbdserver.enable = mkOption { type = types.bool; default = false; description = "Refused: the accounting database is not on the seed."; };
    package = lib.mkPackageOption pkgs "slurm" { };
    user = mkOption { type = types.str; default = "slurm"; description = "The controller's user."; };
    clusterName = mkOption { type = types.str; default = "default"; description = "The cluster's name."; };
    controlMachine = mkOption { type = types.nullOr types.str; default = null; example = "controller"; description = "The controller's host name."; };
    controlAddr = mkOption { type = types.nullOr types.str; default = cfg.controlMachine; defaultText = "controlMachine"; description = "The controller's address."; };
    nodeName = mkOption { type = types.listOf types.str; default = [ ]; example = [ "node[1-3] CPUs=1 State=UNKNOWN" ]; description = "Nodes, as in slurm.conf."; };
    partitionName = mkOption { type = types.listOf types.str; default = [ ]; example = [ "debug Nodes=node[1-3] Default=YES MaxTime=INFINITE State=UP" ]; description = "Partitions, as in slurm.conf."; };
    procTrackType = mkOption { type = types.str; default = "proctrack/linuxproc"; description = "How a job's processes are told from others."; };
    stateSaveLocation = mkOption { type = types.str; default = "/var/spool/slurmctld"; description = "Where the controller keeps its state."; };
    extraConfig = mkOption { type = types.lines; default = ""; description = "Further lines of slurm.conf."; };
    extraPlugstackConfig = mkOption { type = types.lines; default = ""; description = "Lines of plugstack.conf."; };
    extraCgroupConfig = mkOption { type = types.lines; default = ""; description = "Lines of cgroup.conf."; };
    extraConfigPaths = mkOption { type = types.listOf types.path; default = [ ]; description = "Further files of /etc/slurm, by the name of each."; };
    etcSlurm = mkOption { type = types.path; default = "/etc/slurm"; internal = true; description = "Where its configuration is."; };
    enableSrunX11 = mkOption { type = types.bool; default = false; description = "Without effect."; };
  };

  config = lib.mkMerge [
    { assertions = [ { assertion = !cfg.dbdserver.enable; message = "services.slurm.dbdserver: the seed has no accounting database; with packageSource nixpkgs it exists"; } ]; }
    (mkIf any {
      services.munge.enable = lib.mkDefault true;
      environment.systemPackages = [ cfg.package ];
      environment.etc = {
        "slurm/slurm.conf".text = lib.concatLines (lib.filter (l: lib.trim l != "") (lib.splitString "\n" conf));
        "slurm/plugstack.conf".text = cfg.extraPlugstackConfig;
        # Jobs get no control groups; slurmd wants a plugin all the same, and this one looks for nothing.
        "slurm/cgroup.conf".text = "CgroupPlugin=cgroup/v1\n" + cfg.extraCgroupConfig;
      } // lib.listToAttrs (map (path: lib.nameValuePair "slurm/${baseNameOf path}" { source = path; }) cfg.extraConfigPaths);
      users.users = mkIf (cfg.user == "slurm") { slurm = { isSystemUser = true; group = "slurm"; }; };
      users.groups = mkIf (cfg.user == "slurm") { slurm = { }; };
    })
    (mkIf cfg.server.enable {
      systemd.tmpfiles.rules = [ "d ${cfg.stateSaveLocation} 0750 ${cfg.user} slurm" ];
      systemd.services.slurmctld = daemon "controller" "slurmctld" { };
    })
    (mkIf cfg.client.enable {
      systemd.tmpfiles.rules = [
        "d /var/spool/slurmd 0755 root root"
        # Where Debian's slurmd looks for it.
        "d /usr/sbin 0755 root root"
        "L+ /usr/sbin/slurmstepd - - - - ${cfg.package}/bin/slurmstepd"
      ];
      systemd.services.slurmd = daemon "node" "slurmd" { KillMode = "process"; LimitMEMLOCK = "infinity"; };
    })
  ];
}
