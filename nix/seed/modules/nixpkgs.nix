# Overlays that a role brings for itself. Those of the composition are in `basePackages` already.
{ config, lib, basePackages, ... }:
let
  overlay = lib.mkOptionType { name = "overlay"; description = "function of final and prev"; check = lib.isFunction; merge = lib.mergeOneOption; };
in
{
  options.nixpkgs.overlays = lib.mkOption {
    type = lib.types.listOf overlay;
    default = [ ];
    example = lib.literalExpression "[ (final: prev: { hello = prev.curl; }) ]";
    description = "Changes of the package set, for this role.";
  };
  config._module.args.pkgs =
    if config.nixpkgs.overlays == [ ] then basePackages else basePackages.appendOverlays config.nixpkgs.overlays;
}
