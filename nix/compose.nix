# NixOS Compose's composition language, independent of the package source that it is evaluated against.
#
#   import ./compose.nix {
#     source = import ./seed { };            # a package source (nix/README.md)
#     composition = ./composition.nix;       # or a function, or a set; or a set of several of these
#     flavour = "vm-ramdisk";                # a name, or a custom flavour
#   }
#
# gives { drv; roles; testScript; rolesDistribution; limitations; compositions; nodes; }: `drv` is the image, with the manifest, and
# `nodes` each role's { config, options }.
{ source
, composition
, select ? ""            # which, where `composition` holds several by name
, flavour
, flavours ? { }         # custom flavours, by name
, setup ? { }            # what language/setup.nix gives
, overlays ? [ ]
, extraConfigurations ? [ ]
, nur ? { }
, root ? /.              # the folder that messages and setup.toml are relative to
, file ? "composition.nix"
}:
let
  inherit (builtins) addErrorContext all attrNames attrValues elem head isAttrs isFunction isList length listToAttrs map mapAttrs;
  names = import ./language/names.nix;
  language = import ./language/composition.nix { inherit root; };
  flavourOf = (import ./language/flavour.nix { inherit source; }).find;

  outer = {
    setup = { params = { }; project.selected = ""; } // setup;
    overlays = overlays ++ (setup.overlays or [ ]);
  };
  arguments = pkgs: chosen: {
    inherit pkgs nur;
    inherit (source) lib system modulesPath;
    helpers = import ./language/many.nix;
    flavour = chosen.argument;
    setup = outer.setup;
  };

  # A file holds one composition or several by name: without `roles`, a set of nothing but compositions is several.
  given = language.load "the composition (${file})" composition;
  several = isAttrs given && ! language.isComposition given && given != { }
    && all (value: isFunction value || builtins.isPath value || language.isComposition value) (attrValues given);
  found = if several then attrNames given else [ "composition" ];
  name =
    if select == "" then
      (if length found == 1 then head found
      else throw "nxc: ${file} has several compositions, ${names.list found}: say with `select` which one is meant")
    else if elem select found then select
    else throw "nxc: the composition `${select}` does not exist in ${file}; there are ${names.list found}${names.didYouMean select found}";
  what = if several then "composition \"${name}\"" else "the composition (${file})";
  written = if several then language.load what given.${name} else given;

  describe = pkgs: chosen:
    let value = if isFunction written then language.apply what (arguments pkgs chosen) written else written; in
    language.describe {
      inherit what file pkgs;
      inherit (source) lib;
      value = addErrorContext "while evaluating ${what}" value;
    };

  # A composition may bring overlays and flavours of its own. It is asked for them before it is given their effect.
  plain = source.pkgs outer.overlays;
  ownFlavours = (if isAttrs written then written.flavours or { } else { }) // flavours;
  # A function is not asked for flavours where the name is a shipped one: it may look at `flavour` to decide its shape.
  chosen =
    if builtins.isString flavour && source.flavours ? ${flavour} && ! (ownFlavours ? ${flavour}) then flavourOf { } flavour
    else flavourOf ((describe plain (flavourOf { } "${head (attrNames source.flavours)}")).flavours // ownFlavours) flavour;
  first = describe plain chosen;
  pkgs = if first.overlays == [ ] then plain else source.pkgs (outer.overlays ++ first.overlays);
  described = if first.overlays == [ ] then first else describe pkgs chosen;

  nodes = listToAttrs (map
    (role: {
      name = role;
      value = checked role (addErrorContext "while evaluating role \"${role}\" of ${what}" (source.evalRole {
        inherit pkgs;
        name = role;
        modules = chosen.modules ++ described.modulesOf role ++ described.extraConfigurations ++ extraConfigurations;
        specialArgs = { inherit (outer) setup; flavour = chosen.argument; nodes = mapAttrs (_: node: node.config) nodes; };
      }));
    })
    described.roleNames);

  # A mistake that the paper itself prints (Listing 6); NixOS's own message would not say what to write instead.
  checked = role: node:
    let
      definitions = node.options.services.nfs.server.exports.definitions or [ ];
    in
    if isList definitions && builtins.any isList definitions
    then
      throw
        "nxc: role \"${role}\": services.nfs.server.exports must be text with one exported folder a line, not a list (the paper's Listing 6 prints a list): services.nfs.server.exports = '' /srv/shared *(rw,no_root_squash) '';"
    else node;

  limitations = import ./language/limitations.nix { inherit source; } {
    flavour = chosen.name;
    inherit nodes;
    inherit (described) dockerPorts extraVolumes;
  };

  testScript = described.testScript (mapAttrs (_: node: node.config) nodes);
  image = chosen.image {
    inherit pkgs;
    roles = nodes;
    metadata = {
      version = 1;
      flavour = chosen.name;
      inherit (source) system;
      packageSource = source.name;
      composition = name;
      inherit testScript;
      inherit (described) rolesDistribution dockerPorts extraVolumes;
      inherit limitations;
    };
  };
in
{
  drv = image;
  roles = described.roleNames;
  inherit testScript nodes limitations;
  inherit (described) rolesDistribution;
  compositions = found;
}
