# Files below /etc.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  file = types.submodule ({ name, config, options, ... }: {
    options = {
      enable = mkOption { type = types.bool; default = true; description = "Whether the file is there."; };
      target = mkOption { type = types.str; default = name; description = "Its name below /etc."; };
      text = mkOption { type = types.nullOr types.lines; default = null; description = "Its text."; };
      source = mkOption { type = types.path; description = "A file or directory that stands there; not together with `text`."; };
      mode = mkOption {
        type = types.str;
        default = "symlink";
        example = "0600";
        description = "`symlink`: a link into the store; else a copy with these permissions.";
      };
      uid = mkOption { type = types.int; default = 0; description = "The owner's number, for a copy."; };
      gid = mkOption { type = types.int; default = 0; description = "The group's number, for a copy."; };
      user = mkOption { type = types.str; default = "+${toString config.uid}"; defaultText = "the uid"; description = "The owner, for a copy; `+` and a number, or a name."; };
      group = mkOption { type = types.str; default = "+${toString config.gid}"; defaultText = "the gid"; description = "The group, for a copy."; };
      plain = mkOption { type = types.raw; internal = true; readOnly = true; description = "For the run time."; };
    };
    config = {
      source = lib.mkIf (config.text != null)
        (lib.mkDerivedConfig options.text (pkgs.writeText "etc-${lib.sanitizeDerivationName (baseNameOf name)}"));
      # The text goes to the run time as it is, because a derivation costs more than a file.
      plain = {
        inherit (config) target mode user group text;
        source = if config.text == null then "${config.source}" else null;
      };
    };
  });
in
{
  options.environment.etc = mkOption {
    type = types.attrsOf file;
    default = { };
    example = { "motd".text = "hello"; };
    description = "Files below /etc.";
  };
  config.environment.etc."os-release".text = lib.mkDefault ''
    NAME="NixOS Compose seed"
    ID=nxc-seed
    ID_LIKE=debian
    VERSION_ID="12"
    PRETTY_NAME="NixOS Compose seed (Debian 12)"
  '';
  config.system.build.etc = map (entry: entry.plain)
    (lib.filter (entry: entry.enable) (lib.attrValues config.environment.etc));
}
