# A project of nixos-compose as it stands: its flake.nix calls `nxc.lib.compose`, and the arguments of that call are the
# compositions with all that belongs to them. The flake is evaluated without its inputs: nothing is fetched. nixpkgs is
# the package source's; another input is an error only where the composition really needs it.
{ flake, folder, source }:
let
  inherit (builtins) attrNames functionArgs isAttrs isPath isString listToAttrs match;
  names = import ./names.nix;
  inherit (source) system;

  declared = flake.inputs or { };
  urlOf = name: let input = declared.${name} or { }; in if isString (input.url or null) then input.url else "";
  isCompose = name: name == "nxc" || name == "nixos-compose" || match ".*/nixos-compose(-[a-z]*)?([./?].*)?" (urlOf name) != null;

  pkgs = source.pkgs [ ];
  nixpkgs = {
    inherit (source) lib;
    legacyPackages.${system} = pkgs;
  };
  compose = {
    lib = {
      compose = arguments: { compose = arguments; };
      nur = _: { overlay = final: prev: { }; };
    };
    devShells.${system} = { nxcShell = pkgs; nxcShellFull = pkgs; };
    packages.${system} = { };
    defaultPackage.${system} = { };
  };
  input = name:
    if isCompose name then compose
    else if name == "nixpkgs" then nixpkgs
    else throw "nxc: flake.nix: the composition needs the flake's input `${name}`, which is not fetched here: put what it gives into the source itself";

  wanted = attrNames (functionArgs flake.outputs // declared);
  inputs = listToAttrs (map (name: { inherit name; value = input name; }) wanted) // {
    self = outputs // { outPath = folder; inherit inputs; };
  };
  outputs = flake.outputs inputs;
  call = outputs.packages.${system} or { };
  arguments =
    if call ? compose then call.compose
    else throw "nxc: flake.nix: packages.${system} is not made by nxc.lib.compose { composition = …; }; it has ${names.list (attrNames call)}";
in
{
  composition = arguments.compositions or arguments.composition or (throw "nxc: flake.nix: nxc.lib.compose is given neither `composition` nor `compositions`");
  setupFile = arguments.setup or null;
  overlays = arguments.overlays or [ ];
  extraConfigurations = arguments.extraConfigurations or [ ];
  flavours =
    let
      read = value: if isPath value then import value else value;
      several = read (arguments.flavours or null);
      one = read (arguments.flavour or null);
    in
    if isAttrs several then several
    else if isAttrs one then { ${one.name} = one; }
    else { };
}
