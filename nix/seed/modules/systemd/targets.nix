# Targets: names for sets of units. sysinit, basic, network, network-online, multi-user and the like
# are there without being declared.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  unitTypes = import ./types.nix lib;
  render = import ./unit.nix lib;
  targets = lib.filterAttrs (_: target: target.enable) config.systemd.targets;
in
{
  options.systemd.targets = mkOption {
    type = types.attrsOf (types.submodule { options = unitTypes.dependencies; });
    default = { };
    description = "Targets.";
  };
  config.system.build.units = lib.mapAttrs'
    (name: target: lib.nameValuePair "${name}.target" (render.common "target" name target))
    targets;
}
