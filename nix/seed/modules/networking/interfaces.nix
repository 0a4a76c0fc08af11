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
      useDHCP = mkOption { type = types.nullOr types.bool; default = null; description = "Without effect: an interface asks for an address if neither the deployment nor the composition gives it one."; };
      ipv4 = family;
      ipv6 = family;
      macAddress = mkOption { type = types.nullOr types.str; default = null; description = "The hardware address."; };
      mtu = mkOption { type = types.nullOr types.int; default = null; description = "The largest packet."; };
      virtual = mkOption { type = types.bool; default = false; description = "Without effect."; };
    };
  });
  gateway = types.nullOr (types.coercedTo types.str (address: { inherit address; }) (types.submodule {
    options = {
      address = mkOption { type = types.str; description = "The gateway's address."; };
      interface = mkOption { type = types.nullOr types.str; default = null; description = "The interface it is behind."; };
      metric = mkOption { type = types.nullOr types.int; default = null; description = "The route's metric."; };
    };
  }));

  cfg = config.networking;
  prefix = a: "${a.address}/${toString a.prefixLength}";
  on = value: command: lib.optional (value != null) command;
  settingsOf = interface:
    let dev = lib.escapeShellArg interface.name; in
    on interface.macAddress "ip link set dev ${dev} address ${interface.macAddress}"
    ++ on interface.mtu "ip link set dev ${dev} mtu ${toString interface.mtu}"
    ++ map (r: "ip route replace ${prefix r}${lib.optionalString (r.via != null) " via ${r.via}"} dev ${dev}") interface.ipv4.routes
    ++ map (r: "ip -6 route replace ${prefix r}${lib.optionalString (r.via != null) " via ${r.via}"} dev ${dev}") interface.ipv6.routes;
  gatewayOf = ip: g: on g
    "${ip} route replace default via ${g.address}${lib.optionalString (g.interface != null) " dev ${g.interface}"}${lib.optionalString (g.metric != null) " metric ${toString g.metric}"}";
  commands = lib.concatStringsSep "\n" (
    lib.concatMap settingsOf (lib.attrValues cfg.interfaces)
    ++ gatewayOf "ip" cfg.defaultGateway
    ++ gatewayOf "ip -6" cfg.defaultGateway6
    ++ lib.optional (cfg.localCommands != "") cfg.localCommands
  );
in
{
  options.networking = {
    interfaces = mkOption {
      type = types.attrsOf interface;
      default = { };
      example = { eth1.ipv4.addresses = [ { address = "10.0.0.1"; prefixLength = 24; } ]; };
      description = "Network interfaces.";
    };
    useDHCP = mkOption { type = types.bool; default = true; description = "Without effect: see networking.interfaces.<name>.useDHCP."; };
    enableIPv6 = mkOption { type = types.bool; default = true; description = "Whether IPv6 is on."; };
    defaultGateway = mkOption { type = gateway; default = null; description = "The default gateway."; };
    defaultGateway6 = mkOption { type = gateway; default = null; description = "The default gateway for IPv6."; };
    localCommands = mkOption { type = types.lines; default = ""; description = "Shell commands that set the network up further."; };
  };
  config = {
    boot.kernel.sysctl = lib.mkIf (!cfg.enableIPv6) { "net.ipv6.conf.all.disable_ipv6" = true; };
    # First boot gives interfaces their addresses; what else they are to have comes here.
    systemd.services.network-local-commands = lib.mkIf (commands != "") {
      description = "Routes and further settings of the network";
      after = [ "network-pre.target" ];
      before = [ "network.target" ];
      wantedBy = [ "network.target" ];
      serviceConfig = { Type = "oneshot"; RemainAfterExit = true; };
      script = commands;
    };
    system.build.interfaces = lib.mapAttrs'
      (_: interface: lib.nameValuePair interface.name {
        addresses = map prefix (interface.ipv4.addresses ++ interface.ipv6.addresses);
      })
      cfg.interfaces;
  };
}
