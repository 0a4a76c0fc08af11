# mkIf, mkMerge, mkOverride and mkOrder: which definitions count, and in which order.
{ lib, types, mkOption, mkIf, mkMerge, mkDefault, mkForce, mkOverride, mkBefore, mkAfter, mkOrder, eval, options, merge, fails, ... }:
let
  ints = merge (types.listOf types.int);
  str = merge types.str;
in
[
  {
    rule = "a definition whose condition is false does not exist";
    nixos = "the same";
    expr = [ (ints [ [ 1 ] (mkIf false [ 2 ]) ]) (ints [ (mkIf true [ 1 ]) ]) ];
    expect = [ [ 1 ] [ 1 ] ];
  }
  {
    rule = "the content of a false condition is not evaluated";
    nixos = "the same";
    expr = ints [ [ 1 ] (mkIf false (throw "evaluated")) ];
    expect = [ 1 ];
  }
  {
    rule = "a condition may depend on the configuration that it stands in";
    nixos = "the same: conditions are pushed down to each option";
    expr = (eval [
      { options = { a = mkOption { type = types.bool; default = false; }; b = mkOption { type = types.int; default = 0; }; }; }
      ({ config, ... }: { config = mkIf config.a { b = 1; }; })
      { a = true; }
    ]).b;
    expect = 1;
  }
  {
    rule = "an unknown option under a false condition is an error all the same";
    nixos = "the same";
    expr = fails (eval [ { config = mkIf false { nothing = 1; }; } ]);
    expect = true;
  }
  {
    rule = "a condition that is no boolean is an error";
    nixos = "the same";
    expr = fails (ints [ (mkIf "yes" [ 1 ]) ]);
    expect = true;
  }
  {
    rule = "mkMerge is several definitions in one";
    nixos = "the same";
    expr = ints [ (mkMerge [ [ 1 ] (mkIf false [ 2 ]) [ 3 ] ]) ];
    expect = [ 1 3 ];
  }
  {
    rule = "mkMerge of nothing defines nothing, so that the default holds";
    nixos = "the same";
    expr = (eval [ { options.it = mkOption { type = types.int; default = 7; }; } { it = mkMerge [ ]; } ]).it;
    expect = 7;
  }
  {
    rule = "mkMerge at the top of a module";
    nixos = "the same";
    expr = (eval [
      { options.a = mkOption { type = types.listOf types.int; }; }
      { config = mkMerge [ { a = [ 1 ]; } { a = [ 2 ]; } ]; }
    ]).a;
    expect = [ 1 2 ];
  }
  {
    rule = "mkIf and mkForce can stand around a whole module, mkMerge cannot";
    nixos = "the same: the one is taken as the module's config, the other is `not a module`";
    expr =
      let decl = { options.a = mkOption { type = types.listOf types.int; }; }; in
      [
        (eval [ decl (mkIf true { a = [ 1 ]; }) { a = [ 2 ]; } ]).a
        (eval [ decl (mkForce { a = [ 1 ]; }) { a = [ 2 ]; } ]).a
        (fails (eval [ decl (mkMerge [ { a = [ 1 ]; } ]) ]))
      ];
    expect = [ [ 2 1 ] [ 1 ] true ];
  }
  {
    rule = "a definition wins over mkDefault";
    nixos = "the same (priorities 100 and 1000)";
    expr = [ (str [ (mkDefault "a") "b" ]) (str [ "b" (mkDefault "a") ]) ];
    expect = [ "b" "b" ];
  }
  {
    rule = "mkForce wins over a definition";
    nixos = "the same (priorities 50 and 100)";
    expr = [ (str [ (mkForce "a") "b" ]) (str [ "b" (mkForce "a") ]) ];
    expect = [ "a" "a" ];
  }
  {
    rule = "mkDefault wins over an option's own default";
    nixos = "the same (priorities 1000 and 1500)";
    expr = (eval [ { options.it = mkOption { type = types.str; default = "a"; }; } { it = mkDefault "b"; } ]).it;
    expect = "b";
  }
  {
    rule = "the least priority counts, whatever it is";
    nixos = "the same";
    expr = ints [ (mkOverride 40 [ 1 ]) (mkForce [ 2 ]) (mkOverride 40 [ 3 ]) (mkOverride 41 [ 4 ]) ];
    expect = [ 3 1 ];
  }
  {
    rule = "lists of one priority are joined, those of a weaker one are gone, the default too";
    nixos = "the same";
    expr = (eval [ { options.it = mkOption { type = types.listOf types.int; default = [ 9 ]; }; } { it = [ 1 ]; } { it = mkDefault [ 2 ]; } ]).it;
    expect = [ 1 ];
  }
  {
    rule = "mkForce around a set reaches its attributes' options";
    nixos = "the same";
    expr = (eval [
      { options.s = { a = mkOption { type = types.int; }; b = mkOption { type = types.int; default = 0; }; }; }
      { s = mkForce { a = 1; }; }
      { s.a = 2; s.b = 3; }
    ]).s;
    expect = { a = 1; b = 3; };
  }
  {
    rule = "mkForce of a set replaces an attrsOf altogether";
    nixos = "the same";
    expr = merge (types.attrsOf types.int) [ { a = 1; } (mkForce { b = 2; }) ];
    expect = { b = 2; };
  }
  {
    rule = "mkForce inside of mkIf";
    nixos = "the same";
    expr = [
      (str [ "a" (mkIf true (mkForce "b")) ])
      (str [ "a" (mkIf false (mkForce "b")) ])
    ];
    expect = [ "b" "a" ];
  }
  {
    rule = "mkIf inside of mkForce: the definition wins, and is of the wrong type";
    nixos = "the same: of the marks inside mkForce, only mkBefore and mkAfter are known";
    expr = [
      (fails (str [ "a" (mkForce (mkIf true "b")) ]))
      (fails (str [ "a" (mkForce (mkIf false "b")) ]))
      (fails (merge (types.attrsOf types.int) [ (mkForce (mkIf false { a = 1; })) ]))
      (ints [ (mkForce (mkAfter [ 2 ])) (mkForce [ 1 ]) [ 3 ] ])
    ];
    expect = [ true true true [ 1 2 ] ];
  }
  {
    rule = "mkForce inside of mkMerge counts for its own part";
    nixos = "the same";
    expr = ints [ (mkMerge [ [ 1 ] (mkForce [ 2 ]) ]) [ 3 ] ];
    expect = [ 2 ];
  }
  {
    rule = "two different values of one priority are a conflict";
    nixos = "the same";
    expr = [ (fails (str [ "a" "b" ])) (fails (str [ (mkForce "a") (mkForce "b") ])) (fails (merge types.int [ 1 2 ])) (fails (merge types.bool [ true false ])) ];
    expect = [ true true true true ];
  }
  {
    rule = "two equal values are no conflict";
    nixos = "the same";
    expr = [ (str [ "a" "a" ]) (merge types.int [ 1 1 ]) ];
    expect = [ "a" 1 ];
  }
  {
    rule = "of modules in a list, the later one's lists come first";
    nixos = "the same: modules are put together from the last to the first";
    expr = ints [ [ 1 ] [ 2 ] [ 3 ] ];
    expect = [ 3 2 1 ];
  }
  {
    rule = "mkBefore and mkAfter put lists at the begin and the end";
    nixos = "the same (orders 500 and 1500; others 1000)";
    expr = ints [ (mkAfter [ 3 ]) [ 2 ] (mkBefore [ 1 ]) ];
    expect = [ 1 2 3 ];
  }
  {
    rule = "mkOrder sorts by its number and keeps the order of equals";
    nixos = "the same";
    expr = ints [ (mkOrder 2000 [ 4 ]) (mkOrder 10 [ 1 ]) (mkOrder 700 [ 3 ]) (mkOrder 700 [ 2 ]) ];
    expect = [ 1 2 3 4 ];
  }
  {
    rule = "mkBefore sorts lines as well";
    nixos = "the same";
    expr = merge types.lines [ "b" (mkBefore "a") (mkAfter "c") ];
    expect = "a\nb\nc";
  }
  {
    rule = "mkBefore and mkDefault together";
    nixos = "the same";
    expr = [
      (ints [ (mkDefault (mkBefore [ 1 ])) (mkDefault [ 2 ]) ])
      (ints [ (mkIf true (mkBefore [ 1 ])) [ 2 ] ])
      (ints [ (mkMerge [ (mkAfter [ 3 ]) (mkBefore [ 1 ]) ]) [ 2 ] ])
    ];
    expect = [ [ 1 2 ] [ 1 2 ] [ 1 2 3 ] ];
  }
  {
    rule = "marks inside the values of attrsOf";
    nixos = "the same";
    expr = merge (types.attrsOf (types.listOf types.int)) [ { a = mkBefore [ 1 ]; b = mkIf false [ 9 ]; } { a = [ 2 ]; } { a = mkAfter [ 3 ]; c = mkForce [ 4 ]; } { c = [ 5 ]; } ];
    expect = { a = [ 1 2 3 ]; c = [ 4 ]; };
  }
  {
    rule = "marks inside lists";
    nixos = "the same";
    expr = ints [ [ 1 (mkIf false 2) (mkIf true 3) ] ];
    expect = [ 1 3 ];
  }
  {
    rule = "an option tells its highest priority and whether it is defined";
    nixos = "the same; a default alone counts as defined";
    expr =
      let o = options [
        { options = { a = mkOption { type = types.int; }; b = mkOption { type = types.int; default = 1; }; c = mkOption { type = types.int; }; }; }
        { c = mkForce 3; }
      ]; in
      [ o.a.isDefined o.b.isDefined o.b.highestPrio o.c.isDefined o.c.highestPrio o.c.definitions ];
    expect = [ false true 1500 true 50 [ 3 ] ];
  }
  {
    rule = "mkVMOverride and mkImageMediaOverride stand where NixOS has them";
    nixos = "10 and 60";
    expr = [ (str [ (lib.mkVMOverride "a") (mkForce "b") ]) (str [ (lib.mkImageMediaOverride "a") (mkForce "b") ]) (str [ (lib.mkImageMediaOverride "a") "c" ]) ];
    expect = [ "a" "b" "a" ];
  }
]
