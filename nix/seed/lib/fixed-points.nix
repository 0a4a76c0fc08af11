# Fixed points and overlays.
lib: {
  fix = f: let x = f x; in x;
  converge = f: x: let next = f x; in if next == x then x else lib.converge f next;
  extends = overlay: f: final: let prev = f final; in prev // overlay final prev;
  composeExtensions = f: g: final: prev:
    let first = f final prev; in first // g final (prev // first);
  composeManyExtensions = lib.foldr lib.composeExtensions (_: _: { });
  makeExtensible = lib.makeExtensibleWithCustomName "extend";
  makeExtensibleWithCustomName = name: f:
    lib.fix (self: f self // {
      ${name} = overlay: lib.makeExtensibleWithCustomName name (lib.extends overlay f);
    });

  # `f args` with `.override` (other arguments). Enough for functions that compositions write.
  makeOverridable = f: args:
    let result = f args; in
    if builtins.isAttrs result then
      result // { override = new: lib.makeOverridable f (args // (if lib.isFunction new then new args else new)); }
    else result;
  callPackageWith = scope: f: args:
    let
      function = if lib.isFunction f then f else import f;
      wanted = lib.functionArgs function;
      missing = builtins.filter (name: !wanted.${name} && !(scope ? ${name} || args ? ${name}))
        (builtins.attrNames wanted);
    in
    if missing == [ ] then lib.makeOverridable function (builtins.intersectAttrs wanted scope // args)
    else throw "nxc: callPackage: there is no package or argument ${lib.concatStringsSep ", " missing}";
}
