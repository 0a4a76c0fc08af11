# The firewall's ports. The seed filters nothing; open ports tell what a ready node answers on.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  range = types.submodule {
    options = {
      from = mkOption { type = types.port; description = "The first port."; };
      to = mkOption { type = types.port; description = "The last port."; };
    };
  };
  ports = {
    allowedTCPPorts = mkOption { type = types.listOf types.port; default = [ ]; apply = lib.unique; example = [ 22 80 ]; description = "TCP ports that are open."; };
    allowedUDPPorts = mkOption { type = types.listOf types.port; default = [ ]; apply = lib.unique; description = "UDP ports that are open."; };
    allowedTCPPortRanges = mkOption { type = types.listOf range; default = [ ]; description = "Ranges of TCP ports that are open."; };
    allowedUDPPortRanges = mkOption { type = types.listOf range; default = [ ]; description = "Ranges of UDP ports that are open."; };
  };
  cfg = config.networking.firewall;
in
{
  options.networking.firewall = ports // {
    enable = mkOption { type = types.bool; default = true; description = "Without effect: the seed filters nothing."; };
    allowPing = mkOption { type = types.bool; default = true; description = "Without effect."; };
    trustedInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Without effect."; };
    interfaces = mkOption { type = types.attrsOf (types.submodule { options = ports; }); default = { }; description = "Ports that are open on one interface. Without effect."; };
    rejectPackets = mkOption { type = types.bool; default = false; description = "Without effect."; };
    checkReversePath = mkOption { type = types.either types.bool (types.enum [ "strict" "loose" ]); default = false; description = "Without effect."; };
    logRefusedConnections = mkOption { type = types.bool; default = true; description = "Without effect."; };
    extraCommands = mkOption { type = types.lines; default = ""; description = "Refused where it is not empty: the seed runs no firewall."; };
    extraStopCommands = mkOption { type = types.lines; default = ""; description = "Without effect."; };
  };
  config = {
    assertions = [
      {
        assertion = cfg.extraCommands == "";
        message = "networking.firewall.extraCommands: the seed runs no firewall; run the commands in a service of yours (pkgs.iptables), or use packageSource nixpkgs";
      }
    ];
    system.build.firewall = { inherit (cfg) enable; tcp = cfg.allowedTCPPorts; udp = cfg.allowedUDPPorts; };
  };
}
