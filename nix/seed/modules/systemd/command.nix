# A command line of a unit (systemd.service(5), "COMMAND LINES") as shell commands.
#
#   { what, specifiers } line → [ { command, sh, ignoreFailure, privileged } ]
#
# Words are split and unquoted as systemd does, and quoted for sh. `${X}` anywhere and `$X` as a word
# of its own stand for variables, the latter for several words; `$$` is a dollar; nothing else that is
# special to a shell is special here. `%` names what `specifiers` has.
lib: { what, specifiers }: line:
let
  inherit (builtins) elemAt head isList isString match split;
  inherit (lib) concatMapStrings concatStringsSep replaceStrings;
  fail = message: throw "nxc: ${what}: ${message}, in the command ${builtins.toJSON (builtins.unsafeDiscardStringContext line)}";
  keep = lib.addContextFrom line;

  flagged = match "([-@:+!|]*)[[:space:]]*(.*)" (replaceStrings [ "\\\n" ] [ " " ] line);
  flags = head flagged;
  has = flag: lib.hasInfix flag flags;

  # Tokens: [ text ] for something quoted or escaped, null for blanks, strings for what stands plain.
  tokens = map
    (token:
      if isString token then token
      else
        let
          double = elemAt token 1;
          single = elemAt token 3;
          escaped = elemAt token 5;
        in
        if double != null then [ (unescape double) ]
        else if single != null then [ (unescape single) ]
        else if escaped != null then [ (unescape "\\${escaped}") ]
        else null)
    (split "(\"(([^\"\\\\]|\\\\.)*)\"|'(([^'\\\\]|\\\\.)*)'|\\\\(.)|[[:space:]]+)" (elemAt flagged 1));
  unescape = text:
    concatMapStrings
      (part:
        if isString part then part
        else
          let c = head part; in
          escapes.${c} or (if builtins.elem c [ "\\" "\"" "'" " " "$" ";" ] then c else "\\${c}"))
      (split "\\\\(.)" text);
  escapes = { n = "\n"; t = "\t"; s = " "; r = "\r"; };

  # Words: lists of pieces between blanks.
  words = lib.filter (word: word != [ ]) (
    let
      folded = lib.foldl'
        ({ done, word }: token:
          if token == null then { done = done ++ [ word ]; word = [ ]; }
          else if token == "" then { inherit done word; }
          else { inherit done; word = word ++ [ (if isList token then head token else token) ]; })
        { done = [ ]; word = [ ]; }
        tokens;
    in
    folded.done ++ [ folded.word ]);
  texts = map (word: expand (concatStringsSep "" word)) words;

  expand = text: concatMapStrings
    (part:
      if isString part then part
      else if head part == "%" then "%"
      else specifiers.${head part} or (fail "the specifier %${head part} is not known to the seed"))
    (split "%(.)" text);

  variable = "[a-zA-Z_][a-zA-Z0-9_]*";
  shWord = text:
    let alone = match "[$](${variable})" text; in
    if has ":" then quote text
    else if alone != null then "\${${head alone}-}"
    else
      let parts = split "([$][$]|[$][{](${variable})[}])" text; in
      if builtins.length parts == 1 then quote text
      else concatMapStrings
        (part:
          if isString part then (if part == "" then "" else quote part)
          else if head part == "$$" then "'$'"
          else "\"\${${elemAt part 1}-}\"")
        parts;
  quote = text: lib.escapeShellArg text;

  # Commands are separated by a word that is a semicolon.
  commands = (lib.foldl'
    ({ done, now }: text: if text == ";" then { done = done ++ [ now ]; now = [ ]; } else { inherit done; now = now ++ [ text ]; })
    { done = [ ]; now = [ ]; }
    (texts ++ [ ";" ])).done;
  # With "@" the second word is what the program sees as its name; the run time lets it go.
  argv = words: if has "@" && builtins.length words > 1 then [ (head words) ] ++ lib.drop 2 words else words;
in
map
  (words: {
    command = keep (concatStringsSep " " words);
    sh = keep (concatMapStrings (text: if text == "" then "''" else text) [ (concatStringsSep " " (map shWord (argv words))) ]);
    ignoreFailure = has "-";
    privileged = has "+" || has "!";
  })
  (lib.filter (words: words != [ ]) commands)
