# What the run time (nix/seed/system.nix) makes a system of: the configuration in plain records.
{ config, lib, pkgs, role, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    system = {
      build = mkOption {
        type = types.lazyAttrsOf types.unspecified;
        default = { };
        description = "What is built of the configuration; `system.build.toplevel` is the whole system.";
      };
      name = mkOption {
        type = types.str;
        default = config.networking.hostName;
        defaultText = lib.literalExpression "config.networking.hostName";
        description = "The name of the system.";
      };
      extraDependencies = mkOption {
        type = types.listOf types.path;
        default = [ ];
        description = "Store paths that the system's image carries although nothing refers to them.";
      };
    };
    lib = mkOption {
      type = types.attrsOf types.attrs;
      default = { };
      description = "Functions that modules give each other.";
    };
  };

  config.system.build = {
    toplevel = import ../system.nix { inherit lib pkgs config; name = role; };
    readiness = config.nxc.readiness;
    openPorts = config.nxc.openPorts;
    postBootCommands = lib.concatStringsSep "\n"
      (lib.filter (text: text != "") [ config.boot.postBootCommands config.nxc.postBootCommands ]);
    packages = lib.unique config.environment.systemPackages;
  };
}
