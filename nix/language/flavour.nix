# A flavour is what a composition's roles become: a NixOS module that every role gets, and a function that makes the image.
# A custom one (nixos-compose: an attribute set `{ name; description; image = { type; }; module; }`) refines one that
# the package source has: the one it `extends`, the one of its name, or the first that makes its type of image.
{ source }:
let
  inherit (builtins) attrNames filter isAttrs isPath isString;
  names = import ./names.nix;

  available = attrNames source.flavours;
  typeToFlavour = { ramdisk = "vm-ramdisk"; tarball = "g5k-image"; remote-store = "g5k-nfs-store"; };

  unknown = name: also:
    let all = also ++ filter (n: ! (builtins.elem n also)) available; in
    throw "nxc: the flavour `${name}` does not exist for the package source `${source.name}`; there are ${names.list all}${names.didYouMean name all}";

  # What a composition sees as its argument `flavour`: nixos-compose's shape.
  seen = name: flavour: {
    inherit name;
    description = flavour.description or "";
    image =
      if builtins.elem name [ "docker" "nspawn" ] then { }
      else {
        distribution = "all-in-one";
        type = if name == "g5k-image" then "tarball" else if name == "g5k-nfs-store" then "remote-store" else "ramdisk";
      };
  };

  shipped = name:
    if source.flavours ? ${name}
    then let flavour = source.flavours.${name}; in { inherit name; inherit (flavour) image; modules = [ (flavour.module or { }) ]; argument = seen name flavour; }
    else unknown name [ ];

  custom = name: value:
    let
      base = shipped (
        value.extends or (
          if source.flavours ? ${name} then name
          else typeToFlavour.${value.image.type or "ramdisk"} or (throw
            "nxc: the custom flavour `${name}` has the image type `${value.image.type}`; there are ${names.list (attrNames typeToFlavour)}")
        )
      );
    in
    if ! isAttrs value then throw "nxc: the custom flavour `${name}` must be an attribute set { description; image; module; }, not ${names.kindOf value}"
    else base // {
      inherit name;
      modules = base.modules ++ (if value ? module then [ value.module ] else [ ]);
      argument = base.argument // { inherit name; } // removeAttrs value [ "module" "extends" ];
    };
  loaded = value: if isPath value then import value else value;
in
{
  # `wanted`: a name, a path or an attribute set; `own`: the composition's or the flake's custom flavours, by name.
  find = own: wanted:
    let value = loaded wanted; in
    if isString value then
      (if own ? ${value} then custom value (loaded own.${value})
      else if source.flavours ? ${value} then shipped value
      else unknown value (attrNames own))
    else if isAttrs value then custom (value.name or (throw "nxc: a custom flavour needs a `name`")) value
    else throw "nxc: a flavour is a name, a path, or an attribute set, not ${names.kindOf value}";
}
