# The configuration of OpenSSH's client, where a role has it (environment.systemPackages = [ pkgs.openssh ]).
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.programs.ssh;
  host = types.submodule ({ name, ... }: {
    options = {
      hostNames = mkOption { type = types.listOf types.str; default = [ name ]; defaultText = "the attribute's name"; description = "Names and addresses of the host."; };
      extraHostNames = mkOption { type = types.listOf types.str; default = [ ]; description = "Further ones."; };
      publicKey = mkOption { type = types.nullOr types.str; default = null; description = "Its public key."; };
    };
  });
in
{
  options.programs.ssh = {
    extraConfig = mkOption { type = types.lines; default = ""; example = "StrictHostKeyChecking no"; description = "Lines of /etc/ssh/ssh_config."; };
    knownHosts = mkOption { type = types.attrsOf host; default = { }; description = "Public keys of hosts."; };
    startAgent = mkOption { type = types.bool; default = false; description = "Without effect."; };
    setXAuthLocation = mkOption { type = types.bool; default = false; description = "Without effect."; };
  };
  config.environment.etc = {
    "ssh/ssh_config" = lib.mkIf (cfg.extraConfig != "") { text = cfg.extraConfig + "\n"; };
    "ssh/ssh_known_hosts" = lib.mkIf (cfg.knownHosts != { }) {
      text = lib.concatMapStrings
        (h: lib.optionalString (h.publicKey != null) "${lib.concatStringsSep "," (h.hostNames ++ h.extraHostNames)} ${h.publicKey}\n")
        (lib.attrValues cfg.knownHosts);
    };
  };
}
