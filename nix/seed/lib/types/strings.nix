# Types of text.
lib:
let
  inherit (builtins) isString match;
  inherit (lib) mergeEqualOption;
  inherit (lib.types) alone mkOptionType;
in
{
  str = alone { name = "str"; description = "string"; check = isString; merge = mergeEqualOption; };
  string = throw "nxc: types.string was removed from NixOS: use types.str, types.lines or types.separatedString";
  nonEmptyStr = alone {
    name = "nonEmptyStr"; description = "non-empty string"; merge = mergeEqualOption;
    check = value: isString value && match "[ \t\n]*" value == null;
  };
  # A newline at the end is let go.
  singleLineStr = alone {
    name = "singleLineStr"; description = "(optionally newline-terminated) single-line string";
    check = value: isString value && match "[^\n\r]*\n?" value != null;
    merge = loc: defs: lib.removeSuffix "\n" (mergeEqualOption loc defs);
  };
  passwdEntry = base: lib.types.addCheck base (value: match "[^:\n]*" "${value}" != null) // {
    name = "passwdEntry ${base.name}";
    description = "${base.description}, not containing newlines or colons";
  };
  strMatching = pattern: mkOptionType {
    name = "strMatching ${lib.escapeNixString pattern}";
    description = "string matching the pattern ${pattern}";
    check = value: isString value && match pattern value != null;
    merge = mergeEqualOption;
  };

  # Definitions joined by the separator.
  separatedString = separator: mkOptionType {
    name = "separatedString";
    inherit separator;
    description = if separator == "" then "Concatenated string" else "strings concatenated with ${builtins.toJSON separator}";
    check = isString;
    merge = _: defs: lib.concatMapStringsSep separator (def: def.value) defs;
    functor = {
      name = "separatedString"; payload = { sep = separator; }; wrapped = null;
      merged = other: if other.payload.sep == separator then lib.types.separatedString separator else null;
    };
  };
  lines = lib.types.separatedString "\n";
  commas = lib.types.separatedString ",";
  envVar = lib.types.separatedString ":";

  path = alone {
    name = "path"; description = "absolute path"; merge = mergeEqualOption;
    check = value: lib.isStringLike value && builtins.substring 0 1 (toString value) == "/";
  };
  pathInStore = alone {
    name = "pathInStore"; description = "path in the Nix store"; merge = mergeEqualOption;
    check = value: lib.isStringLike value && match "${lib.escapeRegex builtins.storeDir}/[^.].*" (toString value) != null;
  };
  pathWith = { inStore ? null, absolute ? null }: alone {
    name = "path"; description = "path"; merge = mergeEqualOption;
    check = value: lib.isStringLike value
      && (absolute == null || absolute == (builtins.substring 0 1 (toString value) == "/"))
      && (inStore == null || inStore == lib.hasPrefix "${builtins.storeDir}/" (toString value));
  };
}
