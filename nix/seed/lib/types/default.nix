# The types of options. `mkOptionType` has nixpkgs' interface, so that compositions can make their own.
lib:
let
  parts = map (file: import file lib) [ ./simple.nix ./strings.nix ./compound.nix ./submodule.nix ];

  mkOptionType =
    { name
    , description ? name
    , descriptionClass ? null
    , check ? (_: true)
    , merge ? lib.mergeDefaultOption
    , emptyValue ? { }
    , getSubOptions ? (_: { })
    , getSubModules ? null
    , substSubModules ? (_: null)
    , nestedTypes ? { }
    , deprecationMessage ? null
    , functor ? { inherit name; type = null; wrapped = null; payload = null; binOp = _: _: null; }
    , typeMerge ? lib.types.defaultTypeMerge functor
    , ...
    }@type:
    # What else a type carries (the values of an enum) stays in it.
    type // {
      _type = "option-type";
      inherit name description descriptionClass check merge emptyValue getSubOptions getSubModules
        substSubModules nestedTypes deprecationMessage functor typeMerge;
    };

  types = builtins.foldl' (all: part: all // part) { } parts // {
    inherit mkOptionType;
    isOptionType = value: value._type or "" == "option-type";
    # Types of one name go together, where they carry nothing or the same.
    defaultTypeMerge = mine: other:
      if mine.name != other.name then null
      else if mine ? merged then mine.merged other
      else if mine.wrapped or null == null && other.wrapped or null == null then mine.self or null
      else null;
    # A type that goes together with its like: `self` for both.
    alone = type: mkOptionType (type // {
      functor = { inherit (type) name; wrapped = null; payload = null; self = types.alone type; };
    });
  };
in
types
