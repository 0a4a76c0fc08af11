# Configuration files in the usual formats.
lib:
let
  inherit (builtins) isAttrs isBool isFloat isInt isList isString;
in
rec {
  mkValueStringDefault = _: value:
    if isInt value || isFloat value then toString value
    else if lib.isDerivation value then toString value
    else if isString value then value
    else if value == true then "true"
    else if value == false then "false"
    else if value == null then "null"
    else if builtins.isPath value then toString value
    else throw "generators.mkValueStringDefault: cannot write ${toPretty { } value}";
  mkKeyValueDefault = { mkValueString ? mkValueStringDefault { } }: separator: key: value:
    "${lib.escape [ separator ] key}${separator}${mkValueString value}";
  toKeyValue = { mkKeyValue ? mkKeyValueDefault { } "=", listsAsDuplicateKeys ? false, indent ? "" }: set:
    let
      lines = key: value:
        map (v: "${indent}${mkKeyValue key v}\n")
          (if listsAsDuplicateKeys && isList value then value else [ value ]);
    in
    lib.concatStrings (lib.concatLists (lib.mapAttrsToList lines set));
  toINI = { mkSectionName ? name: lib.escape [ "[" "]" ] name, mkKeyValue ? mkKeyValueDefault { } "=", listsAsDuplicateKeys ? false }: set:
    lib.concatStringsSep "\n" (lib.mapAttrsToList
      (name: values: "[${mkSectionName name}]\n" + toKeyValue { inherit mkKeyValue listsAsDuplicateKeys; } values)
      set);
  toINIWithGlobalSection = options: { globalSection, sections ? { } }:
    (if globalSection == { } then "" else toKeyValue (builtins.removeAttrs options [ "mkSectionName" ]) globalSection + "\n")
    + toINI options sections;
  toJSON = _: builtins.toJSON;
  toYAML = toJSON;

  # A value as Nix source, for people: derivations and functions by name.
  toPretty = { multiline ? true, indent ? "", allowPrettyValues ? false }:
    let
      go = indent: value:
        let
          open = if multiline then "\n${indent}  " else " ";
          close = if multiline then "\n${indent}" else " ";
        in
        if isString value then lib.escapeNixString value
        else if isInt value || isFloat value then toString value
        else if isBool value then lib.boolToString value
        else if value == null then "null"
        else if builtins.isPath value then toString value
        else if isList value then
          if value == [ ] then "[ ]"
          else "[${open}${lib.concatMapStringsSep open (go (indent + "  ")) value}${close}]"
        else if lib.isFunction value then "<function>"
        else if isAttrs value then
          if value == { } then "{ }"
          else if lib.isDerivation value then "<derivation ${value.name or "???"}>"
          else "{${open}${lib.concatStringsSep open (lib.mapAttrsToList (name: v: "${identifier name} = ${go (indent + "  ") v};") value)}${close}}"
        else "<${builtins.typeOf value}>";
      identifier = name: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*" name != null then name else lib.escapeNixString name;
    in
    go indent;
}
