# The seed's packages: every Debian package of the lock as a store path of its own, nixpkgs' names for them, and a
# few builders.
#   import ./packages { }                          the set
#   import ./packages { overlays = [ (final: prev: { … }) ]; }   nixpkgs' overlay semantics
# An attribute is a derivation, or throws where it is asked for; nothing is evaluated that nobody asks for.
{
  lock ? ../lock.json,
  overlays ? [ ],
  # What `pkgs.lib` is; the module system's library.
  lib ? { },
}:
let
  locked = builtins.fromJSON (builtins.readFile lock);

  layers = [
    (import ./builders.nix { inherit locked; })
    (import ./stdenv.nix { inherit locked; })
    (import ./debian.nix { inherit locked; })
    (import ./linux.nix { inherit locked; })
    (import ./aliases.nix { inherit locked; })
  ];

  base = final: {
    inherit lib;
    system = "x86_64-linux";
    overlays = overlays;
    # The set again with more overlays, as in nixpkgs.
    extend = more: import ./. { inherit lock lib; overlays = overlays ++ [ more ]; };
    appendOverlays = more: import ./. { inherit lock lib; overlays = overlays ++ more; };
    # Calls a function, or the function in a file, with the packages that it names as arguments.
    callPackage =
      f: arguments:
      let
        function = if builtins.isFunction f then f else import f;
        wanted = builtins.functionArgs function;
      in
      function (builtins.intersectAttrs wanted final // arguments);
  };

  apply = final: prev: layer: prev // layer final prev;
  final = builtins.foldl' (apply final) (base final) (layers ++ overlays);
in
final
