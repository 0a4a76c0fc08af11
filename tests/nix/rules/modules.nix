# Modules: their forms, imports, arguments, and definitions without an option.
{ lib, types, mkOption, mkIf, mkMerge, mkDefault, mkForce, eval, options, fails, ... }:
let
  a = { options.a = mkOption { type = types.listOf types.int; default = [ ]; }; };
  ok = modules: (eval ([ a ] ++ modules)).a;
in
[
  {
    rule = "a module is a set of configuration, in short";
    nixos = "the same";
    expr = ok [ { a = [ 1 ]; } ];
    expect = [ 1 ];
  }
  {
    rule = "or a set with imports, options and config";
    nixos = "the same";
    expr = ok [ { imports = [ { a = [ 2 ]; } ]; options.b = mkOption { default = 1; }; config.a = [ 1 ]; } ];
    expect = [ 2 1 ];
  }
  {
    rule = "or a function of arguments";
    nixos = "the same";
    expr = ok [ ({ lib, ... }: { a = lib.singleton 1; }) ({ config, options, ... }: { }) (args: { a = [ 2 ]; }) ];
    expect = [ 2 1 ];
  }
  {
    rule = "or a path";
    nixos = "the same";
    expr = ok [ ../modules/one.nix ];
    expect = [ 11 ];
  }
  {
    rule = "or a path in a string";
    nixos = "the same";
    expr = ok [ (toString ../modules/one.nix) ];
    expect = [ 11 ];
  }
  {
    rule = "a directory stands for its default.nix";
    nixos = "the same";
    expr = ok [ ../modules ];
    expect = [ 22 ];
  }
  {
    rule = "a file imported twice counts once";
    nixos = "the same: files are known by their path";
    expr = ok [ ../modules/one.nix { imports = [ ../modules/one.nix ]; } ];
    expect = [ 11 ];
  }
  {
    rule = "sets are known by `key`, if they have one";
    nixos = "the same";
    expr = ok [ { key = "k"; a = [ 1 ]; } { key = "k"; a = [ 1 ]; } ];
    expect = [ 1 ];
  }
  {
    rule = "equal sets without a key are two modules";
    nixos = "the same";
    expr = ok [ { a = [ 1 ]; } { a = [ 1 ]; } ];
    expect = [ 1 1 ];
  }
  {
    rule = "modules that import each other";
    nixos = "never comes to an end; here each counts once";
    differs = true;
    expr = ok [ ../modules/ring.nix ];
    expect = [ 2 1 ];
  }
  {
    rule = "what is imported stands before what imports it, and the last import first";
    nixos = "the same: breadth first, then reversed";
    expr = ok [
      { imports = [ { imports = [ { a = [ 3 ]; } ]; a = [ 2 ]; } { a = [ 4 ]; } ]; a = [ 1 ]; }
      { a = [ 5 ]; }
    ];
    expect = [ 3 4 2 5 1 ];
  }
  {
    rule = "imports may not depend on the configuration, but a condition inside may";
    nixos = "the same (the former is an infinite recursion)";
    expr = ok [ ({ config, ... }: { imports = [ { config = mkIf (config.a != [ ]) { }; } ]; a = [ 1 ]; }) ];
    expect = [ 1 ];
  }
  {
    rule = "_module.args gives arguments to all modules";
    nixos = "the same";
    expr = ok [ ({ extra, ... }: { a = [ extra ]; }) { _module.args.extra = 5; } ];
    expect = [ 5 ];
  }
  {
    rule = "an argument may depend on the configuration";
    nixos = "the same";
    expr = ok [
      { options.n = mkOption { type = types.int; default = 6; }; }
      ({ config, ... }: { _module.args.extra = config.n; })
      ({ extra, ... }: { a = [ extra ]; })
    ];
    expect = [ 6 ];
  }
  {
    rule = "an argument that nobody gives is an error, even where the function has a default for it";
    nixos = "the same, as an error that Nix cannot catch";
    differs = true;
    expr = [ (fails (ok [ ({ nobody, ... }: { a = [ nobody ]; }) ])) (fails (ok [ ({ nobody ? 1, ... }: { a = [ nobody ]; }) ])) ];
    expect = [ true true ];
  }
  {
    rule = "specialArgs can be used in imports";
    nixos = "the same";
    expr = (lib.evalModules {
      specialArgs = { more = [ { a = [ 7 ]; } ]; };
      modules = [ a ({ more, ... }: { imports = more; }) ];
    }).config.a;
    expect = [ 7 ];
  }
  {
    rule = "an unknown option is an error";
    nixos = "the same";
    expr = [ (fails (eval [ a { b = 1; } ])) (fails (eval [ a { c.d.e = 1; } ])) ];
    expect = [ true true ];
  }
  {
    rule = "unless _module.check is false: then it is left out";
    nixos = "the same";
    expr = eval [ a { b = 1; _module.check = false; } ];
    expect = { a = [ ]; };
  }
  {
    rule = "freeformType takes what no option is declared for";
    nixos = "the same";
    expr = eval [ { freeformType = types.attrsOf types.int; options.a = mkOption { type = types.str; default = "x"; }; } { b = 1; } { c = 2; } ];
    expect = { a = "x"; b = 1; c = 2; };
  }
  {
    rule = "freeformType checks and merges";
    nixos = "the same";
    expr = [
      (fails (eval [ { freeformType = types.attrsOf types.int; } { b = "x"; } ]))
      (eval [ { freeformType = types.attrsOf types.lines; } { b = "x"; } { b = "y"; } ]).b
      (eval [ { freeformType = types.attrsOf (types.attrsOf types.int); options.s.x = mkOption { type = types.int; default = 1; }; } { s.y = 2; t.z = 3; } ])
    ];
    expect = [ true "y\nx" { s = { x = 1; y = 2; }; t = { z = 3; }; } ];
  }
  {
    rule = "a module with options or config keeps nothing else at its top";
    nixos = "the same";
    expr = fails (eval [ { options.a = mkOption { default = 1; }; a = 2; } ]);
    expect = true;
  }
  {
    rule = "one option declared in two modules is an error";
    nixos = "the same, where both give a default or a description";
    expr = fails (eval [ { options.a = mkOption { type = types.int; default = 1; }; } { options.a = mkOption { type = types.int; default = 2; }; } ]);
    expect = true;
  }
  {
    rule = "declarations that add to each other are put together";
    nixos = "the same: types are merged, the default may come from another module";
    expr = (eval [ { options.a = mkOption { type = types.int; }; } { options.a = mkOption { default = 2; }; } ]).a;
    expect = 2;
  }
  {
    rule = "an enum can be extended by a second declaration";
    nixos = "the same";
    expr = (eval [ { options.a = mkOption { type = types.enum [ "x" ]; }; } { options.a = mkOption { type = types.enum [ "y" ]; }; } { a = "y"; } ]).a;
    expect = "y";
  }
  {
    rule = "types that do not go together are an error";
    nixos = "the same";
    expr = fails (eval [ { options.a = mkOption { type = types.int; }; } { options.a = mkOption { type = types.str; }; } { a = 1; } ]);
    expect = true;
  }
  {
    rule = "a name is an option or a set of options, not both";
    nixos = "the same";
    expr = fails (eval [ { options.a = mkOption { type = types.int; default = 1; }; } { options.a.b = mkOption { type = types.int; default = 1; }; } ]);
    expect = true;
  }
  {
    rule = "a value where options are is an error";
    nixos = "the same";
    expr = fails (eval [ { options.a.b = mkOption { type = types.int; default = 1; }; } { a = 3; } ]);
    expect = true;
  }
  {
    rule = "disabledModules takes a module out, with what it imports";
    nixos = "the same: by path, or by `key`";
    expr = [
      (ok [ ../modules/one.nix { disabledModules = [ ../modules/one.nix ]; } ])
      (ok [ { key = "k"; a = [ 1 ]; } { disabledModules = [ { key = "k"; } ]; } ])
      (ok [ { key = "k"; imports = [ ../modules/one.nix ]; } { disabledModules = [ { key = "k"; } ]; a = [ 5 ]; } ])
    ];
    expect = [ [ ] [ ] [ 5 ] ];
  }
  {
    rule = "extendModules evaluates once more with further modules";
    nixos = "the same";
    expr = ((lib.evalModules { modules = [ a { a = [ 1 ]; } ]; }).extendModules { modules = [ { a = [ 2 ]; } ]; }).config.a;
    expect = [ 2 1 ];
  }
  {
    rule = "values depend on each other lazily";
    nixos = "the same";
    expr = (eval [
      { options = { x = mkOption { type = types.int; }; y = mkOption { type = types.int; }; }; }
      ({ config, ... }: { x = config.y + 1; })
      ({ config, ... }: { y = 1; })
    ]).x;
    expect = 2;
  }
  {
    rule = "options without a value are an error only where they are used";
    nixos = "the same";
    expr =
      let c = eval [ { options = { x = mkOption { type = types.int; }; y = mkOption { type = types.int; default = 1; }; }; } ]; in
      [ c.y (fails c.x) ];
    expect = [ 1 true ];
  }
  {
    rule = "a list is no module";
    nixos = "the same";
    expr = fails (eval [ [ a ] ]);
    expect = true;
  }
  {
    rule = "files and places of definitions are known";
    nixos = "the same";
    expr =
      let o = options [ a ../modules/one.nix { _file = "here"; a = [ 1 ]; } ]; in
      [ (map baseNameOf o.a.files) (map (d: d.value) o.a.definitionsWithLocations) ];
    expect = [ [ "here" "one.nix" ] [ [ 1 ] [ 11 ] ] ];
  }
  {
    rule = "config can be given marks as a whole, with conditions on itself";
    nixos = "the same";
    expr = (eval [
      a
      { options.on = mkOption { type = types.bool; default = true; }; options.s.n = mkOption { type = types.int; default = 0; }; }
      ({ config, ... }: { config = mkMerge [ (mkIf config.on { a = [ 1 ]; s = mkIf config.on { n = 4; }; }) (mkIf (!config.on) { a = [ 2 ]; }) ]; })
    ]);
    expect = { a = [ 1 ]; on = true; s = { n = 4; }; };
  }
]
