# Types: what they take, and what becomes of several definitions.
{ lib, types, mkOption, mkIf, mkMerge, mkDefault, mkForce, mkBefore, eval, merge, fails, ... }:
let
  takes = type: values: map (value: !(fails (merge type [ value ]))) values;
  # A derivation that needs no store.
  package = derivation { name = "p"; system = "x86_64-linux"; builder = "/b"; };
in
[
  {
    rule = "bool takes booleans only";
    nixos = "the same";
    expr = takes types.bool [ true false 1 "true" null ];
    expect = [ true true false false false ];
  }
  {
    rule = "int takes whole numbers only";
    nixos = "the same";
    expr = takes types.int [ 1 (-1) 1.5 "1" ];
    expect = [ true true false false ];
  }
  {
    rule = "ints.between, unsigned, positive, u8 and s8 keep their bounds";
    nixos = "the same";
    expr = [
      (takes (types.ints.between 2 4) [ 1 2 4 5 ])
      (takes types.ints.unsigned [ (-1) 0 1 ])
      (takes types.ints.positive [ 0 1 ])
      (takes types.ints.u8 [ (-1) 0 255 256 ])
      (takes types.ints.s8 [ (-129) (-128) 127 128 ])
      (takes types.ints.u32 [ 4294967295 4294967296 ])
    ];
    expect = [ [ false true true false ] [ false true true ] [ false true ] [ false true true false ] [ false true true false ] [ true false ] ];
  }
  {
    rule = "a port is from 0 to 65535";
    nixos = "the same";
    expr = takes types.port [ 0 80 65535 65536 (-1) "80" ];
    expect = [ true true true false false false ];
  }
  {
    rule = "float and number";
    nixos = "the same";
    expr = [ (takes types.float [ 1.5 1 ]) (takes types.number [ 1.5 1 "1" ]) (takes types.numbers.positive [ 0.1 0 ]) (takes (types.numbers.between 0 1) [ 0.5 1 2 ]) ];
    expect = [ [ true false ] [ true true false ] [ true false ] [ true true false ] ];
  }
  {
    rule = "str takes strings only, no paths, packages or numbers";
    nixos = "the same";
    expr = takes types.str [ "a" "" 1 ./. package [ "a" ] ];
    expect = [ true true false false false false ];
  }
  {
    rule = "nonEmptyStr, singleLineStr, strMatching";
    nixos = "the same";
    expr = [
      (takes types.nonEmptyStr [ "a" "" "  \n" ])
      (takes types.singleLineStr [ "a" "a\n" "a\nb" "" ])
      (merge types.singleLineStr [ "a\n" ])
      (takes (types.strMatching "a+") [ "aa" "ab" "" ])
    ];
    expect = [ [ true false false ] [ true true false true ] "a" [ true false false ] ];
  }
  {
    rule = "lines, commas, envVar and separatedString join, the later module's first";
    nixos = "the same";
    expr = [
      (merge types.lines [ "a" "b" ])
      (merge types.commas [ "a" "b" ])
      (merge types.envVar [ "a" "b" ])
      (merge (types.separatedString " ") [ "a" "b" ])
    ];
    expect = [ "b\na" "b,a" "b:a" "b a" ];
  }
  {
    rule = "lines does not take a list (the paper's Listing 6)";
    nixos = "the same";
    expr = takes types.lines [ [ "/srv *(rw)" ] "/srv *(rw)" ];
    expect = [ false true ];
  }
  {
    rule = "path takes absolute paths, as paths, strings or packages";
    nixos = "the same";
    expr = takes types.path [ "/a" "a" ./. package 1 ];
    expect = [ true false true true false ];
  }
  {
    rule = "package takes derivations and store paths";
    nixos = "the same";
    expr = takes types.package [ package "${builtins.storeDir}/00000000000000000000000000000000-a" "/bin/sh" "hello" ];
    expect = [ true true false false ];
  }
  {
    rule = "enum takes its values and merges equal ones";
    nixos = "the same";
    expr = [ (takes (types.enum [ "a" 1 ]) [ "a" 1 "b" ]) (merge (types.enum [ "a" "b" ]) [ "a" "a" ]) (fails (merge (types.enum [ "a" "b" ]) [ "a" "b" ])) ];
    expect = [ [ true true false ] "a" true ];
  }
  {
    rule = "nullOr takes null besides; null and a value are a conflict";
    nixos = "the same";
    expr = [ (takes (types.nullOr types.int) [ null 1 "a" ]) (fails (merge (types.nullOr types.int) [ null 1 ])) (merge (types.nullOr types.lines) [ "a" "b" ]) (merge (types.nullOr types.int) [ null null ]) ];
    expect = [ [ true true false ] true "b\na" null ];
  }
  {
    rule = "listOf joins, and checks each element";
    nixos = "the same";
    expr = [ (merge (types.listOf types.int) [ [ 1 ] [ ] [ 2 3 ] ]) (takes (types.listOf types.int) [ [ "a" ] [ 1 ] 1 { } ]) ];
    expect = [ [ 2 3 1 ] [ false true false false ] ];
  }
  {
    rule = "nonEmptyListOf wants an element";
    nixos = "the same";
    expr = takes (types.nonEmptyListOf types.int) [ [ ] [ 1 ] ];
    expect = [ false true ];
  }
  {
    rule = "attrsOf merges name by name with its values' type";
    nixos = "the same";
    expr = merge (types.attrsOf types.lines) [ { a = "1"; b = "2"; } { a = "3"; } ];
    expect = { a = "3\n1"; b = "2"; };
  }
  {
    rule = "attrsOf leaves out names whose every definition is mkIf false";
    nixos = "the same";
    expr = merge (types.attrsOf types.int) [ { a = mkIf false 1; b = 2; } ];
    expect = { b = 2; };
  }
  {
    rule = "lazyAttrsOf does not look at other names' conditions, and keeps names";
    nixos = "the same";
    expr =
      let v = merge (types.lazyAttrsOf (types.nullOr types.int)) [ { a = mkIf (throw "seen") 1; b = 2; c = mkIf false 3; } ]; in
      [ v.b (builtins.attrNames v) v.c ];
    expect = [ 2 [ "a" "b" "c" ] null ];
  }
  {
    rule = "attrs puts later over earlier modules' attributes, at the first level only";
    nixos = "the same";
    expr = merge types.attrs [ { a = 1; s.x = 1; } { a = 2; s.y = 2; } ];
    expect = { a = 1; s = { x = 1; }; };
  }
  {
    rule = "either: the first type that takes all definitions merges them";
    nixos = "the same";
    expr = [
      (merge (types.either types.int types.lines) [ "a" "b" ])
      (merge (types.either types.int types.str) [ 1 1 ])
      (fails (merge (types.either types.int types.str) [ 1 "a" ]))
      (takes (types.either types.int types.str) [ 1 "a" [ ] ])
    ];
    expect = [ "b\na" 1 true [ true true false ] ];
  }
  {
    rule = "oneOf is either of several";
    nixos = "the same";
    expr = takes (types.oneOf [ types.int types.bool types.str ]) [ 1 true "a" null ];
    expect = [ true true true false ];
  }
  {
    rule = "coercedTo turns one type into another before it merges";
    nixos = "the same";
    expr = [
      (merge (types.coercedTo types.str (s: [ s ]) (types.listOf types.str)) [ "a" [ "b" ] ])
      (takes (types.coercedTo types.int toString types.str) [ 1 "a" [ ] ])
      (merge (types.coercedTo types.int toString types.str) [ 1 ])
    ];
    expect = [ [ "b" "a" ] [ true true false ] "1" ];
  }
  {
    rule = "uniq takes one definition only, even of equal ones";
    nixos = "the same";
    expr = [ (merge (types.uniq types.int) [ 1 ]) (fails (merge (types.uniq types.int) [ 1 1 ])) (merge (types.uniq (types.listOf types.int)) [ (mkForce [ 1 ]) [ 2 ] ]) ];
    expect = [ 1 true [ 1 ] ];
  }
  {
    rule = "raw takes anything, once, and leaves marks in it alone";
    nixos = "the same";
    expr = [ (merge types.raw [ { a = 1; } ]) (fails (merge types.raw [ 1 1 ])) (merge types.raw [ { a = mkIf false 1; } ]).a._type ];
    expect = [ { a = 1; } true "if" ];
  }
  {
    rule = "anything merges sets at every level, and equal values";
    nixos = "the same";
    expr = [
      (merge types.anything [ { a.b = 1; } { a.c = 2; } ])
      (merge types.anything [ 1 1 ])
      (fails (merge types.anything [ 1 2 ]))
      (merge types.anything [ { a = mkDefault 1; } { a = 2; } ])
      (fails (merge types.anything [ { } [ ] ]))
    ];
    expect = [ { a = { b = 1; c = 2; }; } 1 true { a = 2; } true ];
  }
  {
    rule = "anything: lists are not joined; unequal ones are a conflict";
    nixos = "the same";
    expr = [ (fails (merge types.anything [ [ 1 ] [ 2 ] ])) (merge types.anything [ { a = [ 1 ]; } { a = [ 1 ]; b = mkIf false 1; } ]) ];
    expect = [ true { a = [ 1 ]; } ];
  }
  {
    rule = "anything: functions are called one by one and their results merged";
    nixos = "the same";
    expr = (merge types.anything [ (x: { a = x; }) (x: { b = x + 1; }) ]) 1;
    expect = { a = 1; b = 2; };
  }
  {
    rule = "functionTo merges what the functions return";
    nixos = "the same";
    expr = (merge (types.functionTo (types.listOf types.int)) [ (x: [ x ]) (x: [ (x + 1) ]) ]) 1;
    expect = [ 2 1 ];
  }
  {
    rule = "unspecified joins lists, strings and sets by guessing";
    nixos = "the same";
    expr = [ (merge types.unspecified [ [ 1 ] [ 2 ] ]) (merge types.unspecified [ { a = 1; } { b = 2; } ]) (merge types.unspecified [ "a" "b" ]) (merge types.unspecified [ true false ]) ];
    expect = [ [ 2 1 ] { a = 1; b = 2; } "ba" true ];
  }
  {
    rule = "boolByOr is true where any definition is";
    nixos = "the same";
    expr = merge types.boolByOr [ false true ];
    expect = true;
  }
  {
    rule = "passwdEntry forbids colons and newlines";
    nixos = "the same";
    expr = takes (types.passwdEntry types.str) [ "a" "a:b" "a\nb" ];
    expect = [ true false false ];
  }
  {
    rule = "addCheck adds a condition";
    nixos = "the same";
    expr = takes (types.addCheck types.int (n: n != 3)) [ 2 3 "a" ];
    expect = [ true false false ];
  }
  {
    rule = "an option without a type takes anything";
    nixos = "the same";
    expr = (eval [ { options.a = mkOption { }; } { a = { b = 1; }; } ]).a;
    expect = { b = 1; };
  }
  {
    rule = "a type of one's own";
    nixos = "the same interface: name, check, merge loc defs";
    expr =
      let
        sum = lib.mkOptionType { name = "sum"; check = builtins.isInt; merge = _: defs: builtins.foldl' (a: d: a + d.value) 0 defs; };
      in
      [ (merge sum [ 1 2 3 ]) (merge (types.attrsOf sum) [ { a = 1; } { a = 2; } ]) (fails (merge sum [ "a" ])) ];
    expect = [ 6 { a = 3; } true ];
  }
  {
    rule = "attrTag takes a set with one of its names";
    nixos = "the same";
    expr =
      let tag = types.attrTag { a = mkOption { type = types.int; }; b = mkOption { type = types.str; }; }; in
      [ (takes tag [ { a = 1; } { b = "x"; } { c = 1; } { a = 1; b = "x"; } ]) (merge tag [ { a = 1; } ]) (fails (merge tag [ { a = 1; } { b = "x"; } ])) ];
    expect = [ [ true true false false ] { a = 1; } true ];
  }
  {
    rule = "attrsOf of nullOr of listOf …: types nest";
    nixos = "the same";
    expr = merge (types.attrsOf (types.nullOr (types.listOf (types.either types.int types.str)))) [ { a = [ 1 "x" ]; b = null; } { a = [ 2 ]; } ];
    expect = { a = [ 2 1 "x" ]; b = null; };
  }
  {
    rule = "without default and definition, sets, lists and nullOr are empty, others are an error";
    nixos = "the same (emptyValue)";
    expr =
      let none = type: let value = (eval [ { options.it = mkOption { inherit type; }; } ]).it; in if fails value then "error" else value; in
      map none [ (types.attrsOf types.int) (types.listOf types.int) (types.nullOr types.int) types.attrs types.lines types.int types.bool ];
    expect = [ { } [ ] null { } "error" "error" "error" ];
  }
  {
    rule = "attrsWith is attrsOf with its laziness said";
    nixos = "the same, since 25.05";
    expr = merge (types.attrsWith { elemType = types.int; }) [ { a = 1; } { b = 2; } ];
    expect = { a = 1; b = 2; };
  }
  {
    rule = "descriptions, as error messages and documentation show them";
    nixos = "the same words";
    expr = map (t: t.description) [
      types.bool types.int types.port types.str types.lines types.path types.package (types.listOf types.str)
      (types.attrsOf types.int) (types.nullOr types.str) (types.either types.int types.str) (types.enum [ "a" "b" ])
      (types.listOf (types.nullOr types.int)) types.ints.positive
    ];
    expect = [
      "boolean" "signed integer" "16 bit unsigned integer; between 0 and 65535 (both inclusive)" "string" "strings concatenated with \"\\n\""
      "absolute path" "package" "list of string" "attribute set of signed integer" "null or string" "signed integer or string"
      "one of \"a\", \"b\"" "list of (null or signed integer)" "positive integer, meaning >0"
    ];
  }
]
