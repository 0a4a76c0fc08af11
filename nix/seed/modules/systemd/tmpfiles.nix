# Files and directories that are made at boot (tmpfiles.d(5)).
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.systemd.tmpfiles;
  entry = types.submodule {
    options = {
      user = mkOption { type = types.str; default = "-"; description = "The owner."; };
      group = mkOption { type = types.str; default = "-"; description = "The group."; };
      mode = mkOption { type = types.str; default = "-"; description = "The permissions."; };
      age = mkOption { type = types.str; default = "-"; description = "Without effect."; };
      argument = mkOption { type = types.str; default = ""; description = "What it takes further."; };
      type = mkOption { type = types.str; default = ""; internal = true; description = "As the attribute's name."; };
    };
  };
  lines = lib.concatLists (lib.concatLists (lib.mapAttrsToList
    (_: paths: lib.mapAttrsToList
      (path: kinds: lib.mapAttrsToList (kind: e: "${kind} '${path}' ${e.mode} ${e.user} ${e.group} ${e.age} ${e.argument}") kinds)
      paths)
    cfg.settings));
in
{
  options.systemd.tmpfiles = {
    rules = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "d /tmp/work 1777 root root" ];
      description = "Lines of tmpfiles.d: type, path, mode, user, group, age, argument. The seed has d, D, f, F, w, L, z, Z, e, q, Q, v, p, r, R, C.";
    };
    settings = mkOption {
      type = types.attrsOf (types.attrsOf (types.attrsOf entry));
      default = { };
      example = { work."/tmp/work".d = { mode = "1777"; user = "root"; }; };
      description = "The same, by name, path and type.";
    };
  };
  config = {
    system.build.tmpfiles = cfg.rules ++ lines;
    assertions = map
      (rule:
        let kind = builtins.match "[[:space:]]*([a-zA-Z])[-+!=~^$]*[[:space:]].*" rule; in
        {
          assertion = kind != null && lib.elem (lib.head kind) (lib.stringToCharacters "dDfFwLzZeqQvprRCaAxXhHtTbc");
          message = "systemd.tmpfiles.rules: ${builtins.toJSON rule} is no line of tmpfiles.d: type, path, mode, user, group, age, argument";
        })
      cfg.rules;
  };
}
