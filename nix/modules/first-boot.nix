# Stage 2 of a node's first boot: it applies what stage 1 found (stage-1.nix; in a container: what PID 1 was given),
# then tells the controller that it is there.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkIf mkMerge;
  container = config.boot.isContainer;
  tools = [ pkgs.coreutils pkgs.jq ];

  inform = pkgs.writeShellScriptBin "nxc-inform" ''
    export PATH=${lib.makeBinPath tools}
    ${builtins.readFile ./first-boot/inform.sh}
  '';
  early = {
    unitConfig.DefaultDependencies = false;
    wantedBy = [ "sysinit.target" ];
    before = [ "sysinit.target" "network-pre.target" "shutdown.target" ];
    conflicts = [ "shutdown.target" ];
    restartIfChanged = false;
    serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
  };
in
{
  config = mkMerge [
    {
      environment.systemPackages = [ inform ];

      systemd.services.nxc-first-boot = early // {
        description = "Deployment information of this node";
        after = [ "local-fs.target" "systemd-tmpfiles-setup.service" ];
        path = tools ++ lib.optional container pkgs.curl;
        script = lib.optionalString container ''
          NXC_ROOT="" NXC_CMDLINE=/proc/1/environ NXC_TOPLEVEL=$(readlink -f /run/current-system) NXC_UNATTENDED=1 \
            ${pkgs.runtimeShell} ${./first-boot/find.sh} || exit 1
        '' + "${inform}/bin/nxc-inform --boot";
      };

      systemd.services.nxc-report = {
        description = "Report of this node to its controller";
        wantedBy = [ "multi-user.target" ];
        after = [ "nxc-first-boot.service" "sshd-keygen.service" "sshd.service" "network.target" ];
        restartIfChanged = false;
        path = tools ++ [ pkgs.curl ];
        script = builtins.readFile ./first-boot/report.sh;
      };
    }

    (mkIf (config.nxc.postBootCommands != "") {
      systemd.services.nxc-post-boot = early // {
        description = "The composition's post-boot commands (nxc.postBootCommands)";
        after = [ "nxc-first-boot.service" ];
        requires = [ "nxc-first-boot.service" ];
        path = [ pkgs.coreutils pkgs.util-linux pkgs.iproute2 ];
        script = config.nxc.postBootCommands;
      };
    })

    # Addresses are files for systemd-networkd that stage 1 wrote. A role that turns networkd off gets them by hand.
    (mkIf (! container) { networking.useNetworkd = lib.mkDefault true; })
    (mkIf (! container && ! config.networking.useNetworkd) {
      systemd.services.nxc-network = {
        description = "Addresses of the deployment's network cards";
        wantedBy = [ "network.target" ];
        before = [ "network.target" ];
        after = [ "nxc-first-boot.service" "systemd-udev-settle.service" ];
        restartIfChanged = false;
        serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
        path = tools ++ [ pkgs.iproute2 ];
        script = ''
          jq -r '(.interfaces // [])[] | "\(.mac) \(.address) \(.gateway // "")"' /run/nxc/deployment.json |
          while read -r mac address gateway; do
            for card in /sys/class/net/*; do
              [ "$(cat "$card/address")" = "$mac" ] || continue
              ip link set "''${card##*/}" up
              ip address replace "$address" dev "''${card##*/}"
              [ -z "$gateway" ] || ip route replace default via "$gateway"
            done
          done
        '';
      };
      networking.dhcpcd.enable = lib.mkDefault false;
    })
  ];
}
