# The options nxc.* of compositions (nixos-compose 0.7's names), whatever the package source. What they do on NixOS
# stands in nxc.nix and shared-dirs.nix beside this, and on the seed in nix/seed/modules/nxc.nix.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;

  inert = default: description: mkOption {
    type = types.bool;
    inherit default;
    description = "Without effect${description}";
  };

  ports = protocol: allowed: description: mkOption {
    type = types.listOf types.port;
    default = config.networking.firewall.${allowed};
    defaultText = lib.literalExpression "config.networking.firewall.${allowed}";
    description = "${protocol} ports that ${description}";
  };
in
{
  options.nxc = {
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
        example = "/users";
        description = "Where their home directories are.";
      };
    };
    postBootCommands = mkOption {
      type = types.lines;
      default = "";
      example = "touch /etc/foo";
      description = "Shell commands that run at boot once a node knows its role and its peers, before services start.";
    };
    readiness = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "curl -fs http://localhost/" ];
      description = "Shell commands that must succeed before a node counts as ready; beside them, its open TCP ports must accept.";
    };
    openPorts = {
      tcp = ports "TCP" "allowedTCPPorts" "must accept connections before a node counts as ready.";
      udp = ports "UDP" "allowedUDPPorts" "the role serves. They are recorded: nothing can be told from outside of a UDP port.";
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
    sharedDirs = mkOption {
      type = types.attrsOf (types.submodule {
        options = {
          export = mkOption {
            type = types.bool;
            default = false;
            description = "Whether this role has the directory and offers it to the others.";
          };
          server = mkOption {
            type = types.str;
            default = "";
            example = "server";
            description = "The host that this role gets the directory from; empty: it mounts nothing.";
          };
        };
      });
      default = { };
      example = { "/srv/shared" = { export = true; server = "server"; }; };
      description = "Directories that roles share, by path: one exports, the others mount.";
    };
    root-sshKeys.enable = inert false ", with a warning: nixos-compose bakes a published key pair into images with this; here keys come at boot.";
    baseBootCommands.enable = inert true ": a node always takes its name and its peers from the deployment information.";
    qemu-script.enable = inert false ": the controller starts the machines.";
  };
}
