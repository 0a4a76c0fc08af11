# setup.toml: parameters, variants of them, and overlays that change how packages are built (nixos-compose 0.7).
#
#   [project] selected = "dev"        the variant that is used where the caller names none
#   [params]  a = 1                   what the composition sees as setup.params.a
#   [dev.params] a = 2                the same in variant dev
#   [dev.build.hello] deps/args/attrs/src      how package hello is built in variant dev
#
# `file` may be null or absent; `root` is its folder, `variant` a name or "", `parameters` name -> string (they win over the file's).
{ file, root, variant ? "", parameters ? { } }:
let
  inherit (builtins)
    attrNames concatLists elem filter fromTOML head isAttrs isInt isString mapAttrs match pathExists readFile;
  names = import ./names.nix;

  reserved = [ "project" "options" "params" "build" "overrides" "override-params" ];
  exists = file != null && pathExists file;
  raw = if exists then fromTOML (readFile file) else { };

  variants = filter (name: ! (elem name reserved) && isAttrs raw.${name}) (attrNames raw);
  selected = if variant != "" then variant else raw.project.selected or "";

  merge = a: b: a // mapAttrs (name: value: if isAttrs value && isAttrs (a.${name} or null) then merge a.${name} value else value) b;
  chosen =
    if selected == "" then { }
    else if ! exists then throw "nxc: setup variant `${selected}` is asked for, but there is no setup.toml beside the composition"
    else if elem selected reserved then throw "nxc: setup variant `${selected}`: this name is reserved in setup.toml (reserved are ${names.list reserved})"
    else if ! (elem selected variants)
    then throw "nxc: setup variant `${selected}` does not exist in setup.toml; it has ${names.list variants}${names.didYouMean selected variants}"
    else raw.${selected};
  merged = merge raw chosen;

  # A parameter comes as a string; it becomes what the file's own value of that name is.
  defaults = merged.params or { };
  typed = name: text:
    let
      default = defaults.${name} or (
        if defaults == { } then null
        else throw "nxc: setup parameter `${name}` does not exist in setup.toml; it has ${names.list (attrNames defaults)}${names.didYouMean name (attrNames defaults)}"
      );
      number = match "-?(0|[1-9][0-9]*)" text != null;
      mustBe = kind: throw "nxc: setup parameter `${name}` must be ${kind}, as in setup.toml; it is `${text}`";
    in
    if isString default then text
    else if isInt default then (if number then builtins.fromJSON text else mustBe "a whole number")
    else if builtins.isBool default then
      (if elem text [ "true" "false" ] then text == "true" else mustBe "true or false")
    else if builtins.isFloat default then
      (if match "-?[0-9]+([.][0-9]+)?" text != null then builtins.fromJSON text else mustBe "a number")
    else if default != null then throw "nxc: setup parameter `${name}` is ${names.kindOf default} in setup.toml and cannot be given as text"
    else if number then builtins.fromJSON text # no default: as nixos-compose's `-p name=value`
    else text;
  given = mapAttrs typed parameters;

  # Overlays of [build.<package>] and [build.nur.repos.<repository>.<package>].
  outside = value: isString value && (match "/.*" value != null || match "(.*/)?[.][.](/.*)?" value != null);
  source = prev: value:
    if outside value
    then throw "nxc: setup.toml: src = \"${value}\": only a path inside the composition's source, such as \"./hello\""
    else if isString value then root + "/${value}"
    else let fetch = head (attrNames value); in prev.${fetch} value.${fetch};
  dig = prev: path:
    builtins.foldl' (set: name: set.${name}) prev (filter isString (builtins.split "[.]" path));
  operations = prev: {
    deps = package: value: package.override (mapAttrs (_: dig prev) value);
    args = package: value: package.override value;
    attrs = package: value: package.overrideAttrs (_: value);
    src = package: value: let src = source prev value; in builtins.seq src (package.overrideAttrs (_: { inherit src; }));
  };
  build = prev: name: package: changes:
    let
      known = attrNames (operations prev);
      wrong = names.unknown known changes;
    in
    if wrong != [ ]
    then throw "nxc: setup.toml: build.${name}.${head wrong}: an operation is one of ${names.list known}"
    else builtins.foldl' (done: operation: (operations prev).${operation} done changes.${operation}) package (attrNames changes);
  attributesOf = prev: name: package: changes:
    package.overrideAttrs (_: mapAttrs (key: value: if key == "src" then source prev value else value) changes);

  overlayOf = change: wanted: final: prev:
    let
      packages = removeAttrs wanted [ "nur" ];
      absent = filter (name: ! (prev ? ${name})) (attrNames packages);
    in
    if absent != [ ] then throw "nxc: setup.toml changes package `${head absent}`, which does not exist"
    else mapAttrs (name: change prev name prev.${name}) packages // (if ! (wanted ? nur) then { }
    else if ! (prev ? nur) then throw "nxc: setup.toml changes packages of NUR, but this package source has no NUR"
    else {
      nur = prev.nur // {
        repos = prev.nur.repos // mapAttrs
          (repository: packages: prev.nur.repos.${repository} // mapAttrs
            (name: change prev name prev.nur.repos.${repository}.${name})
            packages)
          (wanted.nur.repos or wanted.nur);
      };
    });
  overlays =
    concatLists [
      (if merged ? overrides then [ (overlayOf attributesOf merged.overrides) ] else [ ])
      (if merged ? build then [ (overlayOf build merged.build) ] else [ ])
    ];

  unused = attrNames (merged.options or { });
  warn = value:
    if unused == [ ] then value
    else builtins.trace "nxc-warning: setup.toml: [options] ${names.list unused} belong to the nxc command and have no effect here (kernel parameters: Deployment.spec.kernelParameters)" value;
in
builtins.deepSeq given (warn (merged // {
  project = (merged.project or { }) // { inherit selected; };
  params = defaults // (merged.override-params or { }) // given;
  override-params = (merged.override-params or { }) // given;
  inherit overlays;
}))
