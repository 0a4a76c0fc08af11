# Declarations of options, and modules that deal with options' names.
{ lib, types, mkOption, mkIf, mkDefault, mkForce, eval, options, fails, ... }:
let
  warned = { options = { warnings = mkOption { type = types.listOf types.str; default = [ ]; }; assertions = mkOption { type = types.listOf types.unspecified; default = [ ]; }; }; };
  new = { options.new = { x = mkOption { type = types.listOf types.int; default = [ ]; }; }; };
in
[
  {
    rule = "the default holds where nothing is defined";
    nixos = "the same";
    expr = eval [ { options.a = mkOption { type = types.int; default = 1; }; } ];
    expect = { a = 1; };
  }
  {
    rule = "the default must have the option's type";
    nixos = "the same";
    expr = fails (eval [ { options.a = mkOption { type = types.int; default = "1"; }; } ]);
    expect = true;
  }
  {
    rule = "apply changes the value that others see, once";
    nixos = "the same";
    expr = [
      (eval [ { options.a = mkOption { type = types.int; default = 1; apply = x: x + 1; }; } ]).a
      (eval [ { options.a = mkOption { type = types.listOf types.int; apply = builtins.length; }; } { a = [ 1 ]; } { a = [ 2 3 ]; } ]).a
    ];
    expect = [ 2 3 ];
  }
  {
    rule = "readOnly allows one definition, the default included";
    nixos = "the same";
    expr = [
      (eval [ { options.a = mkOption { type = types.int; readOnly = true; default = 1; }; } ]).a
      (eval [ { options.a = mkOption { type = types.int; readOnly = true; }; } { a = 1; } ]).a
      (fails (eval [ { options.a = mkOption { type = types.int; readOnly = true; default = 1; }; } { a = 1; } ]))
    ];
    expect = [ 1 1 true ];
  }
  {
    rule = "mkEnableOption is false until it is set";
    nixos = "the same";
    expr = [ (eval [ { options.a = lib.mkEnableOption "a"; } ]).a (eval [ { options.a = lib.mkEnableOption "a"; } { a = true; } ]).a (lib.mkEnableOption "the thing").description ];
    expect = [ false true "Whether to enable the thing." ];
  }
  {
    rule = "mkPackageOption takes its default from pkgs";
    nixos = "the same";
    expr =
      let
        p = name: derivation { inherit name; system = "x"; builder = "/b"; };
        pkgs = { a = p "a"; set.b = p "b"; };
        value = declaration: (eval [ { options.it = declaration; } ]).it;
      in
      [
        (value (lib.mkPackageOption pkgs "a" { })).name
        (value (lib.mkPackageOption pkgs "b" { default = [ "set" "b" ]; })).name
        (eval [ { options.it = lib.mkPackageOption pkgs "a" { nullable = true; default = null; }; } { it = null; } ]).it
      ];
    expect = [ "a" "b" null ];
  }
  {
    rule = "mkRenamedOptionModule hands definitions on, with their marks, and warns";
    nixos = "the same";
    expr =
      let c = eval [ warned new (lib.mkRenamedOptionModule [ "old" ] [ "new" "x" ]) { old = [ 1 ]; } { new.x = [ 2 ]; } ]; in
      [ c.new.x c.old (builtins.length c.warnings) ];
    expect = [ [ 2 1 ] [ 2 1 ] 1 ];
  }
  {
    rule = "a renamed option keeps its priority";
    nixos = "the same";
    expr = [
      (eval [ warned new (lib.mkRenamedOptionModule [ "old" ] [ "new" "x" ]) { old = mkForce [ 1 ]; } { new.x = [ 2 ]; } ]).new.x
      (eval [ warned new (lib.mkRenamedOptionModule [ "old" ] [ "new" "x" ]) { old = mkDefault [ 1 ]; } { new.x = [ 2 ]; } ]).new.x
      (eval [ warned new (lib.mkRenamedOptionModule [ "old" ] [ "new" "x" ]) { old = mkIf false [ 1 ]; } { new.x = [ 2 ]; } ]).new.x
    ];
    expect = [ [ 1 ] [ 2 ] [ 2 ] ];
  }
  {
    rule = "a rename into a submodule makes none where the old name is not used";
    nixos = "the same";
    expr =
      let
        many = { options.many = mkOption { type = types.attrsOf (types.submodule { options.x = mkOption { type = types.int; default = 0; }; }); default = { }; }; };
        c = extra: (eval ([ warned many (lib.mkRenamedOptionModule [ "one" ] [ "many" "first" "x" ]) ] ++ extra)).many;
      in
      [ (c [ ]) (c [ { one = 3; } ]) ];
    expect = [ { } { first.x = 3; } ];
  }
  {
    rule = "nobody is warned who does not use the old name";
    nixos = "the same";
    expr = (eval [ warned new (lib.mkRenamedOptionModule [ "old" ] [ "new" "x" ]) { new.x = [ 2 ]; } ]).warnings;
    expect = [ ];
  }
  {
    rule = "mkAliasOptionModule is the same without a warning";
    nixos = "the same";
    expr = let c = eval [ warned new (lib.mkAliasOptionModule [ "old" ] [ "new" "x" ]) { old = [ 1 ]; } ]; in [ c.new.x c.old c.warnings ];
    expect = [ [ 1 ] [ 1 ] [ ] ];
  }
  {
    rule = "mkRemovedOptionModule: setting it is a failed assertion";
    nixos = "the same";
    expr =
      let c = extra: eval ([ warned (lib.mkRemovedOptionModule [ "gone" ] "Use bread.") ] ++ extra); in
      [ (map (a: a.assertion) (c [ ]).assertions) (map (a: a.assertion) (c [ { gone = 1; } ]).assertions) ];
    expect = [ [ true ] [ false ] ];
  }
  {
    rule = "mkChangedOptionModule computes the new option from the old one";
    nixos = "the same";
    expr = (eval [
      warned
      new
      (lib.mkChangedOptionModule [ "old" ] [ "new" "x" ] (config: [ (config.old * 2) ]))
      { old = 3; }
    ]).new.x;
    expect = [ 6 ];
  }
  {
    rule = "mkMergedOptionModule computes it from several";
    nixos = "the same";
    expr = (eval [
      warned
      new
      (lib.mkMergedOptionModule [ [ "a" ] [ "b" ] ] [ "new" "x" ] (config: [ config.a config.b ]))
      { a = 1; b = 2; }
    ]).new.x;
    expect = [ 1 2 ];
  }
  {
    rule = "mkAliasDefinitions copies another option's definitions";
    nixos = "the same";
    expr = (eval [
      { options.from = mkOption { type = types.listOf types.int; default = [ 0 ]; }; options.to = mkOption { type = types.listOf types.int; default = [ ]; }; }
      ({ options, ... }: { to = lib.mkAliasDefinitions options.from; })
      { from = [ 1 ]; }
    ]).to;
    expect = [ 1 ];
  }
  {
    rule = "mkDerivedConfig computes a definition from another option's value, with its priority";
    nixos = "the same";
    expr = (eval [
      { options.from = mkOption { type = types.lines; }; options.to = mkOption { type = types.str; default = ""; }; }
      ({ options, ... }: { to = lib.mkDerivedConfig options.from (text: "${text}!"); })
      { from = mkForce "a"; to = "b"; }
    ]).to;
    expect = "a!";
  }
  {
    rule = "showOption quotes what is no identifier";
    nixos = "the same";
    expr = [ (lib.showOption [ "a" "b-c" ]) (lib.showOption [ "a" "b c" ]) (lib.showOption [ "a" "<name>" "*" ]) ];
    expect = [ "a.b-c" "a.\"b c\"" "a.<name>.*" ];
  }
  {
    rule = "options can be listed for documentation";
    nixos = "the same, with options of submodules under <name>";
    expr = builtins.sort builtins.lessThan (map (o: o.name) (builtins.filter (o: o.visible or true && !(o.internal or false)) (lib.optionAttrSetToDocList (removeAttrs (options [
      { options = { a.b = mkOption { type = types.int; description = ""; }; s = mkOption { description = ""; type = types.attrsOf (types.submodule { options.x = mkOption { type = types.int; description = ""; }; }); }; h = mkOption { internal = true; description = ""; }; }; }
    ]) [ "_module" ]))));
    expect = [ "a.b" "s" "s.<name>.x" ];
  }
]
