# Properties: marks that a module puts around what it defines. `merging.nix` acts on them.
lib:
let
  mkOverride = priority: content: { _type = "override"; inherit priority content; };
  mkOrder = priority: content: { _type = "order"; inherit priority content; };
in
{
  inherit mkOverride mkOrder;
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkAssert = condition: message: content:
    lib.mkIf (if condition then true else throw "nxc: ${message}") content;
  # A definition that stays as it is: marks inside are not acted upon.
  mkDefinition = definition: definition // { _type = "definition"; };

  # Of several definitions, those with the least number count.
  defaultOverridePriority = 100;
  mkOptionDefault = mkOverride 1500; # an option's own default
  mkDefault = mkOverride 1000;
  mkImageMediaOverride = mkOverride 60;
  mkForce = mkOverride 50;
  mkVMOverride = mkOverride 10;

  # Definitions are put together by ascending number.
  defaultOrderPriority = 1000;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;

  isType = type: value: value._type or "" == type;
  setType = type: value: value // { _type = type; };
}
