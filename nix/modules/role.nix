# What a role of an image for all roles leaves to the image: the initrd, which comes once, not once a role.
{ config, lib, pkgs, ... }:
{
  boot.initrd.enable = lib.mkDefault false;

  # Nix on the node knows the store's paths, where the role has Nix.
  systemd.services.nxc-register-store = lib.mkIf config.nix.enable {
    description = "Registration of the store's paths";
    wantedBy = [ "multi-user.target" ];
    before = [ "nix-daemon.socket" "nix-daemon.service" ];
    unitConfig.ConditionPathExists = "/nix/store/.nxc-registration";
    restartIfChanged = false;
    serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
    script = "${config.nix.package}/bin/nix-store --load-db < /nix/store/.nxc-registration";
  };
}
