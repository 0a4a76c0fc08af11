# The smallest package source: roles are merged sets without types, and an image is a derivation that is never built.
# It shows that the composition language depends on nothing but the contract.
{ flavours ? [ "vm-ramdisk" "docker" ] }:
let
  derive = name: value: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; value = builtins.toJSON value; };
  merge = a: b: a // builtins.mapAttrs
    (n: v: if builtins.isAttrs v && builtins.isAttrs (a.${n} or null) && ! (v ? drvPath) then merge a.${n} v else v) b;
  flatten = arguments: module:
    let
      loaded = if builtins.isPath module || builtins.isString module then import module else module;
      value = if builtins.isFunction loaded then loaded arguments else loaded;
    in
    builtins.foldl' merge { } (map (flatten arguments) (value.imports or [ ]) ++ [ (removeAttrs (value.config or value) [ "imports" "_file" ]) ]);
  package = name: attributes: derive name attributes // attributes // {
    overrideAttrs = f: package name (attributes // f attributes);
  };
  base = { hello = package "hello" { }; curl = package "curl" { }; };
in
{
  name = "fake";
  system = "x86_64-linux";
  lib.optional = condition: value: if condition then [ value ] else [ ];
  modulesPath = "/fake/nixos";
  pkgs = overlays:
    let final = builtins.foldl' (prev: overlay: prev // overlay final prev) base overlays; in final;
  evalRole = { name, pkgs, modules, specialArgs }:
    let
      config = builtins.foldl' merge { } (map (flatten (specialArgs // { inherit pkgs config name; lib = { }; })) modules);
    in
    { inherit config; options.services.nfs.server.exports.definitions = [ (config.services.nfs.server.exports or "") ]; };
  flavours = builtins.listToAttrs (map
    (name: {
      inherit name;
      value = {
        description = "fake ${name}";
        module.flavoured = name;
        image = { pkgs, roles, metadata }:
          derive "image-${name}" (metadata // { roles = builtins.mapAttrs (_: role: role.config) roles; });
      };
    })
    flavours);
}
