# Types without parts, besides those of text.
lib:
let
  inherit (builtins) elem isAttrs isBool isFloat isInt toString;
  inherit (lib) mergeEqualOption mergeOneOption;
  inherit (lib.types) addCheck alone ints mkOptionType;

  between = lowest: highest:
    addCheck lib.types.int (n: n >= lowest && n <= highest) // {
      name = "intBetween";
      description = "integer between ${toString lowest} and ${toString highest} (both inclusive)";
    };
  sized = sign: bits: lowest: highest:
    between lowest highest // {
      name = "${sign}Int${toString bits}";
      description = "${toString bits} bit ${sign} integer; between ${toString lowest} and ${toString highest} (both inclusive)";
    };
  numbersIn = base: {
    positive = addCheck base (n: n > 0) // { name = "positive"; description = "positive ${base.description}, meaning >0"; };
    nonnegative = addCheck base (n: n >= 0) // { name = "nonnegative"; description = "nonnegative ${base.description}, meaning >=0"; };
  };
in
{
  # Anything; merged by guessing. For old modules.
  unspecified = alone { name = "unspecified"; description = "unspecified value"; };
  # Anything, defined once, untouched.
  raw = alone { name = "raw"; description = "raw value"; check = _: true; merge = mergeOneOption; };

  bool = alone { name = "bool"; description = "boolean"; check = isBool; merge = mergeEqualOption; };
  # True where any definition is.
  boolByOr = alone {
    name = "boolByOr"; description = "boolean (merged using or)"; check = isBool;
    merge = _: defs: builtins.any (def: def.value) defs;
  };

  int = alone { name = "int"; description = "signed integer"; check = isInt; merge = mergeEqualOption; };
  ints = {
    inherit between;
    unsigned = addCheck lib.types.int (n: n >= 0) // { name = "unsignedInt"; description = "unsigned integer, meaning >=0"; };
    positive = addCheck lib.types.int (n: n > 0) // { name = "positiveInt"; description = "positive integer, meaning >0"; };
    u8 = sized "unsigned" 8 0 255;
    u16 = sized "unsigned" 16 0 65535;
    u32 = sized "unsigned" 32 0 4294967295;
    s8 = sized "signed" 8 (-128) 127;
    s16 = sized "signed" 16 (-32768) 32767;
    s32 = sized "signed" 32 (-2147483648) 2147483647;
  };
  port = ints.u16;
  float = alone { name = "float"; description = "floating point number"; check = isFloat; merge = mergeEqualOption; };
  number = lib.types.either lib.types.int lib.types.float;
  numbers = numbersIn lib.types.number // {
    between = lowest: highest:
      addCheck lib.types.number (n: n >= lowest && n <= highest) // {
        name = "numberBetween";
        description = "integer or floating point number between ${toString lowest} and ${toString highest} (both inclusive)";
      };
  };

  # Sets without a type for their values; the first level is merged, later definitions win.
  attrs = alone {
    name = "attrs"; description = "attribute set"; check = isAttrs; emptyValue.value = { };
    merge = _: defs: lib.mergeAttrsList (map (def: def.value) defs);
  };

  package = alone {
    name = "package"; description = "package";
    check = x: lib.isDerivation x || lib.isStorePath x;
    merge = loc: defs:
      let value = mergeOneOption loc defs; in
      if builtins.isPath value || (builtins.isString value && !builtins.hasContext value)
      then lib.toDerivation value else value;
  };
  shellPackage = lib.types.package // { check = x: lib.isDerivation x && x ? shellPath; };
  pkgs = alone { name = "pkgs"; description = "Nixpkgs package set"; check = x: x._type or "" == "pkgs" || isAttrs x; merge = mergeOneOption; };

  optionType = alone {
    name = "optionType"; description = "optionType"; check = lib.types.isOptionType;
    merge = loc: defs:
      let
        add = sum: def:
          let both = sum.typeMerge def.value.functor; in
          if both == null then lib.blame.conflict loc defs else both;
      in
      builtins.foldl' add (builtins.head defs).value (builtins.tail defs);
  };

  enum = values:
    let
      show = value:
        if builtins.isString value then ''"${value}"''
        else if isInt value then toString value
        else if isBool value then lib.boolToString value
        else "<${builtins.typeOf value}>";
    in
    mkOptionType {
      name = "enum";
      description =
        if values == [ ] then "impossible (empty enum)"
        else if builtins.length values == 1 then "value ${show (builtins.head values)} (singular enum)"
        else "one of ${lib.concatMapStringsSep ", " show values}";
      check = value: elem value values;
      merge = mergeEqualOption;
      functor = {
        name = "enum"; payload = { inherit values; }; wrapped = null;
        merged = other: lib.types.enum (lib.unique (values ++ other.payload.values));
      };
    };

  addCheck = type: check: type // { check = value: type.check value && check value; };
}
