# The rules of one file, tried with one lib: [ { rule, holds, got, … } ]. The lib is the seed's, or
# nixpkgs' as the oracle, which is not asked where a rule says that NixOS `differs`.
{ lib, file, oracle ? false }:
let
  given = {
    inherit lib;
    inherit (lib) types mkOption mkIf mkMerge mkDefault mkForce mkOverride mkBefore mkAfter mkOrder;
    # The configuration of modules.
    eval = modules: (lib.evalModules { inherit modules; }).config;
    options = modules: (lib.evalModules { inherit modules; }).options;
    # One option of the type, defined once for each value, in this order.
    merge = type: values: (lib.evalModules {
      modules = [ { options.it = lib.mkOption { inherit type; }; } ] ++ map (value: { it = value; }) values;
    }).config.it;
    # Whether a value is an error.
    fails = value: !(builtins.tryEval (builtins.deepSeq value true)).success;
  };
in
map
  (case:
    let
      tried = builtins.tryEval (builtins.deepSeq case.expr case.expr);
      got = if tried.success then tried.value else "an error";
    in
    {
      inherit (case) rule nixos;
      inherit got;
      inherit (case) expect;
      holds = tried.success && tried.value == case.expect;
    })
  (builtins.filter (case: !(oracle && case.differs or false)) (import file given))
