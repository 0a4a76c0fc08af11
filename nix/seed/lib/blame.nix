# What errors say: which role and option, what is wrong, where it stands, and what to do.
#
# A definition is `{ file, value, pos ? null, scope ? nowhere }`: `pos` is Nix's own position of the
# attribute, `scope` says whose options these are. Every message begins with "nxc: " and the role.
lib:
let
  inherit (lib) concatMapStringsSep concatStringsSep;

  nowhere = { role = ""; hint = _: null; };
  # A path for readers: the place in a list, which NixOS shows as [definition 1-entry 2], in words.
  showOption = loc:
    let
      element = part: let found = builtins.match "\\[definition [0-9]+-entry ([0-9]+)]" part; in if found == null then null else builtins.head found;
      word = part: if element part == null then part else "<element ${element part}>";
      final = if loc == [ ] then null else element (lib.last loc);
    in
    if final == null then lib.showOption (map word loc)
    else "element ${final} of ${showOption (lib.init loc)}";

  scopeOf = defs: if defs == [ ] then nowhere else (builtins.head defs).scope or nowhere;
  say = scope: message: throw "nxc: ${lib.optionalString (scope.role != "") "role \"${scope.role}\": "}${message}";

  # /nix/store/<hash>-source/a/b.nix, wherever the store is, is a/b.nix to its author.
  readable = file:
    let found = builtins.match ".*/nix/store/[a-z0-9]{32}-([^/]+)(/(.*))?" (toString file); in
    if found == null then toString file
    else if builtins.elemAt found 2 == null then builtins.elemAt found 0
    else builtins.elemAt found 2;
  position = pos: "${readable pos.file}:${toString pos.line}:${toString pos.column}";
  place = def:
    if def.pos or null != null then position def.pos
    else if def.file or "" == "" then "place unknown"
    else readable def.file;

  kinds = {
    set = "a set"; list = "a list"; string = "the string"; int = "the number"; float = "the number";
    bool = "the boolean"; null = "null"; lambda = "a function"; path = "the path";
  };
  brief = limit: text:
    if builtins.stringLength text <= limit then text else "${builtins.substring 0 limit text}…";
  shown = value:
    let
      type = builtins.typeOf value;
      full = builtins.unsafeDiscardStringContext (lib.generators.toPretty { multiline = false; } value);
    in
    if lib.isDerivation value then "the package ${value.name or "?"}"
    else if type == "set" && value ? _type then "a marked value (${value._type})"
    else if type == "set" then
      if value == { } then "an empty set"
      else "a set with ${brief 60 (concatStringsSep ", " (builtins.attrNames value))}"
    else if type == "list" then
      if value == [ ] then "an empty list" else "a list whose first element is ${shown (builtins.head value)}"
    else if type == "null" || type == "lambda" then kinds.${type}
    else "${kinds.${type}} ${brief 80 full}";

  # What to write instead, for the mistakes that people make.
  advice = type: value:
    let
      found = builtins.typeOf value;
      wants = word: builtins.match "(.* )?${word}([ ,;].*)?" type.description != null;
      inner = type.nestedTypes.elemType or null;
      isText = builtins.match "(str|separatedString|singleLineStr|nonEmptyStr|strMatching.*)" type.name != null;
    in
    if type.name == "nullOr" then advice inner value
    else if isText && found == "list" then
      "; it is one string, not a list: write the lines between '' and '', or lib.concatStringsSep \"${if type.name == "separatedString" then builtins.replaceStrings [ "\n" ] [ "\\n" ] (type.separator or " ") else " "}\" [ … ]"
    else if isText && (found == "int" || found == "float") then "; write it in quotes: \"${toString value}\""
    else if type.name == "bool" && found == "string" && builtins.elem value [ "true" "false" ] then "; write ${value} without quotes"
    else if found == "string" && builtins.match "-?[0-9]+" value != null && wants "integer" then "; write ${value} without quotes"
    else if type.name == "listOf" && (found == "string" || lib.isDerivation value) then "; a list is written [ … ], also with one element"
    else "";

  nearest = name: candidates:
    let
      # A pair of letters in the wrong order counts two.
      limit = if builtins.stringLength name < 4 then 1 else lib.max 2 (builtins.stringLength name / 3);
      near = n: builtins.stringLength n - builtins.stringLength name <= limit
        && builtins.stringLength name - builtins.stringLength n <= limit;
      scored = map (n: { inherit n; d = if lib.toLower n == lib.toLower name then 0 else lib.levenshtein name n; })
        (builtins.filter near candidates);
      good = builtins.sort (a: b: a.d < b.d) (builtins.filter (c: c.d <= limit) scored);
    in
    if good == [ ] then null else (builtins.head good).n;

  # Paths of all options below a tree, as lists of names, without going into submodules.
  paths = prefix: tree:
    builtins.concatMap
      (name:
        if name == "_module" then [ ]
        else if lib.isOption tree.${name} then (if tree.${name}.internal or false then [ ] else [ (prefix ++ [ name ]) ])
        else paths (prefix ++ [ name ]) tree.${name})
      (builtins.attrNames tree);
in
{
  inherit nowhere scopeOf say readable place shown nearest;
  places = defs: concatMapStringsSep "" (def: "\n- ${shown def.value} (${place def})") defs;

  # unmatched: [ { loc, def, siblings } ]; options: the tree of all that are declared.
  unknownOptions = scope: prefix: options: unmatched:
    let
      depth = builtins.length prefix;
      one = { loc, def, siblings }:
        let
          name = lib.last loc;
          known = concatStringsSep ", " (lib.remove "_module" siblings);
          sibling = nearest name siblings;
          elsewhere = builtins.filter (path: lib.last path == name) (paths [ ] options);
          hint = scope.hint loc;
          suggestion =
            if hint != null then hint
            else if sibling != null then "did you mean ${showOption (lib.init loc ++ [ sibling ])}?"
            else if elsewhere != [ ] then
              "did you mean ${concatMapStringsSep " or " showOption (lib.take 3 (map (path: prefix ++ path) elsewhere))}?"
            else if builtins.length loc == depth + 1 then
              "${if depth == 0 then "there are" else "${showOption prefix} has"} ${brief 200 known}"
            else "${showOption (lib.init loc)} has ${brief 200 known}";
        in
        "the option ${showOption loc} does not exist; ${suggestion} (${place def})";
      shownOnes = lib.take 10 unmatched;
      more = builtins.length unmatched - builtins.length shownOnes;
    in
    say scope (concatMapStringsSep "\n     also: " one shownOnes
      + lib.optionalString (more > 0) "\n     and ${toString more} more");

  wrongType = loc: type: defs:
    let one = def: "${shown def.value} (${place def})${advice type def.value}"; in
    say (scopeOf defs) "${showOption loc} must be a value of type ${brief 300 type.description}; found ${concatMapStringsSep "; and " one defs}";

  conflict = loc: defs:
    say (scopeOf defs) "${showOption loc} has conflicting definitions:${lib.blame.places defs}\nKeep one, or mark the one that is to win with lib.mkForce.";
  notUnique = message: loc: defs:
    say (scopeOf defs) "${showOption loc} is defined more than once, but can have one definition only${lib.optionalString (message != "") " (${message})"}:${lib.blame.places defs}";
  undefinedOption = scope: loc:
    say scope "${showOption loc} is used but has no value: it has no default and nothing defines it";
  readOnly = scope: loc: defs:
    say scope "${showOption loc} is read-only, but is set more than once:${lib.blame.places defs}";
  notASet = scope: loc: siblings: def:
    say scope "${if loc == [ ] then "the configuration" else showOption loc} is a set of options (${brief 120 (concatStringsSep ", " siblings)}), but ${shown def.value} is given (${place def})";
  condition = scope: loc: found: def:
    say scope "${showOption loc}: the condition of a mkIf must be a boolean; found ${shown found} (${place def})";

  # Every option of an evaluated tree, those of submodules too, for documentation.
  listOptions = tree:
    builtins.concatMap
      (name:
        let
          here = tree.${name};
          show = value: if value._type or "" != "" then lib.options.textOf value else lib.generators.toPretty { } value;
        in
        if name == "_module" then [ ]
        else if !lib.isOption here then lib.blame.listOptions here
        else [
          ({
            inherit (here) loc declarations;
            name = lib.showOption here.loc;
            description = lib.options.textOf (here.description or "");
            type = here.type.description;
            internal = here.internal or false;
            visible = here.visible or true;
            readOnly = here.readOnly or false;
          } // lib.optionalAttrs (here ? default || here ? defaultText) {
            default = show (here.defaultText or here.default);
          } // lib.optionalAttrs (here ? example) { example = show here.example; })
        ] ++ lib.optionals (here.visible or true == true) (lib.blame.listOptions (here.type.getSubOptions here.loc)))
      (builtins.attrNames tree);
}
