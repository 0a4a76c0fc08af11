# `programs.<name>.enable` for tools that need no more than their package.
{ config, lib, pkgs, ... }:
let
  packages = { htop = "htop"; tmux = "tmux"; less = "less"; nano = "nano"; tcpdump = "tcpdump"; };
in
{
  options.programs = lib.mapAttrs (name: _: { enable = lib.mkEnableOption name; }) packages;
  config.environment.systemPackages = lib.concatMap
    (name: lib.optional config.programs.${name}.enable pkgs.${packages.${name}})
    (lib.attrNames packages);
}
