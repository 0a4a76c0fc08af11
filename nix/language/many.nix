# The composition language's `helpers`: functions that make roles out of one another (nixos-compose 0.7's names).
rec {
  # makeManyById (id: config) "name" 3 = { name1 = config 1; name2 = …; name3 = …; }
  makeManyById = configOf: name: count:
    if ! builtins.isInt count || count < 0
    then throw "nxc: helpers.makeMany: the count of `${name}` must be a whole number that is not negative"
    else
      builtins.listToAttrs
        (builtins.genList (i: { name = "${name}${toString (i + 1)}"; value = configOf (i + 1); }) count);

  # The same configuration each time.
  makeMany = config: makeManyById (_: config);

  # The attribute sets that `f` makes of each element; of the same name, the last one counts.
  mapListToAttrs = f: builtins.foldl' (all: element: all // f element) { };
  mapAttrNamesToAttrs = f: set: mapListToAttrs f (builtins.attrNames set);
  mapAttrsToAttrs = f: set: mapListToAttrs (name: f name set.${name}) (builtins.attrNames set);

  callPackage = throw
    "nxc: helpers.callPackage is for development with nixos-compose outside of a composition; here it is `pkgs.callPackage`";
}
