# Options whose values have options.
{ lib, types, mkOption, mkIf, mkMerge, mkDefault, mkForce, mkBefore, eval, options, merge, fails, ... }:
let
  int = default: mkOption { type = types.int; inherit default; };
  point = types.submodule { options = { x = int 0; y = int 0; }; };
  named = types.submodule ({ name, ... }: { options.name = mkOption { type = types.str; default = name; }; options.n = int 0; });
in
[
  {
    rule = "definitions of a submodule are merged option by option";
    nixos = "the same";
    expr = merge point [ { x = 1; } { y = 2; } ];
    expect = { x = 1; y = 2; };
  }
  {
    rule = "an unknown option in a submodule is an error";
    nixos = "the same";
    expr = fails (merge point [ { z = 1; } ]);
    expect = true;
  }
  {
    rule = "`name` is the attribute that it stands at";
    nixos = "the same";
    expr = merge (types.attrsOf named) [ { a = { }; b.n = 1; } { b.name = "c"; } ];
    expect = { a = { name = "a"; n = 0; }; b = { name = "c"; n = 1; }; };
  }
  {
    rule = "a submodule of a list is called after its place";
    nixos = "the same";
    expr = map (v: v.name) (merge (types.listOf named) [ [ { } { } ] [ { } ] ]);
    expect = [ "[definition 1-entry 1]" "[definition 2-entry 1]" "[definition 2-entry 2]" ];
  }
  {
    rule = "definitions may be functions, with config and name";
    nixos = "the same";
    expr = merge (types.attrsOf named) [ { a = { name, config, ... }: { n = builtins.stringLength name + 1; }; } ];
    expect = { a = { name = "a"; n = 2; }; };
  }
  {
    rule = "with submodule, a set is configuration, also where it is called config or options";
    nixos = "the same (shorthandOnlyDefinesConfig)";
    expr = merge (types.submodule { options.config = int 0; options.imports = int 0; }) [ { config = 1; imports = 2; } ];
    expect = { config = 1; imports = 2; };
  }
  {
    rule = "with submoduleWith, a set is a module";
    nixos = "the same";
    expr = merge (types.submoduleWith { modules = [ { options.x = int 0; } ]; }) [ { config.x = 1; } { imports = [ { options.y = int 5; } ]; } ];
    expect = { x = 1; y = 5; };
  }
  {
    rule = "submoduleWith has specialArgs";
    nixos = "the same";
    expr = merge (types.submoduleWith { modules = [ ({ k, ... }: { options.x = int k; }) ]; specialArgs.k = 3; }) [ { } ];
    expect = { x = 3; };
  }
  {
    rule = "in a submodule, the earlier module's lists come first";
    nixos = "the same: definitions are turned round on each level";
    expr = merge (types.attrsOf (types.submodule { options.l = mkOption { type = types.listOf types.int; }; })) [ { a.l = [ 1 ]; } { a.l = [ 2 ]; } ];
    expect = { a.l = [ 1 2 ]; };
  }
  {
    rule = "conditions and priorities inside and around";
    nixos = "the same";
    expr = merge (types.attrsOf point) [
      { a = mkIf true { x = mkForce 1; }; b = mkIf false { x = 1; }; }
      (mkIf true { a = { x = 2; y = mkDefault 7; }; })
      { a.y = mkIf false 9; }
    ];
    expect = { a = { x = 1; y = 7; }; };
  }
  {
    rule = "mkForce around one whole submodule lets the others' definitions go";
    nixos = "the same";
    expr = merge (types.attrsOf point) [ { a.x = 1; } { a = mkForce { y = 2; }; } ];
    expect = { a = { x = 0; y = 2; }; };
  }
  {
    rule = "freeformType in a submodule";
    nixos = "the same";
    expr = merge (types.submodule { freeformType = types.attrsOf types.int; options.x = int 1; }) [ { y = 2; } { z = 3; } ];
    expect = { x = 1; y = 2; z = 3; };
  }
  {
    rule = "a submodule without definitions is one of defaults";
    nixos = "the same";
    expr = [
      (eval [ { options.p = mkOption { type = point; }; } ]).p
      (eval [ { options.p = mkOption { type = point; default = { }; }; } ]).p
    ];
    expect = [ { x = 0; y = 0; } { x = 0; y = 0; } ];
  }
  {
    rule = "a default of an attrsOf submodule goes where there is a definition";
    nixos = "the same";
    expr = (eval [ { options.p = mkOption { type = types.attrsOf point; default = { a.x = 1; }; }; } { p.b.x = 2; } ]).p;
    expect = { b = { x = 2; y = 0; }; };
  }
  {
    rule = "nullOr submodule";
    nixos = "the same";
    expr = [ (merge (types.nullOr point) [ null ]) (merge (types.nullOr point) [ { x = 1; } { y = 1; } ]) ];
    expect = [ null { x = 1; y = 1; } ];
  }
  {
    rule = "coercedTo a submodule";
    nixos = "the same";
    expr = merge (types.listOf (types.coercedTo types.int (x: { inherit x; }) point)) [ [ 3 { y = 1; } ] ];
    expect = [ { x = 3; y = 0; } { x = 0; y = 1; } ];
  }
  {
    rule = "one submodule option declared in two modules has the options of both";
    nixos = "the same";
    expr = (eval [
      { options.p = mkOption { type = types.attrsOf (types.submodule { options.x = int 1; }); default = { }; }; }
      { options.p = mkOption { type = types.attrsOf (types.submodule { options.y = int 2; }); }; }
      { p.a = { }; }
    ]).p;
    expect = { a = { x = 1; y = 2; }; };
  }
  {
    rule = "a submodule sees the configuration around it by the closure of its module";
    nixos = "the same";
    expr = (eval [
      ({ config, ... }: {
        options.k = int 4;
        options.p = mkOption { type = types.attrsOf (types.submodule { options.x = int config.k; }); default = { }; };
      })
      { p.a = { }; }
    ]).p.a.x;
    expect = 4;
  }
  {
    rule = "a condition of one submodule may depend on another one, where the set is lazy";
    nixos = "the same; with attrsOf it is an infinite recursion";
    expr = (eval [
      { options.p = mkOption { type = types.lazyAttrsOf point; }; }
      ({ config, ... }: { p.a.x = 1; p.b = mkIf (config.p.a.x == 1) { y = 2; }; })
    ]).p.b.y;
    expect = 2;
  }
  {
    rule = "submodules in submodules";
    nixos = "the same";
    expr = merge (types.attrsOf (types.submodule { options.inner = mkOption { type = types.attrsOf named; default = { }; }; })) [ { a.inner.b = { }; } { a.inner.c.n = 1; } ];
    expect = { a.inner = { b = { name = "b"; n = 0; }; c = { name = "c"; n = 1; }; }; };
  }
  {
    rule = "_module.args in a submodule";
    nixos = "the same";
    expr = merge (types.submodule [ { _module.args.k = 8; } ({ k, ... }: { options.x = int k; }) ]) [ { } ];
    expect = { x = 8; };
  }
  {
    rule = "deferredModule keeps modules for an evaluation to come";
    nixos = "the same";
    expr =
      let m = merge types.deferredModule [ { x = 1; } ({ config, ... }: { y = config.x + 1; }) ]; in
      eval [ m { options = { x = int 0; y = int 0; }; } ];
    expect = { x = 1; y = 2; };
  }
]
