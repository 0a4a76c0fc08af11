# Bash, where it is asked for: login shells are busybox's otherwise.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.programs.bash;
  lines = what: mkOption { type = types.lines; default = ""; description = what; };
in
{
  options.programs.bash = {
    enable = mkOption { type = types.bool; default = false; description = "Whether bash is there and users' shell. In NixOS it always is."; };
    shellAliases = mkOption { type = types.attrsOf (types.nullOr (types.either types.str types.path)); default = { }; description = "Aliases."; };
    shellInit = lines "Commands for every shell.";
    loginShellInit = lines "Commands for login shells.";
    interactiveShellInit = lines "Commands for interactive shells.";
    promptInit = lines "Commands that set the prompt.";
    completion.enable = mkOption { type = types.bool; default = false; description = "Without effect."; };
    enableCompletion = mkOption { type = types.bool; default = false; description = "Without effect."; };
  };
  config = lib.mkMerge [
    {
      environment.shellAliases = cfg.shellAliases;
      environment.shellInit = lib.mkIf (cfg.shellInit != "") cfg.shellInit;
      environment.loginShellInit = lib.mkIf (cfg.loginShellInit != "") cfg.loginShellInit;
      environment.interactiveShellInit = lib.mkIf (cfg.interactiveShellInit + cfg.promptInit != "") (cfg.promptInit + cfg.interactiveShellInit);
    }
    (lib.mkIf cfg.enable {
      environment.systemPackages = [ pkgs.bash ];
      users.defaultUserShell = lib.mkDefault "/run/current-system/sw/bin/bash";
    })
  ];
}
