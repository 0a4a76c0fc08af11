# Lists.
lib:
let
  inherit (builtins) elem elemAt filter foldl' genList head length tail;
in
{
  inherit (builtins) all any concatLists concatMap elem elemAt filter foldl' genList head isList length
    map partition sort tail groupBy;

  singleton = x: [ x ];
  toList = x: if builtins.isList x then x else [ x ];
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: list: if condition then list else [ ];
  forEach = list: f: map f list;
  foldr = f: nul: list:
    let
      n = length list;
      go = i: if i == n then nul else f (elemAt list i) (go (i + 1));
    in
    go 0;
  fold = lib.foldr;
  foldl = f: nul: list:
    let go = i: if i < 0 then nul else f (go (i - 1)) (elemAt list i);
    in go (length list - 1);
  imap0 = f: list: genList (i: f i (elemAt list i)) (length list);
  imap1 = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);
  ifilter0 = keep: list:
    map (elemAt list) (filter (i: keep i (elemAt list i)) (genList (i: i) (length list)));
  flatten = x: if builtins.isList x then builtins.concatMap lib.flatten x else [ x ];
  remove = x: filter (y: y != x);
  findFirst = holds: default: list:
    let
      n = length list;
      go = i: if i == n then default else if holds (elemAt list i) then elemAt list i else go (i + 1);
    in
    go 0;
  findSingle = holds: none: many: list:
    let found = filter holds list; in
    if found == [ ] then none else if length found > 1 then many else head found;
  findFirstIndex = holds: default: list:
    let
      n = length list;
      go = i: if i == n then default else if holds (elemAt list i) then i else go (i + 1);
    in
    go 0;
  count = holds: list: length (filter holds list);
  range = first: last: if first > last then [ ] else genList (i: first + i) (last - first + 1);
  replicate = n: x: genList (_: x) n;
  reverseList = list: let n = length list; in genList (i: elemAt list (n - 1 - i)) n;
  last = list: assert lib.assertMsg (list != [ ]) "lists.last: the list is empty"; elemAt list (length list - 1);
  init = list: assert lib.assertMsg (list != [ ]) "lists.init: the list is empty"; lib.take (length list - 1) list;
  take = n: lib.sublist 0 n;
  drop = n: list: lib.sublist n (length list) list;
  takeEnd = n: list: lib.drop (lib.max 0 (length list - n)) list;
  dropEnd = n: list: lib.take (lib.max 0 (length list - n)) list;
  sublist = start: count: list:
    let n = length list; in
    genList (i: elemAt list (start + i))
      (if start >= n then 0 else if start + count > n then n - start else count);
  hasPrefix = prefix: list: lib.take (length prefix) list == prefix;
  commonPrefix = a: b:
    let
      shorter = lib.min (length a) (length b);
      go = i: if i < shorter && elemAt a i == elemAt b i then go (i + 1) else i;
    in
    lib.take (go 0) a;
  zipListsWith = f: a: b: genList (i: f (elemAt a i) (elemAt b i)) (lib.min (length a) (length b));
  zipLists = lib.zipListsWith (fst: snd: { inherit fst snd; });
  crossLists = f: foldl' (fs: args: builtins.concatMap (f: map f args) fs) [ f ];
  cartesianProduct = sets:
    foldl' (rows: name: builtins.concatMap (row: map (x: row // { ${name} = x; }) sets.${name}) rows)
      [ { } ]
      (builtins.attrNames sets);
  mapCartesianProduct = f: sets: map f (lib.cartesianProduct sets);
  # Keeps the first of equal elements. Strings without context, the usual case, go through a set.
  unique = list:
    if builtins.all (x: builtins.isString x && !builtins.hasContext x) list
    then
      let first = builtins.listToAttrs (lib.imap0 (i: name: { inherit name; value = i; }) list);
      in lib.ifilter0 (i: name: first.${name} == i) list
    else foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ] list;
  uniqueStrings = list: builtins.attrNames (lib.genAttrs list (_: null));
  allUnique = list: length (lib.unique list) == length list;
  intersectLists = wanted: filter (x: elem x wanted);
  subtractLists = unwanted: filter (x: !elem x unwanted);
  mutuallyExclusive = a: b: !builtins.any (x: elem x b) a;
  sortOn = key: list:
    map (pair: elemAt pair 1)
      (builtins.sort (a: b: head a < head b) (map (x: [ (key x) x ]) list));
  naturalSort = list:
    let
      key = s: map (part: if builtins.isList part then lib.toIntBase10 (head part) else part)
        (builtins.split "([0-9]+)" s);
    in
    map (pair: elemAt pair 1)
      (builtins.sort (a: b: lib.compareLists lib.compareParts (head a) (head b) < 0) (map (s: [ (key s) s ]) list));
  # Numbers sort before text, so that parts of either kind can be compared.
  compareParts = a: b:
    if builtins.isInt a == builtins.isInt b then lib.compare a b else if builtins.isInt a then -1 else 1;
  compareLists = compare: a: b:
    if a == [ ] then (if b == [ ] then 0 else -1)
    else if b == [ ] then 1
    else
      let order = compare (head a) (head b); in
      if order == 0 then lib.compareLists compare (tail a) (tail b) else order;
  groupBy' = op: nul: key: list: builtins.mapAttrs (_: foldl' op nul) (builtins.groupBy key list);
}
