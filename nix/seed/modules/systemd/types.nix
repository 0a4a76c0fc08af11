# What units are made of.
lib:
let
  inherit (lib) mkOption types;
  names = description: mkOption { type = types.listOf types.str; default = [ ]; inherit description; };
in
rec {
  # A directive's value: definitions are joined where one is a list, else equal.
  directive = types.mkOptionType {
    name = "systemd option";
    description = "string, number, boolean, path or list of these";
    check = value:
      let simple = v: builtins.isString v || builtins.isInt v || builtins.isFloat v || builtins.isBool v || lib.isStringLike v; in
      value == null || simple value || (builtins.isList value && builtins.all simple value);
    merge = loc: defs:
      if builtins.any (def: builtins.isList def.value) defs
      then lib.concatMap (def: lib.toList def.value) defs
      else lib.mergeEqualOption loc defs;
  };

  dependencies = {
    enable = mkOption { type = types.bool; default = true; description = "Whether the unit exists."; };
    description = mkOption { type = types.singleLineStr; default = ""; description = "What the unit is, for `systemctl status`."; };
    documentation = names "Where to read on.";
    requires = names "Units that start with this one and without which it stops.";
    wants = names "Units that start with this one.";
    upholds = names "As `wants`.";
    requisite = names "As `requires`.";
    bindsTo = names "As `requires`, also where they stop by themselves.";
    partOf = names "Units with which this one stops and restarts.";
    conflicts = names "Units that stop when this one starts.";
    before = names "Units that start after this one.";
    after = names "Units that start before this one.";
    wantedBy = names "Units that start this one along.";
    requiredBy = names "Units that start this one along and need it.";
    upheldBy = names "As `wantedBy`.";
    aliases = names "Without effect.";
    onFailure = names "Without effect.";
    onSuccess = names "Without effect.";
    overrideStrategy = mkOption { type = types.raw; default = "asDropinIfExists"; internal = true; description = "Without effect."; };
    startLimitIntervalSec = mkOption { type = types.nullOr types.int; default = null; description = "The time in which startLimitBurst starts are allowed; null: 10 s."; };
    startLimitBurst = mkOption { type = types.nullOr types.int; default = null; description = "How many starts; null: 5."; };
    unitConfig = mkOption { type = types.attrsOf directive; default = { }; example = { ConditionPathExists = "/etc/foo"; }; description = "The [Unit] section."; };
  };
}
