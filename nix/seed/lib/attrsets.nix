# Attribute sets.
lib:
let
  inherit (builtins) attrNames elemAt foldl' hasAttr head isAttrs length listToAttrs mapAttrs tail;
in
{
  inherit (builtins) attrNames attrValues catAttrs getAttr hasAttr intersectAttrs isAttrs listToAttrs
    mapAttrs removeAttrs zipAttrsWith;

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
  genAttrs' = names: f: listToAttrs (map f names);
  optionalAttrs = condition: set: if condition then set else { };
  filterAttrs = keep: set: removeAttrs set (builtins.filter (name: !keep name set.${name}) (attrNames set));
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
  concatMapAttrs = f: set: foldl' (all: name: all // f name set.${name}) { } (attrNames set);
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  attrsToList = lib.mapAttrsToList lib.nameValuePair;
  filterAttrsRecursive = keep: set:
    mapAttrs (_: value: if isAttrs value then lib.filterAttrsRecursive keep value else value)
      (lib.filterAttrs keep set);
  mapAttrsRecursive = f: lib.mapAttrsRecursiveCond (_: true) f;
  mapAttrsRecursiveCond = descend: f:
    let
      go = path: mapAttrs (name: value:
        if isAttrs value && descend value then go (path ++ [ name ]) value else f (path ++ [ name ]) value);
    in
    go [ ];
  mapAttrsToListRecursive = f: lib.mapAttrsToListRecursiveCond (_: _: true) f;
  mapAttrsToListRecursiveCond = descend: f: set:
    let
      go = path: value:
        if isAttrs value && descend path value
        then builtins.concatMap (name: go (path ++ [ name ]) value.${name}) (attrNames value)
        else [ (f path value) ];
    in
    go [ ] set;
  foldlAttrs = f: nul: set: foldl' (acc: name: f acc name set.${name}) nul (attrNames set);
  foldAttrs = op: nul: sets:
    mapAttrs (_: lib.foldr op nul) (builtins.zipAttrsWith (_: values: values) sets);
  collect = wanted: value:
    if wanted value then [ value ]
    else if isAttrs value then builtins.concatMap (lib.collect wanted) (builtins.attrValues value)
    else [ ];
  zipAttrs = builtins.zipAttrsWith (_: values: values);
  zipAttrsWithNames = names: f: sets:
    lib.genAttrs names (name: f name (builtins.catAttrs name sets));
  mergeAttrsList = foldl' (a: b: a // b) { };
  getAttrs = names: set: lib.genAttrs names (name: set.${name});
  attrVals = names: set: map (name: set.${name}) names;
  unionOfDisjoint = a: b:
    let both = attrNames (builtins.intersectAttrs a b); in
    if both == [ ] then a // b
    else throw "attrsets.unionOfDisjoint: both sets have ${lib.concatStringsSep ", " both}";
  renameAttrs' = f: lib.mapAttrs' (name: value: { name = f name; inherit value; });

  # Paths: lists of names.
  attrByPath = path: default: set:
    if path == [ ] then set
    else if isAttrs set && hasAttr (head path) set then lib.attrByPath (tail path) default set.${head path}
    else default;
  hasAttrByPath = path: set:
    path == [ ] || (isAttrs set && hasAttr (head path) set && lib.hasAttrByPath (tail path) set.${head path});
  getAttrFromPath = path: set:
    if lib.hasAttrByPath path set then lib.attrByPath path null set
    else throw "cannot find the attribute `${lib.concatStringsSep "." path}'";
  setAttrByPath = path: value:
    lib.foldr (name: inner: { ${name} = inner; }) value path;
  longestValidPathPrefix = path: set:
    lib.findFirst (prefix: lib.hasAttrByPath prefix set) [ ]
      (lib.reverseList (lib.genList (n: lib.take (n + 1) path) (length path)));
  updateManyAttrsByPath = updates: set:
    foldl'
      (set: { path, update }:
        if path == [ ] then update set
        else set // {
          ${head path} = lib.updateManyAttrsByPath [ { path = tail path; inherit update; } ]
            (set.${head path} or { });
        })
      set
      updates;

  recursiveUpdateUntil = stop: a: b:
    let
      go = path: builtins.zipAttrsWith (name: values:
        let here = path ++ [ name ]; in
        if length values == 1 || stop here (elemAt values 1) (head values) then head values
        else go here values);
    in
    go [ ] [ b a ];
  recursiveUpdate = lib.recursiveUpdateUntil (_: a: b: !(isAttrs a && isAttrs b));
  overrideExisting = old: new: mapAttrs (name: value: new.${name} or value) old;
  matchAttrs = pattern: set:
    isAttrs pattern && isAttrs set
    && builtins.all
      (name: hasAttr name set && (
        if isAttrs pattern.${name} then isAttrs set.${name} && lib.matchAttrs pattern.${name} set.${name}
        else pattern.${name} == set.${name}))
      (attrNames pattern);

  isDerivation = value: value.type or null == "derivation";
  toDerivation = path:
    let
      stored = builtins.storePath path;
      self = {
        type = "derivation";
        name = lib.sanitizeDerivationName (builtins.substring 33 (-1) (baseNameOf stored));
        outPath = stored;
        outputs = [ "out" ];
        outputName = "out";
        out = self;
      };
    in
    self;
  recurseIntoAttrs = set: set // { recurseForDerivations = true; };
  dontRecurseIntoAttrs = set: set // { recurseForDerivations = false; };

  # Outputs of packages. The seed's packages have one output, `out`.
  getOutput = output: package:
    if package ? outputSpecified && package.outputSpecified then package
    else package.${output} or package.out or package;
  getBin = lib.getOutput "bin";
  getLib = lib.getOutput "lib";
  getDev = lib.getOutput "dev";
  getMan = lib.getOutput "man";
  makeSearchPath = subDir: packages:
    lib.concatMapStringsSep ":" (package: "${package}/${subDir}") (builtins.filter (p: p != null) packages);
  makeSearchPathOutput = output: subDir: packages: lib.makeSearchPath subDir (map (lib.getOutput output) packages);
  makeLibraryPath = lib.makeSearchPathOutput "lib" "lib";
  makeBinPath = lib.makeSearchPathOutput "bin" "bin";
}
