# The options nxc.* of compositions (nixos-compose 0.7's names), and what every role of every flavour has.
{ config, lib, ... }:
let
  inherit (lib) mkDefault mkEnableOption mkIf mkMerge mkOption types;
  cfg = config.nxc;
in
{
  imports = [ ./access.nix ./first-boot.nix ./shared-dirs.nix ];

  options.nxc = {
    users = {
      names = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "user1" "user2" ];
        description = "Ordinary users that the role has.";
      };
      prefixHome = mkOption {
        type = types.str;
        default = "/home";
        example = "/users";
        description = "Folder of their home folders.";
      };
    };
    container = {
      privileged = mkOption {
        type = types.bool;
        default = false;
        description = "Flavour docker: whether the container may do everything to its host. Only a trusted testbed grants it.";
      };
      capabilities = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "NET_ADMIN" ];
        description = "Flavour docker: capabilities beyond those that containers have. Only a trusted testbed grants them.";
      };
      hostNamespaces = mkOption {
        type = types.listOf (types.enum [ "ipc" "pid" ]);
        default = [ ];
        description = "Flavour docker: namespaces that the container shares with its host. Only a trusted testbed grants them.";
      };
    };
    postBootCommands = mkOption {
      type = types.lines;
      default = "";
      example = "touch /etc/foo";
      description = "Shell commands that run at boot once the node knows its name and its peers, before services start.";
    };
    wait-online.enable = mkEnableOption "waiting for the network before the boot counts as done";
    readiness = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "systemctl is-active nginx" ];
      description = "Commands that succeed when the role is ready; beside them, its open TCP ports must accept.";
    };
    openPorts = {
      tcp = mkOption {
        type = types.listOf types.port;
        default = config.networking.firewall.allowedTCPPorts;
        defaultText = lib.literalExpression "config.networking.firewall.allowedTCPPorts";
        description = "TCP ports that must accept before the role counts as ready.";
      };
      udp = mkOption {
        type = types.listOf types.port;
        default = config.networking.firewall.allowedUDPPorts;
        defaultText = lib.literalExpression "config.networking.firewall.allowedUDPPorts";
        description = "UDP ports that the role serves; recorded only.";
      };
    };
    root-sshKeys.enable = mkOption {
      type = types.bool;
      default = false;
      description = "nixos-compose bakes a published key pair into images with this. It has no effect: keys come at boot.";
    };
    baseBootCommands.enable = mkOption {
      type = types.bool;
      default = true;
      description = "Without effect: a node always takes its name and its peers from the deployment information.";
    };
    qemu-script.enable = mkOption {
      type = types.bool;
      default = false;
      description = "Without effect: the controller starts the machines.";
    };
  };

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
