# Names: which are allowed, which one was probably meant, and where in the source something was written.
let
  inherit (builtins)
    attrNames concatStringsSep elemAt filter foldl' genList head isString match sort stringLength substring
    unsafeGetAttrPos;

  min = a: b: if a < b then a else b;

  # Levenshtein's distance; names are short, so the plain table, one row at a time, is quick enough.
  distance = a: b:
    let
      width = stringLength b;
      nextRow = row: i:
        foldl'
          (done: j:
            let
              substitution = elemAt row (j - 1) + (if substring (i - 1) 1 a == substring (j - 1) 1 b then 0 else 1);
              indel = 1 + min (elemAt row j) (elemAt done (j - 1));
            in
            done ++ [ (min substitution indel) ])
          [ i ]
          (genList (j: j + 1) width);
      rows = foldl' nextRow (genList (j: j) (width + 1)) (genList (i: i + 1) (stringLength a));
    in
    elemAt rows width;
in
rec {
  # RFC 1123 label, short enough for a number to follow ("agent123"): the pattern of Deployment.spec.roles[].name.
  isRoleName = name: stringLength name <= 59 && match "[a-z0-9]([-a-z0-9]*[a-z0-9])?" name != null;
  isHostName = name: stringLength name <= 63 && match "[a-z0-9]([-a-z0-9]*[a-z0-9])?" name != null;

  # The known name that is nearest to `name`, or null where none is near enough to be a slip of the pen.
  nearest = name: known:
    let
      limit = if stringLength name < 4 then 1 else if stringLength name < 9 then 2 else 3;
      near = filter (k: k.d <= limit) (map (k: { inherit k; d = distance name k; }) known);
    in
    if near == [ ] then null else (head (sort (a: b: a.d < b.d) near)).k;

  didYouMean = name: known:
    let near = nearest name known; in if near == null then "" else "; did you mean `${near}`?";

  list = names: if names == [ ] then "none" else concatStringsSep ", " names;

  # "a string", "a list", …: for messages.
  kindOf = value:
    {
      null = "null"; bool = "a boolean"; int = "an integer"; float = "a number"; string = "a string"; path = "a path";
      list = "a list"; set = "an attribute set"; lambda = "a function";
    }.${builtins.typeOf value};

  # " (composition.nix:7:9)", or nothing where Nix does not know. `root` is the source, a store path.
  at = root: name: set:
    let
      position = unsafeGetAttrPos name set;
      prefix = stringLength (toString root) + 1;
      file =
        if substring 0 prefix position.file == "${toString root}/"
        then substring prefix (stringLength position.file) position.file
        else position.file;
    in
    if position == null || ! isString position.file then ""
    else " (${file}:${toString position.line}:${toString position.column})";

  # Says the first name in `set` that is not one of `known`.
  unknown = known: set: filter (name: ! (builtins.elem name known)) (attrNames set);
}
