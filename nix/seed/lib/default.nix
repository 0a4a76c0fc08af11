# The `lib` of compositions that are evaluated against the seed: nixpkgs' names and meanings, for what
# compositions and modules use. Needs nothing but Nix >= 2.8.
let
  namespaces = {
    trivial = import ./trivial.nix lib;
    lists = import ./lists.nix lib;
    attrsets = import ./attrsets.nix lib;
    strings = import ./strings.nix lib;
    versions = import ./versions.nix lib;
    fixedPoints = import ./fixed-points.nix lib;
    sources = import ./sources.nix lib;
    generators = import ./generators.nix lib;
    meta = import ./meta.nix lib;
    options = import ./options.nix lib;
    priorities = import ./priorities.nix lib;
    modules = import ./modules.nix lib;
    types = import ./types lib;
    # Not in nixpkgs: how definitions are merged, and how errors are told.
    merging = import ./merging.nix lib;
    blame = import ./blame.nix lib;
  };

  # As in nixpkgs, everything but these is also reachable without its namespace.
  onlyQualified = [ "types" "generators" "versions" "merging" "blame" ];

  lib = builtins.foldl' (all: names: all // names) { }
    (builtins.attrValues (builtins.removeAttrs namespaces onlyQualified))
  // namespaces
  // {
    inherit (namespaces.versions) versionOlder versionAtLeast;
    # Names that two namespaces have.
    inherit (namespaces.lists) replicate;
    inherit (namespaces.strings) hasPrefix;
    inherit (namespaces.types) mkOptionType isOptionType;
    modules = namespaces.modules // namespaces.priorities;
  };
in
lib
