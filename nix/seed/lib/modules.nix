# The module system: modules in, options and configuration out, with NixOS's semantics.
#
# A module is a path, a function of arguments, or a set: either `{ imports, options, config, … }`, or
# in short its configuration. Positions in files are kept, for errors.
lib:
let
  inherit (builtins) all any attrNames concatMap filter foldl' genericClosure head isAttrs isList
    isString length map mapAttrs removeAttrs;
  inherit (lib) blame isFunction isOption last optionalAttrs showOption types;
  inherit (lib.merging) byName mergeDefinitions pushDown;

  structural = [ "_class" "_file" "config" "disabledModules" "freeformType" "imports" "key" "meta" "options" "require" ];

  # A set as a module of the long form.
  unify = scope: file: key: set:
    let
      isLong = set ? config || set ? options;
      stray = removeAttrs set structural;
      imports = set.imports or [ ] ++ set.require or [ ];
    in
    {
      file = toString (set._file or file);
      key = toString (set.key or key);
      disabled = set.disabledModules or [ ];
      freeform = optionalAttrs (set ? freeformType) { inherit (set) freeformType; };
      imports =
        if isList imports then imports
        else blame.say scope "imports must be a list of modules; found ${blame.shown imports} (${blame.readable (set._file or file)})";
      options = set.options or { };
      config =
        if isLong then
          if stray == { } then set.config or { }
          else
            let name = head (attrNames stray); in
            blame.say scope "a module that has `options` or `config` at its top keeps its definitions in `config`, but ${name} stands beside it (${blame.place { inherit file; pos = builtins.unsafeGetAttrPos name stray; }}); move it to config.${name}"
        else removeAttrs set [ "_class" "_file" "disabledModules" "freeformType" "imports" "key" "require" ];
    };

  # Calls a module's function with the arguments that it names.
  call = scope: args: config: file: f:
    let
      fromModules = name: _: args.${name} or (
        config._module.args.${name} or (blame.say scope
          "a module wants the argument `${name}`, which nobody gives (${blame.readable file}); there are ${lib.concatStringsSep ", " (attrNames (args // config._module.args))}"));
    in
    f (args // mapAttrs fromModules (lib.functionArgs f));

  load = scope: args: config: file: key: module:
    if isFunction module then load scope args config file key (call scope args config file module)
    else if isAttrs module then
      if module ? _type && module._type != "module" then
        # mkIf and mkForce around a whole module are its configuration's; mkMerge belongs in `config`.
        if module._type == "if" || module._type == "override"
        then unify scope file key { config = module; }
        else blame.say scope "a value of kind ${module._type} is no module (${blame.readable file})${lib.optionalString (module._type == "merge") "; write { config = lib.mkMerge [ … ]; }"}"
      else unify scope file key module
    else if builtins.isPath module || isString module then
      let
        path = toString module;
        found = if lib.hasPrefix "/" path then import module else blame.say scope "the import ${builtins.toJSON path} is no path (${blame.readable file}); write it without quotes";
      in
      load scope args config path path found
    else blame.say scope "a module is a path, a function or a set; found ${blame.shown module} (${blame.readable file})";

  # All modules that the given ones import, each once (by key), the importing before the imported.
  collect = scope: args: config: modulesPath: modules:
    let
      nodes = file: key: list:
        lib.imap1
          (n: module:
            let loaded = load scope args config file "${key}:${toString n}" module; in
            { inherit (loaded) key; module = loaded; })
          list;
      closure = genericClosure {
        startSet = nodes "" "" modules;
        operator = { module, ... }: nodes module.file module.key module.imports;
      };
      named = module:
        if isAttrs module then module.key or (blame.say scope "disabledModules wants paths or keys")
        else if lib.hasPrefix "/" (toString module) then toString module
        else "${toString modulesPath}/${module}";
      disabled = concatMap ({ module, ... }: map named module.disabled) closure;
      # What a disabled module imports goes with it, unless others import it too.
      kept = filter (node: !lib.elem node.key disabled) (genericClosure {
        startSet = filter (node: !lib.elem node.key disabled) (nodes "" "" modules);
        operator = { module, ... }: filter (node: !lib.elem node.key disabled) (nodes module.file module.key module.imports);
      });
    in
    map (node: node.module) (if disabled == [ ] then closure else kept);

  # One option from its declarations ([ { file, option } ]).
  declare = scope: loc: declarations:
    let
      clash = field: a: b:
        blame.say scope "the option ${showOption loc} is declared twice, in ${blame.readable a.file} and in ${blame.readable b.file}${lib.optionalString (field != "") " (both give ${field})"}";
      add = sum: declaration:
        let
          a = sum.option;
          b = declaration.option;
          both = lib.findFirst (field: a ? ${field} && b ? ${field}) "" [ "default" "example" "description" "apply" ];
          type = a.type.typeMerge b.type.functor;
        in
        if both != "" then clash both sum declaration
        else if a ? type && b ? type && type == null then clash "types that do not go together" sum declaration
        else {
          inherit (sum) file;
          option = a // b // optionalAttrs (a ? type && b ? type) { inherit type; };
        };
    in
    (foldl' add (head declarations) (builtins.tail declarations)).option;

  evaluate = scope: loc: declarations: definitions:
    let
      option = declare scope loc declarations;
      type = option.type or types.unspecified;
      default = { file = (head declarations).file; value = lib.mkOptionDefault option.default; inherit scope; };
      defs = lib.optional (option ? default) default ++ definitions;
      merged = mergeDefinitions loc type defs;
      value =
        if defs == [ ] && !(type.emptyValue ? value) then blame.undefinedOption scope loc
        else if option.readOnly or false && length defs > 1 then blame.readOnly scope loc defs
        else merged.mergedValue;
    in
    option // {
      inherit loc type;
      value = if option ? apply then option.apply value else value;
      inherit (merged) isDefined highestPrio;
      definitions = map (def: def.value) merged.defsFinal;
      definitionsWithLocations = merged.defsFinal;
      files = map (def: def.file) merged.defsFinal;
      declarations = map (declaration: declaration.file) declarations;
      options = type.getSubOptions loc;
      __toString = _: showOption loc;
    };

  # One level of the tree: { options, config, unmatched }, the last for definitions without an option.
  level = scope: loc: declarations: definitions:
    let
      declared = builtins.zipAttrsWith (_: found: found) (map
        ({ file, options }: mapAttrs (_: option: { inherit file option; }) options)
        declarations);
      names = attrNames declared;
      sets = map
        (set: if isAttrs set.attrs then set else blame.notASet scope loc names (set.def // { value = set.attrs; }))
        (concatMap pushDown definitions);
      defined = byName sets;
      branches = mapAttrs
        (name: found:
          let
            here = loc ++ [ name ];
            defs = defined.${name} or [ ];
          in
          if all (d: isOption d.option) found then
            let option = evaluate scope here found defs; in
            { options = option; config = option.value; unmatched = [ ]; }
          else if any (d: isOption d.option) found then
            blame.say scope "${showOption here} is declared as an option in ${blame.readable (lib.findFirst (d: isOption d.option) null found).file} and as a set of options in ${blame.readable (lib.findFirst (d: !isOption d.option) null found).file}"
          else level scope here (map ({ file, option }: { inherit file; options = option; }) found) defs)
        declared;
      strangers = removeAttrs defined names;
    in
    {
      options = mapAttrs (_: branch: branch.options) branches;
      config = mapAttrs (_: branch: branch.config) branches;
      unmatched =
        concatMap (name: branches.${name}.unmatched) names
        ++ concatMap
          (name: map (def: { loc = loc ++ [ name ]; inherit def; siblings = names; }) strangers.${name})
          (attrNames strangers);
    };

  # What every configuration has besides its modules' options.
  internal = {
    _file = "lib/modules.nix";
    key = "lib/modules.nix";
    options._module = {
      args = lib.mkOption {
        type = types.lazyAttrsOf types.raw; internal = true;
        description = "Arguments for modules, besides those of the evaluation itself.";
      };
      check = lib.mkOption {
        type = types.bool; internal = true; default = true;
        description = "Whether definitions without an option are an error.";
      };
      freeformType = lib.mkOption {
        type = types.nullOr types.optionType; internal = true; default = null;
        description = "The type of definitions without an option; null: they are an error.";
      };
    };
  };
in
rec {
  inherit mergeDefinitions;

  # scope: { role, hint = loc → null | text for an option that does not exist }.
  evalModules =
    { modules
    , specialArgs ? { }
    , args ? { }
    , prefix ? [ ]
    , check ? true
    , class ? null
    , scope ? blame.nowhere
    , modulesPath ? specialArgs.modulesPath or ""
    }@arguments:
    let
      callArgs = { inherit lib config specialArgs; inherit (tree) options; _class = class; _prefix = prefix; } // specialArgs;
      collected = lib.reverseList (collect scope callArgs config modulesPath (
        modules ++ [
          internal
          {
            _file = "lib/modules.nix";
            key = "lib/modules.nix#args";
            config._module = {
              args = { inherit extendModules; moduleType = type; } // args;
              check = lib.mkIf (!check) (lib.mkDefault false);
            };
          }
        ]));
      freeforms = filter (module: module.freeform != { }) collected;
      tree = level scope prefix
        (map (module: { inherit (module) file options; }) collected)
        (map (module: { inherit (module) file; value = module.config; inherit scope; }) collected
          ++ map (module: { inherit (module) file; value._module = module.freeform; inherit scope; }) freeforms);
      freeformType = tree.config._module.freeformType;
      # Definitions without an option, each at its place again.
      free = mergeDefinitions prefix freeformType (map
        ({ loc, def, ... }: def // { value = lib.setAttrByPath (lib.drop (length prefix) loc) def.value; })
        tree.unmatched);
      config =
        if freeformType == null then tree.config
        else if tree.unmatched == [ ] then (freeformType.emptyValue.value or { }) // tree.config
        else lib.recursiveUpdate free.mergedValue tree.config;
      checked =
        if freeformType == null && tree.config._module.check && tree.unmatched != [ ]
        then blame.unknownOptions scope prefix tree.options tree.unmatched
        else result: result;
      type = types.submoduleWith { inherit modules specialArgs class; };
      extendModules = { modules ? [ ], specialArgs ? { }, prefix ? arguments.prefix or [ ] }:
        evalModules (arguments // {
          inherit prefix;
          modules = arguments.modules ++ modules;
          specialArgs = arguments.specialArgs or { } // specialArgs;
        });
    in
    {
      _type = "configuration";
      config = checked (removeAttrs config [ "_module" ]);
      options = checked tree.options;
      _module = checked config._module;
      inherit extendModules type class;
    };

  setDefaultModuleLocation = file: module: { _file = file; imports = [ module ]; };
  importApply = path: arguments: setDefaultModuleLocation path (import path arguments);

  # Definitions of one option for another one, with their priority.
  mkAliasDefinitions = mkAliasAndWrapDefinitions (x: x);
  mkAliasAndWrapDefinitions = wrap: option:
    lib.mkIf (option.isDefined or false) (wrap (lib.mkMerge option.definitions));
  mkAliasAndWrapDefsWithPriority = wrap: option:
    lib.mkIf (option.isDefined or false)
      (wrap (lib.mkMerge (map (lib.mkOverride (option.highestPrio or lib.defaultOverridePriority)) option.definitions)));
  mkAliasIfDef = option: lib.mkIf (option.isDefined or false);

  doRename = { from, to, visible, warn, use, withPriority ? true, condition ? true }:
    { config, options, ... }:
    let
      source = lib.getAttrFromPath from options;
      target = lib.attrByPath to (throw "nxc: the option ${showOption from} is renamed to ${showOption to}, which does not exist") options;
      copy = if withPriority then mkAliasAndWrapDefsWithPriority else mkAliasAndWrapDefinitions;
    in
    {
      options = lib.setAttrByPath from (lib.mkOption {
        inherit visible;
        description = "Alias of ${showOption to}.";
        apply = _: (if warn then use else x: x) (lib.getAttrFromPath to config);
      } // { type = target.type or types.unspecified; });
      config = lib.mkIf condition (lib.mkMerge [
        (optionalAttrs (options ? warnings) {
          warnings = lib.optional (warn && source.isDefined)
            "the option ${showOption from} has been renamed to ${showOption to} (${lib.concatMapStringsSep ", " blame.place source.definitionsWithLocations})";
        })
        (copy (lib.setAttrByPath to) source)
      ]);
    };
  mkRenamedOptionModule = from: to: doRename { inherit from to; visible = false; warn = true; use = x: x; };
  mkRenamedOptionModuleWith = { from, to, sinceRelease ? 0 }: mkRenamedOptionModule from to;
  mkAliasOptionModule = from: to: doRename { inherit from to; visible = true; warn = false; use = x: x; };
  mkAliasOptionModuleMD = mkAliasOptionModule;
  mkRemovedOptionModule = path: instead:
    { options, ... }: {
      options = lib.setAttrByPath path (lib.mkOption {
        visible = false;
        apply = _: throw "nxc: the option ${showOption path} no longer has any effect; please remove it. ${instead}";
      });
      config.assertions =
        let option = lib.getAttrFromPath path options; in
        [{
          assertion = !option.isDefined;
          message = "the option ${showOption path} (${lib.concatMapStringsSep ", " blame.place option.definitionsWithLocations}) no longer has any effect; please remove it. ${instead}";
        }];
    };
  mkMergedOptionModule = from: to: merge:
    { config, options, ... }: {
      options = foldl' lib.recursiveUpdate { } (map
        (path: lib.setAttrByPath path (lib.mkOption {
          type = types.raw; visible = false;
          default = "_mkMergedOptionModule"; # not defined
        }))
        from);
      config =
        let
          isSet = path: lib.attrByPath path "_mkMergedOptionModule" config != "_mkMergedOptionModule";
          set = filter isSet from;
        in
        optionalAttrs (options ? warnings) {
          warnings = map (path: "the option ${showOption path} has been changed to ${showOption to}, of another type; see its description") set;
        }
        // lib.setAttrByPath to (lib.mkIf (set != [ ]) (lib.mkMerge [ (merge config) ]));
    };
  mkChangedOptionModule = from: to: change: mkMergedOptionModule [ from ] to change;
  mkDerivedConfig = option: f: lib.mkOverride (option.highestPrio or lib.defaultOverridePriority) (f option.value);
}
