# Functions about nothing in particular.
lib:
let
  inherit (builtins) isAttrs isString trace;
in
{
  inherit (builtins) bitAnd bitOr bitXor isBool isInt isFloat isPath readFile readDir pathExists
    genericClosure lessThan add sub tryEval seq deepSeq;

  id = x: x;
  const = x: _: x;
  flip = f: a: b: f b a;
  pipe = builtins.foldl' (value: f: f value);
  concat = a: b: a ++ b;
  mergeAttrs = a: b: a // b;
  or = a: b: a || b;
  and = a: b: a && b;
  xor = a: b: a != b;
  min = a: b: if a < b then a else b;
  max = a: b: if a > b then a else b;
  mod = a: b: a - b * (a / b);
  boolToString = b: if b then "true" else "false";
  boolToYesNo = b: if b then "yes" else "no";
  compare = a: b: if a < b then -1 else if a > b then 1 else 0;
  defaultTo = default: value: if value == null then default else value;
  mapNullable = f: value: if value == null then null else f value;

  importJSON = path: builtins.fromJSON (builtins.readFile path);
  importTOML = path: builtins.fromTOML (builtins.readFile path);

  # A set with `__functor` counts as a function.
  isFunction = f: builtins.isFunction f || (isAttrs f && f ? __functor && lib.isFunction (f.__functor f));
  functionArgs = f:
    if isAttrs f && f ? __functor then f.__functionArgs or (lib.functionArgs (f.__functor f))
    else builtins.functionArgs f;
  setFunctionArgs = f: args: { __functor = _: f; __functionArgs = args; };
  toFunction = value: if lib.isFunction value then value else _: value;
  mirrorFunctionArgs = f: lib.setFunctionArgs' (lib.functionArgs f);
  setFunctionArgs' = args: f: lib.setFunctionArgs f args;

  warn = message: trace "nxc-warning: ${message}";
  warnIf = condition: message: if condition then lib.warn message else x: x;
  warnIfNot = condition: lib.warnIf (!condition);
  throwIf = condition: message: if condition then throw message else x: x;
  throwIfNot = condition: lib.throwIf (!condition);
  checkListOfEnum = what: allowed: values: result:
    let wrong = lib.subtractLists allowed values; in
    if wrong == [ ] then result
    else throw "${what}: ${lib.generators.toPretty { } wrong}: each must be one of ${lib.generators.toPretty { } allowed}";
  assertMsg = condition: message: condition || throw message;
  assertOneOf = what: value: allowed:
    lib.assertMsg (builtins.elem value allowed)
      "${what} must be one of ${lib.generators.toPretty { } allowed}, but is ${lib.generators.toPretty { } value}";

  traceVal = x: trace x x;
  traceValSeq = x: trace (builtins.deepSeq x x) x;
  traceSeq = x: y: trace (builtins.deepSeq x x) y;
  traceIf = condition: message: x: if condition then trace message x else x;

  toHexString = n: lib.concatMapStrings (digit: builtins.substring digit 1 "0123456789ABCDEF") (lib.toBaseDigits 16 n);
  toBaseDigits = base: n:
    let digits = n: if n < base then [ n ] else digits (n / base) ++ [ (lib.mod n base) ];
    in digits n;

  # What modules ask about the release that they run on. The seed is no release of nixpkgs.
  release = "25.11";
  version = "25.11-seed";
  inPureEvalMode = !(builtins ? currentSystem);
  isStringLike = x: isString x || builtins.isPath x || (isAttrs x && (x ? outPath || x ? __toString));
}
