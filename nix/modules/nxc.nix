# What every role of every flavour has on NixOS, and what the options nxc.* do there.
{ config, lib, ... }:
let
  inherit (lib) mkDefault mkEnableOption mkIf mkMerge;
  cfg = config.nxc;
in
{
  imports = [ ./access.nix ./first-boot.nix ./options.nix ./shared-dirs.nix ];

  options.nxc.wait-online.enable = mkEnableOption "waiting for the network before the boot counts as done";

  config = mkMerge [
    {
      # A host's name comes with the deployment information: one image serves every host of a role.
      networking.hostName = mkDefault "";
      # As in nixos-compose: roles reach each other unless a composition turns the firewall on.
      networking.firewall.enable = mkDefault false;
      documentation.enable = mkDefault false;
      system.stateVersion = mkDefault lib.trivial.release;

      warnings =
        lib.optional cfg.root-sshKeys.enable
          "nxc.root-sshKeys has no effect: no key is baked into an image; keys come with the deployment (Deployment.spec.authorizedKeys)"
        ++ lib.optional cfg.qemu-script.enable "nxc.qemu-script has no effect: the controller starts the machines";
    }

    (mkIf (cfg.users.names != [ ]) {
      users.users = lib.genAttrs cfg.users.names (name: {
        isNormalUser = true;
        group = "users";
        home = "${cfg.users.prefixHome}/${name}";
      });
      systemd.tmpfiles.rules = [ "d ${cfg.users.prefixHome} 0755 root root -" ];
    })

    (mkIf cfg.wait-online.enable {
      systemd.targets.network-online.wantedBy = [ "multi-user.target" ];
    })
  ];
}
