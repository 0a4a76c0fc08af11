# The node's name, and names of others. The names of a deployment's nodes are added at first boot.
{ config, lib, role, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking;
  domain = lib.optionalString (cfg.domain != null) ".${cfg.domain}";
in
{
  options.networking = {
    hostName = mkOption {
      type = types.strMatching "^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$";
      default = role;
      defaultText = "the role's name";
      description = "The host name of a node that has no deployment information; else the deployment's host name counts.";
    };
    hostId = mkOption { type = types.nullOr types.str; default = null; description = "Without effect."; };
    domain = mkOption { type = types.nullOr types.str; default = null; description = "The domain."; };
    fqdn = mkOption { type = types.str; readOnly = true; default = cfg.hostName + domain; defaultText = "hostName.domain"; description = "The whole name."; };
    fqdnOrHostName = mkOption { type = types.str; readOnly = true; default = cfg.fqdn; defaultText = "fqdn"; description = "The whole name, or the host name."; };
    hosts = mkOption {
      type = types.attrsOf (types.listOf types.str);
      default = { };
      example = { "192.168.0.2" = [ "fileserver" ]; };
      description = "Names for addresses.";
    };
    extraHosts = mkOption { type = types.lines; default = ""; example = "192.168.0.1 lanlocalhost"; description = "Further lines of /etc/hosts."; };
    hostFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files with further lines of /etc/hosts, read at evaluation."; };
    nameservers = mkOption { type = types.listOf types.str; default = [ ]; description = "Addresses of name servers."; };
    search = mkOption { type = types.listOf types.str; default = [ ]; description = "Domains that are tried for short names."; };
    timeServers = mkOption { type = types.listOf types.str; default = [ ]; description = "Without effect."; };
  };

  config = {
    networking.hosts = { "127.0.0.1" = [ "localhost" ]; "::1" = lib.mkIf cfg.enableIPv6 [ "localhost" ]; };
    environment.etc = {
      hostname.text = lib.optionalString (cfg.hostName != "") "${cfg.hostName}\n";
      hosts.text = lib.concatStrings (lib.mapAttrsToList
        (address: names: lib.optionalString (names != [ ]) "${address} ${lib.concatStringsSep " " names}\n")
        cfg.hosts) + cfg.extraHosts + lib.concatMapStrings builtins.readFile cfg.hostFiles;
      "nsswitch.conf".text = ''
        passwd: files
        group: files
        shadow: files
        hosts: files dns
        networks: files
        services: files
        protocols: files
      '';
      "resolv.conf" = lib.mkIf (cfg.nameservers != [ ] || cfg.search != [ ]) {
        mode = "0644";
        text = lib.optionalString (cfg.search != [ ]) "search ${lib.concatStringsSep " " cfg.search}\n"
          + lib.concatMapStrings (address: "nameserver ${address}\n") cfg.nameservers;
      };
    };
  };
}
