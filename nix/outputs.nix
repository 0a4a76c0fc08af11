# nxc.lib.compose: what a flake.nix written for nixos-compose calls, with a nixpkgs of its own.
#
#   packages.${system} = nxc.lib.compose { inherit nixpkgs system; composition = ./composition.nix; };
#
# gives a derivation for each composition and flavour, named "<composition>::<flavour>". Usable without flakes, too:
# `nixpkgs` may be a path.
{ nixpkgs
, system ? "x86_64-linux"
, composition ? null
, compositions ? null
, single_composition_name ? "composition"
, flavour ? null
, flavours ? null
, setup ? null
, overlays ? [ ]
, extraConfigurations ? [ ]
, nur ? { }
, NUR ? null
, repoOverrides ? { }
}:
let
  inherit (builtins) attrNames concatMap isAttrs isPath listToAttrs mapAttrs;

  source = import ./nixpkgs { path = nixpkgs.outPath or nixpkgs; inherit system; };
  read = value: if isPath value then import value else value;
  all =
    if compositions != null then read compositions
    else if composition != null then { ${single_composition_name} = composition; }
    else throw "nxc: nxc.lib.compose needs `composition` or `compositions`";

  custom =
    if isAttrs (read flavours) then read flavours
    else if isAttrs (read flavour) then { ${(read flavour).name} = read flavour; }
    else { };
  wanted =
    if isAttrs (read flavours) then attrNames custom
    else if flavour != null then (if custom == { } then [ flavour ] else attrNames custom)
    else attrNames source.flavours;

  # The Nix User Repository, where the flake brings one.
  repositories = final: prev: {
    nur = import NUR {
      pkgs = prev;
      nurpkgs = prev;
      repoOverrides = mapAttrs (_: repository: import repository { pkgs = prev; }) repoOverrides;
    };
  };

  one = name: chosen: import ./compose.nix {
    inherit source nur extraConfigurations;
    composition = all.${name};
    flavour = chosen;
    flavours = custom;
    setup = import ./language/setup.nix { file = setup; root = if setup == null then null else dirOf setup; };
    overlays = (if NUR == null then [ ] else [ repositories ]) ++ overlays;
    file = name;
  };
in
listToAttrs (concatMap
  (name: map (chosen: { name = "${name}::${chosen}"; value = (one name chosen).drv; }) wanted)
  (attrNames all))
