# From several definitions of one option to its value.
lib:
let
  inherit (builtins) concatMap filter foldl' map sort;

  # The definitions inside a definition's mkIf and mkMerge, however they are nested.
  discharge = loc: def:
    let
      value = def.value;
      inner = content: discharge loc (def // { value = content; });
    in
    if !(value ? _type) then [ def ]
    else if value._type == "if" then
      if value.condition == true then inner value.content
      else if value.condition == false then [ ]
      else lib.blame.condition (def.scope or lib.blame.nowhere) loc value.condition def
    else if value._type == "merge" then concatMap inner value.contents
    else if value._type == "definition" then [ (def // { inherit (value) value; } // lib.optionalAttrs (value ? file) { inherit (value) file; }) ]
    else [ def ];

  # One mkOverride around one mkOrder is taken off. Marks further inside are the value's: as in NixOS,
  # `mkForce (mkIf false x)` wins over other definitions, and is then of the wrong type for most options.
  weigh = def:
    let
      bare = if def.value._type or "" == "override" then def // { inherit (def.value) priority; value = def.value.content; } else def;
    in
    if bare.value._type or "" == "order" then bare // { order = bare.value.priority; value = bare.value.content; } else bare;

  priority = def: def.priority or lib.defaultOverridePriority;
  order = def: def.order or lib.defaultOrderPriority;
in
rec {
  # mergeDefinitions loc type definitions → { mergedValue, isDefined, optionalValue, defsFinal, highestPrio }
  mergeDefinitions = loc: type: defs:
    let
      weighed = map weigh (concatMap (discharge loc) defs);
      highestPrio = foldl' (least: def: lib.min least (priority def)) 9999 weighed;
      winners = filter (def: priority def == highestPrio) weighed;
      # builtins.sort is stable.
      defsFinal =
        if builtins.any (def: def ? order) winners then sort (a: b: order a < order b) winners else winners;
      wrong = filter (def: !type.check def.value) defsFinal;
      isDefined = defsFinal != [ ];
      mergedValue =
        if !isDefined then
          type.emptyValue.value or (lib.blame.undefinedOption (lib.blame.scopeOf defs) loc)
        else if wrong != [ ] then lib.blame.wrongType loc type wrong
        else type.merge loc defsFinal;
    in
    {
      inherit mergedValue isDefined defsFinal highestPrio;
      optionalValue = if isDefined then { value = mergedValue; } else { };
      defsFinal' = { inherit highestPrio; values = defsFinal; };
    };

  # The sets inside a definition of a set of options: [ { attrs, wrap, … } ], where `wrap` puts the
  # marks that stood around the set around each of its values. Conditions are not looked at, so that
  # they may depend on the configuration.
  pushDown = def:
    let
      go = wrap: value:
        let mark = value._type or null; in
        if mark == null then [ { inherit wrap; attrs = value; inherit def; } ]
        else if mark == "if" then go (content: wrap (lib.mkIf value.condition content)) value.content
        else if mark == "merge" then concatMap (go wrap) value.contents
        else if mark == "override" then go (content: wrap (lib.mkOverride value.priority content)) value.content
        else if mark == "order" then go (content: wrap (lib.mkOrder value.priority content)) value.content
        else [ { inherit wrap; attrs = value; inherit def; } ];
    in
    go (content: content) def.value;

  # { name = [ definition ]; } of the sets in `definitions`, which are known to be sets.
  byName = sets:
    builtins.zipAttrsWith (_: definitions: definitions) (map
      ({ attrs, wrap, def }: builtins.mapAttrs
        (name: value: {
          inherit (def) file;
          value = wrap value;
          # The position of the outermost known attribute is better than none.
          pos = let pos = builtins.unsafeGetAttrPos name attrs; in if pos == null then def.pos or null else pos;
          scope = def.scope or lib.blame.nowhere;
        })
        attrs)
      sets);
  # The same of definitions whose own marks are gone. What is still marked (`mkForce (mkIf …)`) is of the
  # wrong type, as for other options.
  attributesOf = loc: defs: byName (map
    (def:
      if builtins.elem (def.value._type or "") [ "if" "merge" "override" "order" ]
      then lib.blame.wrongType loc lib.types.attrs [ def ]
      else { attrs = def.value; wrap = content: content; inherit def; })
    defs);
}
