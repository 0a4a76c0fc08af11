# Declarations of options.
lib:
let
  inherit (lib) types;
in
{
  # { default, defaultText, example, description, relatedPackages, type, apply, internal, visible, readOnly }
  mkOption = declaration: { _type = "option"; } // declaration;
  isOption = value: value._type or "" == "option";

  mkEnableOption = name: lib.mkOption {
    default = false; example = true; type = types.bool;
    description = "Whether to enable ${lib.options.textOf name}.";
  };
  mkPackageOption = pkgs: name: { nullable ? false, default ? name, example ? null, extraDescription ? "", pkgsText ? "pkgs" }:
    let
      path = lib.toList default;
      names = lib.toList name;
    in
    lib.mkOption ({
      type = if nullable then types.nullOr types.package else types.package;
      description = "The ${lib.last names} package to use. ${extraDescription}";
    } // lib.optionalAttrs (default != null) {
      default = lib.getAttrFromPath path pkgs;
      defaultText = lib.literalExpression "${pkgsText}.${lib.concatStringsSep "." path}";
    } // lib.optionalAttrs (example != null) { inherit example; });
  mkSinkUndeclaredOptions = declaration: lib.mkOption ({
    internal = true; visible = false; default = false; type = types.unspecified;
    description = "Takes what no option is declared for.";
    apply = x: x;
  } // declaration);

  literalExpression = text: { _type = "literalExpression"; inherit text; };
  literalMD = text: { _type = "literalMD"; inherit text; };
  mdDoc = text: text;
  # A description is text, or one of the marks above.
  textOf = value: if builtins.isAttrs value then value.text or "" else value;

  showOption = path:
    let
      name = part:
        if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*|<.*>|[*]" part != null then part
        else if lib.hasPrefix "[definition " part then part
        else lib.escapeNixString part;
    in
    lib.concatMapStringsSep "." name path;
  showFiles = lib.concatMapStringsSep " and " (file: "`${file}'");
  showDefs = lib.blame.places;

  mergeDefaultOption = loc: defs:
    let values = lib.getValues defs; first = builtins.head values; in
    if builtins.length values == 1 then first
    else if builtins.all lib.isFunction values then x: lib.mergeDefaultOption loc (map (f: { value = f x; file = ""; }) values)
    else if builtins.all builtins.isList values then lib.concatLists values
    else if builtins.all builtins.isAttrs values then lib.mergeAttrsList values
    else if builtins.all builtins.isBool values then builtins.any (x: x) values
    else if builtins.all builtins.isString values then lib.concatStrings values
    else if builtins.all builtins.isInt values && builtins.all (x: x == first) values then first
    else lib.blame.conflict loc defs;
  mergeOneOption = lib.mergeUniqueOption { message = ""; };
  mergeUniqueOption = { message, merge ? null }: loc: defs:
    if builtins.length defs == 1
    then (if merge == null then (builtins.head defs).value else merge loc defs)
    else lib.blame.notUnique message loc defs;
  mergeEqualOption = loc: defs:
    let first = (builtins.head defs).value; in
    if builtins.all (def: def.value == first) defs then first else lib.blame.conflict loc defs;

  getValues = map (def: def.value);
  getFiles = map (def: def.file);

  # Every option below `options` that is meant for readers: { loc, name, description, type, default, example, declarations, … }.
  optionAttrSetToDocList = lib.blame.listOptions;
}
