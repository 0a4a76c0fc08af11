# What a role of an image for all roles leaves to the image: the initrd, which comes once, not once a role.
{ config, lib, pkgs, ... }:
{
  # The role's system is one that a systemd initrd starts; that initrd is the image's (stage-1.nix).
  boot.initrd.systemd.enable = lib.mkDefault true;
  system.build.initialRamdisk = lib.mkForce (pkgs.runCommand "no-initrd" { } "mkdir $out; touch $out/initrd");

  assertions = [{
    assertion = ! config.system.etc.overlay.enable;
    message = "system.etc.overlay.enable needs an initrd of the role's own, but one image and one initrd serve every role";
  }];

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
