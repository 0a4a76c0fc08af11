# Strings.
lib:
let
  inherit (builtins) concatStringsSep elemAt genList head isList isString length replaceStrings
    stringLength substring;
  lower = "abcdefghijklmnopqrstuvwxyz";
  upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
in
{
  inherit (builtins) concatStringsSep fromJSON toJSON hashString isString match replaceStrings split
    stringLength substring unsafeDiscardStringContext fromTOML;

  # Joining.
  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatImapStrings = f: list: concatStringsSep "" (lib.imap1 f list);
  concatImapStringsSep = separator: f: list: concatStringsSep separator (lib.imap1 f list);
  concatMapAttrsStringSep = separator: f: set: concatStringsSep separator (lib.mapAttrsToList f set);
  concatLines = lib.concatMapStrings (line: line + "\n");
  intersperse = separator: list:
    if length list < 2 then list
    else [ (head list) ] ++ builtins.concatMap (x: [ separator x ]) (builtins.tail list);
  join = concatStringsSep;
  optionalString = condition: string: if condition then string else "";
  replicate = n: string: concatStringsSep "" (genList (_: string) n);
  fixedWidthString = width: filler: string:
    let missing = width - stringLength string; in
    if missing < 0 then throw "strings.fixedWidthString: ${string} is longer than ${toString width}"
    else lib.strings.replicate missing filler + string;
  fixedWidthNumber = width: n: lib.fixedWidthString width "0" (toString n);

  # Taking apart.
  # `match` and `split` lose what store paths a string refers to: it is put back.
  addContextFrom = from: string: substring 0 0 from + string;
  splitString = separator: string:
    map (lib.addContextFrom "${string}")
      (builtins.filter isString (builtins.split (lib.escapeRegex (toString separator)) (toString string)));
  stringToCharacters = string: genList (i: substring i 1 string) (stringLength string);
  stringAsChars = f: string: lib.concatMapStrings f (lib.stringToCharacters string);
  hasPrefix = prefix: string: substring 0 (stringLength prefix) string == prefix;
  hasSuffix = suffix: string:
    let n = stringLength string; k = stringLength suffix; in
    n >= k && substring (n - k) n string == suffix;
  hasInfix = infix: string: builtins.match ".*${lib.escapeRegex infix}.*" "${string}" != null;
  removePrefix = prefix: string:
    if lib.strings.hasPrefix prefix string then substring (stringLength prefix) (-1) string else string;
  removeSuffix = suffix: string:
    if lib.hasSuffix suffix string then substring 0 (stringLength string - stringLength suffix) string else string;
  trim = lib.trimWith { start = true; end = true; };
  trimWith = { start ? false, end ? false }: string:
    let
      blank = "[ \t\r\n]*";
      body = if end then "(.*[^ \t\r\n])?${blank}" else "(.*)";
      found = builtins.match "${if start then blank else ""}${body}" string;
    in
    if found == null || head found == null then "" else lib.addContextFrom string (head found);

  # Letters.
  lowerChars = lib.stringToCharacters lower;
  upperChars = lib.stringToCharacters upper;
  toLower = replaceStrings lib.upperChars lib.lowerChars;
  toUpper = replaceStrings lib.lowerChars lib.upperChars;
  toSentenceCase = string: lib.toUpper (substring 0 1 string) + lib.toLower (substring 1 (-1) string);

  # Escaping.
  escape = characters: replaceStrings characters (map (c: "\\${c}") characters);
  escapeRegex = lib.escape (lib.stringToCharacters "\\[{()^$?*+|.");
  escapeNixString = string: lib.escape [ "$" ] (builtins.toJSON string);
  escapeXML = replaceStrings [ "\"" "'" "<" ">" "&" ] [ "&quot;" "&apos;" "&lt;" "&gt;" "&amp;" ];
  escapeC = characters:
    replaceStrings characters
      (map (c: "\\x${lib.fixedWidthString 2 "0" (lib.toLower (lib.toHexString (lib.charToInt c)))}") characters);
  escapeShellArg = x:
    let string = toString x; in
    if builtins.match "[[:alnum:],._+:@%/-]+" string != null then string
    else "'${replaceStrings [ "'" ] [ "'\\''" ] string}'";
  escapeShellArgs = lib.concatMapStringsSep " " lib.escapeShellArg;
  isValidPosixName = name: builtins.match "[a-zA-Z_][a-zA-Z0-9_]*" name != null;
  toShellVar = name: value:
    assert lib.assertMsg (lib.isValidPosixName name) "toShellVar: ${name} is not a valid shell variable name";
    if builtins.isAttrs value && !lib.isStringLike value then
      "declare -A ${name}=(${concatStringsSep " " (lib.mapAttrsToList (n: v: "[${lib.escapeShellArg n}]=${lib.escapeShellArg v}") value)})"
    else if isList value then "declare -a ${name}=(${lib.escapeShellArgs value})"
    else "${name}=${lib.escapeShellArg value}";
  toShellVars = vars: concatStringsSep "\n" (lib.mapAttrsToList lib.toShellVar vars);
  sanitizeDerivationName = string:
    let
      safe = lib.concatMapStrings (part: if isList part then "-" else part)
        (builtins.split "[^[:alnum:]+._?=-]+" (lib.removePrefix "." (builtins.unsafeDiscardStringContext string)));
    in
    if safe == "" then "unknown" else substring (lib.max (stringLength safe - 207) 0) (-1) safe;

  # Numbers.
  charToInt = c: lib.findFirstIndex (x: x == c) (throw "strings.charToInt: not an ASCII character") lib.strings.asciiTable;
  asciiTable =
    # Character 0 cannot stand in a string; the others are JSON's to decode.
    [ null ] ++ genList
      (i: builtins.fromJSON "\"\\u00${lib.fixedWidthString 2 "0" (lib.toHexString (i + 1))}\"") 127;
  toInt = string:
    let found = builtins.match "[[:space:]]*(-?[1-9][0-9]*|-?0)[[:space:]]*" string; in
    if found != null then builtins.fromJSON (head found)
    else if builtins.match "[[:space:]]*-?0[0-9]+[[:space:]]*" string != null
    then throw "toInt: ${builtins.toJSON string}: octal or decimal? Use lib.toIntBase10 to leave leading zeros out"
    else throw "toInt: ${builtins.toJSON string} is not a number";
  toIntBase10 = string:
    let found = builtins.match "[[:space:]]*(-?)0*([0-9]+)[[:space:]]*" string; in
    if found == null then throw "toIntBase10: ${builtins.toJSON string} is not a number"
    else builtins.fromJSON (head found + elemAt found 1);
  floatToString = float: toString float;

  isStorePath = x:
    lib.isStringLike x
    && builtins.match "${lib.escapeRegex builtins.storeDir}/[^/]+" (toString x) != null;
  isConvertibleWithToString = x:
    lib.isStringLike x || x == null || builtins.isInt x || builtins.isFloat x || builtins.isBool x
    || (isList x && builtins.all lib.isConvertibleWithToString x);
  normalizePath = string: replaceStrings [ "//" ] [ "/" ] string;
  nameFromURL = url: separator:
    head (lib.splitString separator (lib.last (lib.splitString "/" url)));
  cmakeBool = name: value: "-D${name}:BOOL=${if value then "TRUE" else "FALSE"}";
  enableFeature = flag: feature: "--${if flag then "enable" else "disable"}-${feature}";
  withFeature = flag: feature: "--${if flag then "with" else "without"}-${feature}";

  # The number of insertions, deletions and replacements that make `b` of `a`.
  levenshtein = a: b:
    let
      bs = lib.stringToCharacters b;
      width = length bs;
      next = row: letter:
        builtins.foldl'
          (new: j: new ++ [
            (lib.min (lib.min (elemAt new j + 1) (elemAt row (j + 1) + 1))
              (elemAt row j + (if elemAt bs j == letter then 0 else 1)))
          ])
          [ (head row + 1) ]
          (genList (j: j) width);
    in
    lib.last (builtins.foldl' next (genList (j: j) (width + 1)) (lib.stringToCharacters a));
  levenshteinAtMost = limit: a: b: lib.levenshtein a b <= limit;
}
