# The SSH server, which every node has: it is how users and the controller come in. Dropbear serves;
# of OpenSSH's settings it has a few.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.openssh;
in
{
  options.services.openssh = {
    enable = mkOption { type = types.bool; default = true; description = "Whether the SSH server runs. Without it no node becomes reachable."; };
    startWhenNeeded = mkOption { type = types.bool; default = false; description = "Without effect."; };
    ports = mkOption { type = types.listOf types.port; default = [ 22 ]; description = "Ports it listens on. 22 is the one that the controller comes to."; };
    openFirewall = mkOption { type = types.bool; default = true; description = "Without effect: nothing is filtered."; };
    allowSFTP = mkOption { type = types.bool; default = true; description = "Without effect: SFTP is allowed."; };
    settings = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = { X11Forwarding = false; };
      description = "Settings of OpenSSH; without effect on the seed, except that a setting which wants password logins is answered with a warning.";
    };
    extraConfig = mkOption { type = types.lines; default = ""; description = "Without effect."; };
    hostKeys = mkOption { type = types.listOf types.attrs; default = [ ]; description = "Without effect: a node makes its own key at first boot."; };
    listenAddresses = mkOption { type = types.listOf types.raw; default = [ ]; description = "Without effect: it listens on all."; };
    authorizedKeysFiles = mkOption { type = types.listOf types.str; default = [ ]; description = "Without effect."; };
    banner = mkOption { type = types.nullOr types.lines; default = null; description = "Without effect."; };
  };
  imports = [
    (lib.mkRenamedOptionModule [ "services" "openssh" "permitRootLogin" ] [ "services" "openssh" "settings" "PermitRootLogin" ])
    (lib.mkRenamedOptionModule [ "services" "openssh" "passwordAuthentication" ] [ "services" "openssh" "settings" "PasswordAuthentication" ])
    (lib.mkRenamedOptionModule [ "services" "openssh" "forwardX11" ] [ "services" "openssh" "settings" "X11Forwarding" ])
    (lib.mkAliasOptionModule [ "services" "sshd" "enable" ] [ "services" "openssh" "enable" ])
  ];
  config.warnings =
    lib.optional (cfg.settings.PasswordAuthentication or false == true)
      "services.openssh.settings.PasswordAuthentication: nobody logs in by password on the seed; keys let in";
}
