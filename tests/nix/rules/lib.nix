# Functions of lib. Where the seed has one, it gives what nixpkgs' gives.
{ lib, fails, ... }:
with lib;
[
  {
    rule = "trivial";
    nixos = "the same";
    expr = [
      (pipe 2 [ (x: x + 1) toString ]) (flip sub 1 3) (min 1 2) (max 1 2) (mod 7 3) (mod (-7) 3) (boolToString true) (const 1 2)
      (functionArgs ({ a, b ? 1 }: a)) (isFunction { __functor = _: x: x; }) (mapNullable (x: x + 1) null) (toHexString 250) (toBaseDigits 2 6)
      (fails (throwIf true "x" 1)) (throwIf false "x" 1) (defaultTo 1 null) (xor true false) (compare "a" "b") (fails (assertMsg false "m"))
    ];
    expect = [ "3" 2 1 2 1 (-1) "true" 1 { a = false; b = true; } true null "FA" [ 1 1 0 ] true 1 1 true (-1) true ];
  }
  {
    rule = "lists: building and choosing";
    nixos = "the same";
    expr = [
      (optional true 1) (optional false 1) (optionals true [ 1 2 ]) (optionals false [ 1 ]) (toList 1) (toList [ 1 ]) (singleton 1) (range 1 3) (range 3 1)
      (replicate 2 "a") (take 2 [ 1 2 3 ]) (take 5 [ 1 ]) (drop 1 [ 1 2 ]) (drop 5 [ 1 ]) (sublist 1 2 [ 1 2 3 4 ]) (last [ 1 2 ]) (init [ 1 2 ])
      (reverseList [ 1 2 3 ]) (flatten [ 1 [ 2 [ 3 ] ] ]) (remove 1 [ 1 2 1 ]) (unique [ 3 1 3 2 1 ]) (unique [ "b" "a" "b" ]) (intersectLists [ 1 2 ] [ 2 3 ]) (subtractLists [ 1 2 ] [ 1 2 3 ])
      (findFirst (x: x > 1) 0 [ 1 2 3 ]) (findFirst (x: x > 9) 0 [ 1 ]) (findSingle (x: x == 1) "no" "many" [ 1 1 ]) (lists.findFirstIndex (x: x == 2) null [ 1 2 ])
      (count (x: x > 1) [ 1 2 3 ]) (lists.hasPrefix [ 1 ] [ 1 2 ]) (mutuallyExclusive [ 1 ] [ 2 ]) (fails (last [ ])) (groupBy (x: if x > 1 then "big" else "small") [ 1 2 3 ])
      (takeEnd 1 [ 1 2 ]) (dropEnd 1 [ 1 2 ])
    ];
    expect = [
      [ 1 ] [ ] [ 1 2 ] [ ] [ 1 ] [ 1 ] [ 1 ] [ 1 2 3 ] [ ]
      [ "a" "a" ] [ 1 2 ] [ 1 ] [ 2 ] [ ] [ 2 3 ] 2 [ 1 ]
      [ 3 2 1 ] [ 1 2 3 ] [ 2 ] [ 3 1 2 ] [ "b" "a" ] [ 2 ] [ 3 ]
      2 0 "many" 1
      2 true true true { big = [ 2 3 ]; small = [ 1 ]; }
      [ 2 ] [ 1 ]
    ];
  }
  {
    rule = "lists: mapping, folding, sorting";
    nixos = "the same";
    expr = [
      (imap0 (i: x: i + x) [ 1 1 ]) (imap1 (i: x: i + x) [ 1 1 ]) (forEach [ 1 2 ] (x: x + 1)) (foldr (x: s: "${x}${s}") "" [ "a" "b" ]) (foldl (s: x: "${s}${x}") "" [ "a" "b" ])
      (foldl' add 0 [ 1 2 3 ]) (zipLists [ 1 2 ] [ 3 ]) (zipListsWith add [ 1 2 ] [ 3 4 ]) (cartesianProduct { a = [ 1 2 ]; b = [ 3 ]; }) (naturalSort [ "a10" "a9" "a1b" "b" "a" ])
      (sort lessThan [ 3 1 2 ]) (sortOn (x: -x) [ 1 3 2 ]) (compareLists compare [ 1 2 ] [ 1 3 ]) (partition (x: x > 1) [ 1 2 ]) (concatMap (x: [ x x ]) [ 1 ]) (any (x: x) [ false ]) (all (x: x) [ ])
      (mapCartesianProduct ({ a, b }: a + b) { a = [ 1 2 ]; b = [ 10 ]; })
    ];
    expect = [
      [ 1 2 ] [ 2 3 ] [ 2 3 ] "ab" "ab"
      6 [ { fst = 1; snd = 3; } ] [ 4 6 ] [ { a = 1; b = 3; } { a = 2; b = 3; } ] [ "a" "a1b" "a9" "a10" "b" ]
      [ 1 2 3 ] [ 3 2 1 ] (-1) { right = [ 2 ]; wrong = [ 1 ]; } [ 1 1 ] false true
      [ 11 12 ]
    ];
  }
  {
    rule = "attribute sets";
    nixos = "the same";
    expr = [
      (attrByPath [ "a" "b" ] 0 { a.b = 1; }) (attrByPath [ "a" "c" ] 0 { a.b = 1; }) (hasAttrByPath [ "a" "b" ] { a.b = 1; }) (hasAttrByPath [ "a" "b" ] { a = 1; }) (setAttrByPath [ "a" "b" ] 1) (getAttrFromPath [ "a" ] { a = 1; })
      (mapAttrs' (n: v: nameValuePair "x${n}" (v + 1)) { a = 1; }) (mapAttrsToList (n: v: "${n}${toString v}") { b = 2; a = 1; }) (genAttrs [ "a" "b" ] (n: "${n}!")) (filterAttrs (n: v: v > 1) { a = 1; b = 2; })
      (optionalAttrs true { a = 1; }) (optionalAttrs false { a = 1; }) (recursiveUpdate { a.b = 1; a.c = 1; } { a.b = 2; d = 3; }) (recursiveUpdate { a = 1; } { a.b = 2; }) (foldlAttrs (s: n: v: s + v) 0 { a = 1; b = 2; })
      (zipAttrs [ { a = 1; } { a = 2; b = 3; } ]) (zipAttrsWith (n: v: v) [ { a = 1; } { a = 2; } ]) (collect isInt { a.b = 1; c = "x"; d = 2; }) (concatMapAttrs (n: v: { "${n}1" = v; "${n}2" = v; }) { a = 1; }) (attrsToList { a = 1; })
      (getAttrs [ "a" ] { a = 1; b = 2; }) (attrVals [ "b" "a" ] { a = 1; b = 2; }) (catAttrs "a" [ { a = 1; } { } ]) (mapAttrsRecursive (p: v: concatStringsSep "." p) { a.b = 1; }) (matchAttrs { a.b = 1; } { a = { b = 1; c = 2; }; d = 3; })
      (overrideExisting { a = 1; } { a = 2; b = 3; }) (foldAttrs (x: s: [ x ] ++ s) [ ] [ { a = 1; } { a = 2; } ]) (filterAttrsRecursive (n: v: v != null) { a.b = null; a.c = 1; }) (mergeAttrsList [ { a = 1; } { a = 2; } ]) (updateManyAttrsByPath [ { path = [ "a" "b" ]; update = x: x + 1; } ] { a.b = 1; a.c = 5; })
      (attrsets.unionOfDisjoint { a = 1; } { b = 2; }) (attrsets.longestValidPathPrefix [ "a" "b" "c" ] { a.b = 1; }) (isDerivation { type = "derivation"; }) (mapAttrsToListRecursive (p: v: v) { a.b = 1; c = 2; })
    ];
    expect = [
      1 0 true false { a.b = 1; } 1
      { xa = 2; } [ "a1" "b2" ] { a = "a!"; b = "b!"; } { b = 2; }
      { a = 1; } { } { a = { b = 2; c = 1; }; d = 3; } { a.b = 2; } 3
      { a = [ 1 2 ]; b = [ 3 ]; } { a = [ 1 2 ]; } [ 1 2 ] { a1 = 1; a2 = 1; } [ { name = "a"; value = 1; } ]
      { a = 1; } [ 2 1 ] [ 1 ] { a.b = "a.b"; } true
      { a = 2; } { a = [ 1 2 ]; } { a.c = 1; } { a = 2; } { a = { b = 2; c = 5; }; }
      { a = 1; b = 2; } [ "a" "b" ] true [ 1 2 ]
    ];
  }
  {
    rule = "strings: joining and splitting";
    nixos = "the same";
    expr = [
      (concatStrings [ "a" "b" ]) (concatMapStrings toString [ 1 2 ]) (concatMapStringsSep "," toString [ 1 2 ]) (concatImapStringsSep "," (i: x: "${toString i}${x}") [ "a" "b" ]) (concatLines [ "a" "b" ]) (optionalString true "a") (optionalString false "a")
      (concatMapAttrsStringSep ";" (n: v: "${n}=${v}") { a = "1"; b = "2"; }) (intersperse "/" [ "a" "b" ]) (splitString "." "a.b..c") (splitString "ab" "1ab2") (splitString "" "") (stringToCharacters "abc") (strings.replicate 2 "ab") (fixedWidthString 4 "0" "12") (fixedWidthNumber 3 7)
      (hasPrefix "a" "ab") (hasSuffix "b" "ab") (hasInfix "x.y" "axyb") (hasInfix "x.y" "ax.yb") (removePrefix "a" "ab") (removePrefix "x" "ab") (removeSuffix "b" "ab") (trim "  a b \n") (trim "") (trimWith { start = true; } " a ") (trimWith { end = true; } " a ")
      (substring 1 1 "abc") (stringAsChars (c: if c == "a" then "x" else c) "aba") (strings.levenshtein "kitten" "sitting") (strings.levenshtein "" "ab") (strings.join "-" [ "a" "b" ])
    ];
    expect = [
      "ab" "12" "1,2" "1a,2b" "a\nb\n" "a" ""
      "a=1;b=2" [ "a" "/" "b" ] [ "a" "b" "" "c" ] [ "1" "2" ] [ "" "" ] [ "a" "b" "c" ] "abab" "0012" "007"
      true true false true "b" "ab" "a" "a b" "" "a " " a"
      "b" "xbx" 3 2 "a-b"
    ];
  }
  {
    rule = "strings: escaping and shells";
    nixos = "the same";
    expr = [
      (escapeShellArg "a b") (escapeShellArg "it's") (escapeShellArg "plain") (escapeShellArgs [ "a" "b c" 1 ]) (strings.toShellVar "x" "a b") (strings.toShellVar "x" [ "a" "b c" ]) (strings.toShellVar "x" { a = "1"; }) (strings.toShellVars { a = 1; b = "c d"; }) (fails (strings.toShellVar "1x" "a"))
      (escape [ "$" ] "a$b") (escapeRegex "a.b[c") (strings.escapeNixString "a\${b}\"c") (escapeXML "<a & 'b'>") (toUpper "aB") (toLower "aB") (strings.sanitizeDerivationName "a/b c") (strings.isValidPosixName "a_1") (strings.toSentenceCase "aBC")
      (toInt "12") (toInt " 7 ") (fails (toInt "012")) (toIntBase10 "012") (fails (toInt "a")) (strings.charToInt "a") (versionOlder "1.2" "1.10") (versionAtLeast "1.2" "1.2") (versions.major "1.2.3") (versions.majorMinor "1.2.3") (strings.escapeC [ " " ] "a b")
      (splitString "," (escapeShellArgs [ "a,b" ])) (isStringLike ./.) (strings.isConvertibleWithToString 1) (nameFromURL "https://x.y/z-1.2.tar.gz" ".tar")
    ];
    expect = [
      "'a b'" "'it'\\''s'" "plain" "a 'b c' 1" "x='a b'" "declare -a x=(a 'b c')" "declare -A x=([a]=1)" "a=1\nb='c d'" true
      "a\\$b" "a\\.b\\[c" "\"a\\\${b}\\\"c\"" "&lt;a &amp; &apos;b&apos;&gt;" "AB" "ab" "a-b-c" true "Abc"
      12 7 true 12 true 97 true true "1" "1.2" "a\\x20b"
      [ "a" "b" ] true true "z-1.2"
    ];
  }
  {
    rule = "generators";
    nixos = "the same";
    expr = [
      (generators.toKeyValue { } { a = 1; b = true; c = "x"; }) (generators.toINI { } { s = { a = 1; }; t = { b = "x"; }; }) (generators.toJSON { } { a = [ 1 ]; }) (generators.toINI { listsAsDuplicateKeys = true; } { s.a = [ 1 2 ]; })
      (generators.toINIWithGlobalSection { } { globalSection.x = 1; sections.s.a = 2; })
      (generators.toPretty { } { a = [ 1 "b" ]; c = null; d = { }; }) (generators.toPretty { multiline = false; } { a = [ true ]; "b c" = x: x; })
    ];
    expect = [
      "a=1\nb=true\nc=x\n" "[s]\na=1\n\n[t]\nb=x\n" "{\"a\":[1]}" "[s]\na=1\na=2\n"
      "x=1\n\n[s]\na=2\n"
      "{\n  a = [\n    1\n    \"b\"\n  ];\n  c = null;\n  d = { };\n}" "{ a = [ true ]; \"b c\" = <function>; }"
    ];
  }
  {
    rule = "packages and fixed points";
    nixos = "the same";
    expr =
      let p = { type = "derivation"; name = "a-1.0"; pname = "a"; version = "1.0"; outPath = "/s/a"; out = p; outputName = "out"; meta.mainProgram = "prog"; }; in
      [
        (getExe p) (getExe' p "x") (getName p) (getVersion "b-2.0") (makeBinPath [ p ]) (makeSearchPath "share" [ "/x" "/y" ]) (makeLibraryPath [ "/x" ]) (fails (getExe' p "a/b"))
        (fix (self: { a = 1; b = self.a + 1; })) ((extends (final: prev: { b = prev.a + 1; }) (final: { a = 1; })) { }) (makeExtensible (self: { a = 1; })).a ((makeExtensible (self: { a = 1; b = self.a; })).extend (final: prev: { a = 2; })).b
        ((composeExtensions (f: p: { a = 1; }) (f: p: { b = p.a; })) { } { }) ((composeManyExtensions [ (f: p: { a = 1; }) (f: p: { b = p.a; }) ]) { } { }) (callPackageWith { x = 1; y = 2; } ({ x, y, z ? 3 }: { s = x + y + z; }) { y = 5; }).s
        ((makeOverridable ({ x }: { r = x; }) { x = 1; }).override { x = 2; }).r
      ];
    expect = [
      "/s/a/bin/prog" "/s/a/bin/x" "a" "2.0" "/s/a/bin" "/x/share:/y/share" "/x/lib" true
      { a = 1; b = 2; } { a = 1; b = 2; } 1 2
      { a = 1; b = 1; } { a = 1; b = 1; } 9
      2
    ];
  }
]
