# One composition: from what its author wrote (a function, a set, or a file with either) to a checked description
#   { modulesOf = role -> [ module ]; roleNames; testScript = nodes -> text; rolesDistribution; dockerPorts; extraVolumes;
#     overlays; extraConfigurations; }
# Each part is checked when it is looked at, and the roles' configurations only by the package source's module system.
{ root }:
let
  inherit (builtins)
    attrNames attrValues concatMap elem filter functionArgs head intersectAttrs isAttrs isFunction isInt isList isPath isString
    listToAttrs mapAttrs match readFile toXML;
  names = import ./names.nix;
  inherit (names) at didYouMean kindOf list;

  known = [
    "roles" "nodes" "testScript" "rolesDistribution" "dockerPorts" "extraVolumes" "overlays" "extraConfigurations" "flavours"
  ];
  # Known to nixos-compose or to NixOS's tests, and without meaning here.
  elsewhere = [ "name" "meta" "nspawnPorts" "skipLint" "skipTypeCheck" "enableOCR" "interactive" "defaults" ];

  # Every part of a function's pattern has to be asked of Nix's XML: functionArgs does not tell of the three dots.
  hasEllipsis = f: match ".*<attrspat[^>]* ellipsis=\"1\".*" (toXML f) != null;

  apply = what: arguments: f:
    let
      wanted = functionArgs f;
      missing = filter (name: ! wanted.${name} && ! (arguments ? ${name})) (attrNames wanted);
    in
    if wanted == { } then f arguments
    else if missing != [ ]
    then
      throw
        "nxc: ${what} asks for the argument `${head missing}`, which compositions are not given; there are ${list (attrNames arguments)}${didYouMean (head missing) (attrNames arguments)}"
    else f (if hasEllipsis f then arguments else intersectAttrs wanted arguments);

  load = what: value:
    if isPath value || (isString value && match "/.*" value != null) then import value
    else if isFunction value || isAttrs value then value
    else throw "nxc: ${what} must be a function or an attribute set with `roles`, not ${kindOf value}";

  isComposition = value: isAttrs value && (value ? roles || value ? nodes);

  # Role by role: what may stand for a configuration.
  modules = what: file: value:
    let
      ok = v: isFunction v || isAttrs v || isPath v || (isString v && match "/.*" v != null);
      elements = if isList value then value else [ value ];
      wrong = filter (v: ! ok v) elements;
    in
    if wrong != [ ]
    then throw "nxc: ${what} must be a NixOS configuration: a function, an attribute set, a path, or a list of these, not ${kindOf (head wrong)}"
    else [{ _file = file; imports = elements; }];
in
{
  inherit apply load isComposition;

  # `value` is the composition's attribute set; `file` what messages call its file, `what` what they call the composition.
  describe = { what, file, value, pkgs, lib }:
    let
      slips = filter (name: names.nearest name [ "roles" "nodes" ] != null) (attrNames value);
      hint = if slips == [ ] then "" else " (it has `${head slips}`${at root (head slips) value}; is that meant?)";
      key = if value ? roles then "roles" else "nodes";
      where = "`${key}`${at root key value}";
      misnamed = filter (name: ! names.isRoleName name) (attrNames value.${key});

      roles =
        if ! isAttrs value then throw "nxc: ${what} must give an attribute set with `roles`, not ${kindOf value}"
        else if value ? roles && value ? nodes
        then throw "nxc: ${what} has both `roles`${at root "roles" value} and `nodes`${at root "nodes" value}; they mean the same: keep one"
        else if ! isComposition value
        then throw "nxc: ${what} has no roles: write `roles = { server = { … }; };`${hint}"
        else if ! isAttrs value.${key}
        then throw "nxc: ${what}: ${where} must be an attribute set, role name to configuration, not ${kindOf value.${key}}"
        else if value.${key} == { } then throw "nxc: ${what}: ${where} is empty; at least one role is needed"
        else if misnamed != [ ]
        then
          throw
            "nxc: ${what}: the role name \"${head misnamed}\"${at root (head misnamed) value.${key}} must be a DNS label, for it becomes a host's name: at most 59 of a-z, 0-9 and `-`, with a letter or digit first and last"
        else value.${key};
      roleNames = attrNames roles;

      byRole = part: check: found:
        let strangers = names.unknown roleNames found; in
        if ! isAttrs found
        then throw "nxc: ${what}: `${part}`${at root part value} must be an attribute set by role, not ${kindOf found}"
        else if strangers != [ ]
        then throw "nxc: ${what}: ${part} names the role `${head strangers}`${at root (head strangers) found}, which does not exist; there are ${list roleNames}${didYouMean (head strangers) roleNames}"
        else mapAttrs (role: check "${part}.${role}${at root role found}") found;

      strings = where: found:
        let wrong = filter (v: ! isString v && ! isInt v) found; in
        if ! isList found then throw "nxc: ${what}: ${where} must be a list of strings, not ${kindOf found}"
        else if wrong != [ ] then throw "nxc: ${what}: ${where} must be a list of strings; it holds ${kindOf (head wrong)}"
        else map toString found;

      hosts = where: found:
        let wrong = filter (v: ! isString v || ! names.isHostName v) found; in
        if isInt found then
          (if found >= 0 && found <= 1000 then found else throw "nxc: ${what}: ${where} must be from 0 to 1000; it is ${toString found}")
        else if ! isList found then throw "nxc: ${what}: ${where} must be a number of nodes or a list of host names, not ${kindOf found}"
        else if wrong != [ ]
        then throw "nxc: ${what}: ${where} holds ${if isString (head wrong) then "\"${head wrong}\"" else kindOf (head wrong)}, which is no host name (a DNS label)"
        else found;

      listOf = part: test: kind:
        let
          found = value.${part} or [ ];
          wrong = filter (v: ! test v) found;
        in
        if ! isList found then throw "nxc: ${what}: `${part}`${at root part value} must be a list of ${kind}, not ${kindOf found}"
        else if wrong != [ ] then throw "nxc: ${what}: `${part}`${at root part value} must be a list of ${kind}; it holds ${kindOf (head wrong)}"
        else found;

      unused = names.unknown known value;
      stray = filter (name: ! (elem name elsewhere)) unused;
      warned = result:
        if stray != [ ] then builtins.trace "nxc-warning: ${what}: `${head stray}`${at root (head stray) value} has no meaning in a composition and is ignored${didYouMean (head stray) known}" result
        else if unused != [ ] then builtins.trace "nxc-warning: ${what}: `${head unused}`${at root (head unused) value} has no effect here" result
        else result;
    in
    {
      inherit roleNames;
      modulesOf = role: modules "role \"${role}\"${at root role roles}" "${file}, role ${role}" roles.${role};

      testScript = nodes: warned (
        let
          written = value.testScript or "";
          arguments = { inherit nodes pkgs lib; };
          found =
            if isFunction written then apply "${what}: testScript${at root "testScript" value}" arguments written
            else written;
        in
        if isString found then found
        else if isPath found then readFile found
        else throw "nxc: ${what}: testScript${at root "testScript" value} must be a string or a function of { nodes, ... }, not ${kindOf found}"
      );
      rolesDistribution =
        let
          found = byRole "rolesDistribution" hosts (value.rolesDistribution or { });
          named = concatMap (share: if isList share then share else [ ]) (attrValues found);
          twice = filter (host: builtins.length (filter (other: other == host) named) > 1) named;
        in
        if twice != [ ] then throw "nxc: ${what}: rolesDistribution${at root "rolesDistribution" value} names the host `${head twice}` twice"
        else found;
      dockerPorts = byRole "dockerPorts" strings (value.dockerPorts or { });
      # nixos-compose: one list for every role; by role is possible here too.
      extraVolumes =
        let found = value.extraVolumes or { }; in
        if isList found
        then let every = strings "extraVolumes${at root "extraVolumes" value}" found; in if every == [ ] then { } else listToAttrs (map (name: { inherit name; value = every; }) roleNames)
        else byRole "extraVolumes" strings found;

      overlays = listOf "overlays" isFunction "functions (final: prev: { … })";
      extraConfigurations = concatMap
        (m: modules "${what}: extraConfigurations" "${file}, extraConfigurations" m)
        (listOf "extraConfigurations" (m: isFunction m || isAttrs m || isPath m) "NixOS configurations");
      flavours =
        let found = value.flavours or { }; in
        if isAttrs found then found
        else throw "nxc: ${what}: `flavours`${at root "flavours" value} must be an attribute set of custom flavours, not ${kindOf found}";
    };
}
