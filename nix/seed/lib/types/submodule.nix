# Options whose value is a set with options of its own.
lib:
let
  inherit (builtins) isAttrs isPath map;
  inherit (lib.types) mkOptionType;
in
{
  submodule = modules: lib.types.submoduleWith { shorthandOnlyDefinesConfig = true; modules = lib.toList modules; };

  # shorthandOnlyDefinesConfig: a set among the definitions is configuration, even where it has
  # attributes called `config` or `imports`.
  submoduleWith =
    { modules, specialArgs ? { }, shorthandOnlyDefinesConfig ? false, description ? null, class ? null }@arguments:
    let
      evalWith = more: prefix: scope:
        lib.evalModules { inherit specialArgs class prefix scope; modules = modules ++ more; };
      asModule = def: {
        _file = def.file;
        imports = [
          (if shorthandOnlyDefinesConfig && isAttrs def.value then { config = def.value; } else def.value)
        ];
      };
      # For documentation: no definitions, and a name that says so.
      undefined = evalWith [ { _module.args.name = lib.mkOptionDefault "‹name›"; } ];
    in
    mkOptionType {
      name = "submodule";
      description = if description != null then description else "submodule";
      check = value: isAttrs value || lib.isFunction value || isPath value;
      merge = loc: defs:
        (evalWith
          (map asModule defs ++ [ { _file = "lib/types/submodule.nix"; _module.args.name = lib.last loc; } ])
          loc
          ((builtins.head defs).scope or lib.blame.nowhere)
        ).config;
      emptyValue.value = (evalWith [ ] [ ] lib.blame.nowhere).config;
      getSubOptions = prefix: (undefined prefix lib.blame.nowhere).options;
      getSubModules = modules;
      functor = {
        name = "submodule"; wrapped = null; payload = arguments;
        merged = other: lib.types.submoduleWith (arguments // {
          modules = modules ++ other.payload.modules;
          specialArgs = specialArgs // other.payload.specialArgs or { };
        });
      };
    };

  # A module, kept to be imported into evaluations later on.
  deferredModule = mkOptionType {
    name = "deferredModule"; description = "module";
    check = value: isAttrs value || lib.isFunction value || isPath value || builtins.isString value;
    merge = loc: defs: {
      imports = map (def: lib.setDefaultModuleLocation "${def.file}, via option ${lib.showOption loc}" def.value) defs;
    };
    emptyValue.value = { };
    functor = { name = "deferredModule"; wrapped = null; payload = null; self = lib.types.deferredModule; };
  };
}
