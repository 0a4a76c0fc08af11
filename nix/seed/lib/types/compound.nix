# Types made of types.
lib:
let
  inherit (builtins) all concatLists elemAt foldl' head isAttrs isList length mapAttrs removeAttrs tail;
  inherit (lib) mergeOneOption mergeUniqueOption;
  inherit (lib.merging) attributesOf mergeDefinitions;
  inherit (lib.types) alone mkOptionType;

  # In descriptions: "list of (string or signed integer)".
  nested = type:
    if builtins.elem type.name [ "either" "nullOr" "coercedTo" ] then "(${type.description})" else type.description;

  # `rebuild` makes the type anew around another element type, for declarations in two modules.
  around = name: element: rebuild: {
    inherit name;
    wrapped = element;
    payload.elemType = element;
    merged = other:
      let both = element.typeMerge other.wrapped.functor; in
      if both == null then null else rebuild both;
  };

  setOf = { lazy, placeholder ? "name" }: element: mkOptionType {
    name = if lazy then "lazyAttrsOf" else "attrsOf";
    description = "${if lazy then "lazy " else ""}attribute set of ${nested element}";
    check = isAttrs;
    merge = loc: defs:
      let
        merged = mapAttrs (name: mergeDefinitions (loc ++ [ name ]) element) (attributesOf loc defs);
        # mkIf false leaves nothing, which can be told only by looking at every condition: a lazy set
        # keeps the name and has the type's empty value there.
        undefined = builtins.filter (name: !merged.${name}.isDefined) (builtins.attrNames merged);
      in
      if lazy then mapAttrs (_: value: value.optionalValue.value or element.emptyValue.value or value.mergedValue) merged
      else mapAttrs (_: value: value.mergedValue) (removeAttrs merged undefined);
    emptyValue.value = { };
    getSubOptions = prefix: element.getSubOptions (prefix ++ [ "<${placeholder}>" ]);
    getSubModules = element.getSubModules;
    nestedTypes.elemType = element;
    functor = around (if lazy then "lazyAttrsOf" else "attrsOf") element (setOf { inherit lazy placeholder; });
  };
in
{
  listOf = element: mkOptionType {
    name = "listOf";
    description = "list of ${nested element}";
    check = isList;
    merge = loc: defs:
      concatLists (lib.imap1
        (n: def:
          concatLists (lib.imap1
            (m: value:
              let
                merged = mergeDefinitions (loc ++ [ "[definition ${toString n}-entry ${toString m}]" ]) element
                  [ { inherit (def) file; inherit value; pos = def.pos or null; scope = def.scope or lib.blame.nowhere; } ];
              in
              # An element that is mkIf false is left out.
              if merged.isDefined then [ merged.mergedValue ] else [ ])
            def.value))
        defs);
    emptyValue.value = [ ];
    getSubOptions = prefix: element.getSubOptions (prefix ++ [ "*" ]);
    getSubModules = element.getSubModules;
    nestedTypes.elemType = element;
    functor = around "listOf" element lib.types.listOf;
  };
  nonEmptyListOf = element:
    let list = lib.types.addCheck (lib.types.listOf element) (l: l != [ ]); in
    list // { description = "non-empty ${list.description}"; emptyValue = { }; };

  attrsOf = setOf { lazy = false; };
  lazyAttrsOf = setOf { lazy = true; };
  attrsWith = { elemType, lazy ? false, placeholder ? "name" }: setOf { inherit lazy placeholder; } elemType;

  nullOr = element: mkOptionType {
    name = "nullOr";
    description = "null or ${nested element}";
    check = value: value == null || element.check value;
    merge = loc: defs:
      let nulls = lib.count (def: def.value == null) defs; in
      if nulls == length defs then null
      else if nulls > 0 then lib.blame.conflict loc defs
      else element.merge loc defs;
    emptyValue.value = null;
    inherit (element) getSubOptions getSubModules;
    nestedTypes.elemType = element;
    functor = around "nullOr" element lib.types.nullOr;
  };

  either = a: b: mkOptionType {
    name = "either";
    description = "${nested a} or ${nested b}";
    check = value: a.check value || b.check value;
    merge = loc: defs:
      if all (def: a.check def.value) defs then a.merge loc defs
      else if all (def: b.check def.value) defs then b.merge loc defs
      else mergeOneOption loc defs;
    nestedTypes = { left = a; right = b; };
    functor = {
      name = "either"; wrapped = [ a b ]; payload.elemType = [ a b ];
      merged = other:
        let
          left = a.typeMerge (elemAt other.wrapped 0).functor;
          right = b.typeMerge (elemAt other.wrapped 1).functor;
        in
        if left == null || right == null then null else lib.types.either left right;
    };
  };
  oneOf = types:
    if types == [ ] then throw "nxc: types.oneOf wants at least one type"
    else foldl' lib.types.either (head types) (tail types);

  # Definitions of the type `from` go through `f`; others are of the type `to` already.
  coercedTo = from: f: to: mkOptionType {
    name = "coercedTo";
    description = "${nested to} or ${nested from} convertible to it";
    check = value: (from.check value && to.check (f value)) || to.check value;
    merge = loc: defs:
      to.merge loc (map (def: def // { value = if from.check def.value then f def.value else def.value; }) defs);
    inherit (to) emptyValue getSubOptions getSubModules;
    nestedTypes = { coercedType = from; finalType = to; };
  };

  uniq = lib.types.unique { message = ""; };
  unique = { message }: element: mkOptionType {
    name = "unique";
    inherit (element) description check emptyValue getSubOptions getSubModules;
    merge = mergeUniqueOption { inherit message; inherit (element) merge; };
    nestedTypes.elemType = element;
    functor = around "unique" element (lib.types.unique { inherit message; });
  };

  functionTo = element: mkOptionType {
    name = "functionTo";
    description = "function that evaluates to a(n) ${nested element}";
    check = lib.isFunction;
    merge = loc: defs:
      let
        call = argument: (mergeDefinitions (loc ++ [ "<function body>" ]) element
          (map (def: removeAttrs def [ "priority" "order" ] // { value = def.value argument; }) defs)).mergedValue;
      in
      lib.setFunctionArgs call (foldl' (all: def: all // lib.functionArgs def.value) { } defs);
    getSubOptions = prefix: element.getSubOptions (prefix ++ [ "<function body>" ]);
    nestedTypes.elemType = element;
    functor = around "functionTo" element lib.types.functionTo;
  };

  # Any value: sets are merged at every level, other values must be equal.
  anything = alone {
    name = "anything";
    description = "anything";
    check = _: true;
    merge = loc: defs:
      let
        kind = value: if isAttrs value && lib.isStringLike value then "package" else builtins.typeOf value;
        first = kind (head defs).value;
      in
      if !all (def: kind def.value == first) defs then lib.blame.conflict loc defs
      else if first == "set" then (lib.types.attrsOf lib.types.anything).merge loc defs
      else if first == "package" then mergeOneOption loc defs
      else if first == "lambda" then
        argument: lib.types.anything.merge (loc ++ [ "<function body>" ])
          (map (def: removeAttrs def [ "priority" "order" ] // { value = def.value argument; }) defs)
      else lib.mergeEqualOption loc defs;
  };

  # { <tag> = value }, with one tag of several.
  attrTag = tags: mkOptionType {
    name = "attrTag";
    description = "attribute-tagged union with one of ${lib.concatStringsSep ", " (builtins.attrNames tags)}";
    check = value: isAttrs value && length (builtins.attrNames value) == 1
      && tags ? ${head (builtins.attrNames value)};
    merge = loc: defs:
      let
        chosen = lib.unique (map (def: head (builtins.attrNames def.value)) defs);
        tag = head chosen;
      in
      if length chosen > 1 then lib.blame.conflict loc defs
      else { ${tag} = (mergeDefinitions (loc ++ [ tag ]) tags.${tag}.type (attributesOf loc defs).${tag}).mergedValue; };
  };
}
