# Network interfaces. Those that the deployment information describes are its own business.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  address = types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The address."; };
      prefixLength = mkOption { type = types.ints.between 0 128; description = "The length of the network's prefix."; };
    };
  };
  route = types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The network."; };
      prefixLength = mkOption { type = types.ints.between 0 128; description = "The length of its prefix."; };
      via = mkOption { type = types.nullOr types.str; default = null; description = "The next hop."; };
      type = mkOption { type = types.nullOr types.str; default = null; description = "Without effect."; };
      options = mkOption { type = types.attrsOf types.str; default = { }; description = "Without effect."; };
    };
  };
  family = {
    addresses = mkOption { type = types.listOf address; default = [ ]; description = "Addresses of the interface."; };
    routes = mkOption { type = types.listOf route; default = [ ]; description = "Routes through it."; };
  };
  interface = types.submodule ({ name, ... }: {
    options = {
      name = mkOption { type = types.str; default = name; description = "The interface's name."; };
      useDHCP = mkOption { type = types.nullOr types.bool; default = null; description = "Whether it asks for an address; null: where it has none."; };
      ipv4 = family;
      ipv6 = family;
      macAddress = mkOption { type = types.nullOr types.str; default = null; description = "The hardware address."; };
      mtu = mkOption { type = types.nullOr types.int; default = null; description = "The largest packet."; };
      virtual = mkOption { type = types.bool; default = false; description = "Not on the seed."; };
    };
  });
  gateway = types.nullOr (types.coercedTo types.str (address: { inherit address; }) (types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The gateway's address."; };
      interface = mkOption { type = types.nullOr types.str; default = null; description = "The interface it is behind."; };
      metric = mkOption { type = types.nullOr types.int; default = null; description = "The route's metric."; };
    };
  }));
in
{
  options.networking = {
    interfaces = mkOption {
      type = types.attrsOf interface;
      default = { };
      example = { eth1.ipv4.addresses = [ { address = "10.0.0.1"; prefixLength = 24; } ]; };
      description = "Network interfaces.";
    };
    useDHCP = mkOption { type = types.bool; default = true; description = "Whether interfaces without an address ask for one."; };
    enableIPv6 = mkOption { type = types.bool; default = true; description = "Whether IPv6 is on."; };
    defaultGateway = mkOption { type = gateway; default = null; description = "The default gateway."; };
    defaultGateway6 = mkOption { type = gateway; default = null; description = "The default gateway for IPv6."; };
    localCommands = mkOption { type = types.lines; default = ""; description = "Shell commands that set the network up further."; };
  };
  config = {
    boot.kernel.sysctl = lib.mkIf (!config.networking.enableIPv6) { "net.ipv6.conf.all.disable_ipv6" = true; };
    systemd.services.network-local-commands = lib.mkIf (config.networking.localCommands != "") {
      description = "Extra networking commands";
      after = [ "network-pre.target" ];
      before = [ "network.target" ];
      wantedBy = [ "network.target" ];
      serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
      script = config.networking.localCommands;
    };
    system.build.interfaces = lib.mapAttrs'
      (_: interface: lib.nameValuePair interface.name {
        addresses = map (a: "${a.address}/${toString a.prefixLength}") (interface.ipv4.addresses ++ interface.ipv6.addresses);
        routes = map (r: { to = "${r.address}/${toString r.prefixLength}"; inherit (r) via; }) (interface.ipv4.routes ++ interface.ipv6.routes);
        inherit (interface) useDHCP macAddress mtu;
      })
      config.networking.interfaces;
    system.build.gateways = lib.filter (gateway: gateway != null) [ config.networking.defaultGateway config.networking.defaultGateway6 ];
  };
}
