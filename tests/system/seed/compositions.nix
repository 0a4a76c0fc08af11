# The roles that tests/system/seed boots, on the seed as an author uses it: { nix }: { NAME = image; }.
{ nix }:
let
  source = import (nix + "/seed") { };
  pkgs = source.pkgs [ ];
  inherit (source.flavours) vm-ramdisk;
  image = roles: vm-ramdisk.image {
    inherit pkgs;
    roles = builtins.mapAttrs (name: module: source.evalRole { inherit name pkgs; modules = [ vm-ramdisk.module module ]; }) roles;
    metadata = { composition = "test"; };
  };
  # `$$` is systemd's for a dollar of the shell.
  shell = text: "${pkgs.busybox}/bin/sh -c '${text}'";
in
{
  supervision = image {
    client = { };
    server = {
      users.users.alice.isNormalUser = true;
      environment.etc."greeting".text = "hello";
      networking.hosts."192.0.2.7" = [ "elsewhere" ];
      systemd.tmpfiles.rules = [ "d /var/lib/made 0750 alice users - -" ];
      boot.kernel.sysctl."net.ipv4.ip_forward" = 1;
      boot.postBootCommands = "echo done > /run/post-boot";
      systemd.services = {
        web = {
          wantedBy = [ "multi-user.target" ];
          serviceConfig = { ExecStart = "${pkgs.busybox}/bin/httpd -f -p 80 -h /etc"; Restart = "always"; };
        };
        fails = {
          wantedBy = [ "multi-user.target" ];
          serviceConfig = { Type = "oneshot"; ExecStart = shell "echo this went wrong >&2; exit 7"; };
        };
        needs-fails = { wantedBy = [ "multi-user.target" ]; requires = [ "fails.service" ]; after = [ "fails.service" ]; script = "sleep 1000"; };
        first = {
          wantedBy = [ "multi-user.target" ];
          serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
          script = "sleep 0.5; echo first >> /run/order";
        };
        second = { wantedBy = [ "multi-user.target" ]; after = [ "first.service" ]; script = "echo second >> /run/order; sleep 1000"; };
        bound = { bindsTo = [ "second.service" ]; after = [ "second.service" ]; script = "sleep 1000"; };
        tree.script = "sleep 1001 & (sleep 1001 & sleep 1001) & setsid sleep 1001 & wait";
        stubborn = {
          serviceConfig = { ExecStart = shell "trap : TERM; while :; do sleep 1; done"; TimeoutStopSec = 1; };
        };
        forks.serviceConfig = {
          Type = "forking";
          PIDFile = "/run/forks.pid";
          ExecStart = shell "sleep 1002 & echo $$! > /run/forks.pid";
          Restart = "always";
        };
        flaps.serviceConfig = { ExecStart = "${pkgs.busybox}/bin/false"; Restart = "on-failure"; RestartSec = "10ms"; };
        private = {
          environment.COLOUR = "blue and green";
          serviceConfig = {
            User = "alice";
            RuntimeDirectory = "private";
            StateDirectory = "private";
            WorkingDirectory = "/tmp";
            LimitNOFILE = 77;
            ExecStart = shell ''echo "$$(id -un) $$PWD $$COLOUR $$RUNTIME_DIRECTORY $$(ulimit -n)"; touch $$RUNTIME_DIRECTORY/mine; sleep 1000'';
          };
        };
        steps = {
          preStart = "echo pre";
          script = "echo main; sleep 1000";
          postStart = "echo post";
          reload = "echo reload $MAINPID";
          preStop = "echo stop";
          postStop = "echo gone $SERVICE_RESULT";
        };
        told = {
          serviceConfig.Type = "notify";
          environment.PATH = pkgs.lib.mkForce "/run/current-system/sw/bin";
          script = "sleep 1; echo ready > /run/told; systemd-notify --ready --status=fine; sleep 1000";
        };
        chatty.script = "i=0; while [ $i -lt 15000 ]; do echo line $i of many that fill the journal beyond its bound; i=$((i + 1)); done; echo end; sleep 1000";
        skipped = { unitConfig.ConditionPathExists = "/nowhere"; script = "sleep 1000"; };
      };
    };
  };

  daemons = image {
    server = {
      services.nginx = { enable = true; virtualHosts.default = { default = true; root = pkgs.writeTextDir "index.html" "served by nginx\n"; }; };
      services.redis.servers."" = { enable = true; };
      services.postgresql = { enable = true; };
      services.iperf3.enable = true;
      environment.systemPackages = [ pkgs.curl pkgs.redis ];
    };
  };

  nfs = image {
    server = {
      services.nfs.server = { enable = true; exports = "/srv/shared *(rw,no_root_squash,no_subtree_check,fsid=0)\n"; };
      systemd.tmpfiles.rules = [ "d /srv/shared 1777 root root - -" ];
    };
    client = {
      fileSystems."/data" = { device = "server:/"; fsType = "nfs4"; options = [ "soft" ]; };
    };
  };
}
