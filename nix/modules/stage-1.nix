# Stage 1 of a node: a service of the systemd initrd that finds the deployment information and so the role
# (first-boot/find.sh). The initrd's own service then switches into the role's system.
{ lib, pkgs, ... }:
{
  boot.initrd.systemd = {
    enable = lib.mkForce true; # the default from 26.05 on
    extraBin = {
      jq = "${pkgs.jq}/bin/jq";
      curl = "${pkgs.curl}/bin/curl";
      ip = "${pkgs.iproute2}/bin/ip";
    };
    services.nxc-find-role = {
      description = "Deployment information and role of this node";
      unitConfig = {
        DefaultDependencies = false;
        RequiresMountsFor = "/sysroot/nix/store";
      };
      after = [ "systemd-udev-trigger.service" "systemd-modules-load.service" "initrd-root-fs.target" ];
      before = [ "initrd-find-nixos-closure.service" "initrd.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      requiredBy = [ "initrd.target" "initrd-find-nixos-closure.service" ];
      # A node with wrong information stays here and says so on its console; it does not reboot for ever.
      serviceConfig = { Type = "oneshot"; RemainAfterExit = true; TimeoutStartSec = "infinity"; };
      script = builtins.readFile ./first-boot/find.sh;
    };
  };
}
