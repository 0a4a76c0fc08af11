# NixOS Compose's own options, with the names of nixos-compose 0.7 (nix/modules has them for nixpkgs).
{ config, lib, ... }:
let
  inherit (lib) mkIf mkMerge mkOption types;
  cfg = config.nxc;
  userNames = cfg.users.names;
in
{
  options.nxc = {
    postBootCommands = mkOption {
      type = types.lines;
      default = "";
      description = "Shell commands that run once a node knows its role and its peers, before services start.";
    };
    baseBootCommands.enable = mkOption {
      type = types.bool;
      default = true;
      description = "Without effect: a node always takes its name and its peers from the deployment information.";
    };
    readiness = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "curl -fs http://localhost/" ];
      description = "Shell commands that must succeed before a node counts as ready.";
    };
    openPorts = {
      tcp = mkOption {
        type = types.listOf types.port;
        default = config.networking.firewall.allowedTCPPorts;
        defaultText = lib.literalExpression "config.networking.firewall.allowedTCPPorts";
        description = "TCP ports that must accept connections before a node counts as ready.";
      };
      udp = mkOption {
        type = types.listOf types.port;
        default = config.networking.firewall.allowedUDPPorts;
        defaultText = lib.literalExpression "config.networking.firewall.allowedUDPPorts";
        description = "UDP ports that the role serves. They are recorded: nothing can be told from outside of a UDP port.";
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
    users = {
      names = mkOption {
        type = types.listOf types.str;
        default = [ ];
        example = [ "alice" "bob" ];
        description = "Ordinary users that every node of the role has.";
      };
      prefixHome = mkOption {
        type = types.path;
        default = "/home";
        description = "Where their home directories are.";
      };
    };
    sharedDirs = mkOption {
      default = { };
      example = { "/srv/shared" = { export = true; server = "server"; }; };
      description = "Directories that one role exports by NFS and the others mount.";
      type = types.attrsOf (types.submodule ({ name, ... }: {
        options = {
          export = mkOption {
            type = types.bool;
            default = false;
            description = "Whether this role exports the directory.";
          };
          server = mkOption {
            type = types.str;
            default = "";
            description = "The host that exports it; empty: this role mounts nothing.";
          };
        };
      }));
    };
    wait-online.enable = mkOption {
      type = types.bool;
      default = false;
      description = "Without effect: the network is up before any service starts.";
    };
    root-sshKeys.enable = mkOption {
      type = types.bool;
      default = false;
      description = "Without effect, with a warning: nixos-compose bakes a published key pair into images with this; here keys come at boot.";
    };
    qemu-script.enable = mkOption {
      type = types.bool;
      default = false;
      description = "Without effect: the controller starts the machines.";
    };
  };

  config = mkMerge [
    {
      warnings = lib.optional cfg.root-sshKeys.enable
        "nxc.root-sshKeys.enable is without effect: no image carries a key; the deployment's own key lets you in (spec.authorizedKeys adds yours)";
    }
    (mkIf (userNames != [ ]) {
      users.users = lib.genAttrs userNames (name: {
        isNormalUser = true;
        home = "${cfg.users.prefixHome}/${name}";
        createHome = true;
      });
    })
    (mkIf (cfg.sharedDirs != { }) (
      let
        exported = lib.filter (path: cfg.sharedDirs.${path}.export) (lib.attrNames cfg.sharedDirs);
        mounted = lib.filterAttrs (_: dir: !dir.export && dir.server != "") cfg.sharedDirs;
      in
      {
        services.nfs.server = mkIf (exported != [ ]) {
          enable = true;
          exports = lib.concatMapStrings (path: "${path} *(rw,no_subtree_check,fsid=${builtins.hashString "md5" path},no_root_squash)\n") exported;
        };
        systemd.tmpfiles.rules = map (path: "d ${path} 1777 root root") exported;
        fileSystems = lib.mapAttrs (path: dir: {
          device = "${dir.server}:${path}";
          fsType = "nfs";
          options = [ "nolock" "soft" "retry=10" ];
        }) mounted;
      }
    ))
  ];
}
