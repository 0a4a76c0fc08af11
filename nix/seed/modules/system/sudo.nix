# sudo: nobody on a node lacks root, and Debian's sudo wants PAM. Accepted, so that compositions evaluate.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.security = {
    sudo = {
      enable = mkOption { type = types.bool; default = false; description = "Not on the seed: a role that wants sudo is told so."; };
      wheelNeedsPassword = mkOption { type = types.bool; default = true; description = "Without effect."; };
      extraRules = mkOption { type = types.listOf types.raw; default = [ ]; description = "Without effect."; };
      extraConfig = mkOption { type = types.lines; default = ""; description = "Without effect."; };
      execWheelOnly = mkOption { type = types.bool; default = false; description = "Without effect."; };
    };
  };
  config.warnings = lib.optional config.security.sudo.enable
    "security.sudo.enable: the seed has no sudo; use root's SSH session (with packageSource nixpkgs it exists)";
}
