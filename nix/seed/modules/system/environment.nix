# What every shell finds: packages, variables, aliases.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.environment;

  text = types.nullOr (types.oneOf [ types.str types.path types.int types.float ]);
  variables = types.attrsOf (types.coercedTo (types.listOf (types.either types.str types.path)) (lib.concatMapStringsSep ":" toString) text);
  # Double quotes, so that a value may mention another variable, as in NixOS.
  assign = name: value: ''export ${name}="${toString value}"'';
  shown = lib.filterAttrs (_: value: value != null);
in
{
  options.environment = {
    systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      example = lib.literalExpression "[ pkgs.curl ]";
      description = "Packages in every user's PATH, in /run/current-system/sw.";
    };
    defaultPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Packages that are there unless you say otherwise. The seed has none beyond busybox.";
    };
    variables = mkOption {
      type = variables;
      default = { };
      example = { EDITOR = "nano"; };
      description = "Variables of shells. Values may use other variables. A list is joined by colons.";
    };
    sessionVariables = mkOption {
      type = variables;
      default = { };
      description = "The same, for sessions of any kind. The seed has shells only.";
    };
    shellAliases = mkOption {
      type = types.attrsOf (types.nullOr (types.either types.str types.path));
      default = { };
      example = { ll = "ls -l"; };
      description = "Aliases of interactive shells.";
    };
    shells = mkOption { type = types.listOf (types.either types.shellPackage types.path); default = [ ]; description = "Permitted login shells, beside /bin/sh."; };
    shellInit = mkOption { type = types.lines; default = ""; description = "Shell commands for every shell that reads /etc/profile."; };
    loginShellInit = mkOption { type = types.lines; default = ""; description = "Shell commands for login shells."; };
    interactiveShellInit = mkOption { type = types.lines; default = ""; description = "Shell commands for interactive shells."; };
    extraInit = mkOption { type = types.lines; default = ""; description = "Shell commands after the variables."; };
    pathsToLink = mkOption { type = types.listOf types.str; default = [ ]; description = "Folders of packages that are linked. The seed links bin, sbin, lib, share and etc."; };
    extraSetup = mkOption { type = types.lines; default = ""; internal = true; description = "Without effect."; };
    localBinInPath = mkOption { type = types.bool; default = false; description = "Whether ~/.local/bin is in the PATH."; };
    homeBinInPath = mkOption { type = types.bool; default = false; description = "Whether ~/bin is in the PATH."; };
  };

  config = {
    # The program of a shell, which is a package or a path.
    lib.shells.pathOf = shell:
      if shell ? shellPath then "${shell}${shell.shellPath}"
      else if lib.isDerivation shell then lib.getExe shell
      else toString shell;
    environment = {
      systemPackages = lib.mkMerge [ [ pkgs.busybox ] cfg.defaultPackages ];
      sessionVariables = cfg.variables;
      etc = {
        profile.text = ''
          export PATH="${lib.optionalString cfg.homeBinInPath "$HOME/bin:"}${lib.optionalString cfg.localBinInPath "$HOME/.local/bin:"}/run/wrappers/bin:/run/current-system/sw/bin:/run/current-system/sw/sbin:/bin"
          ${lib.concatStringsSep "\n" (lib.mapAttrsToList assign (shown cfg.sessionVariables))}
          ${cfg.extraInit}
          ${cfg.shellInit}
          ${cfg.loginShellInit}
          case $- in *i*) . /etc/interactive ;; esac
        '';
        interactive.text = ''
          ${lib.concatStringsSep "\n" (lib.mapAttrsToList (name: value: "alias ${lib.escapeShellArg name}=${lib.escapeShellArg (toString value)}") (shown cfg.shellAliases))}
          ${cfg.interactiveShellInit}
        '';
        shells.text = lib.concatLines (lib.unique ([ "/bin/sh" "/run/current-system/sw/bin/sh" "/run/current-system/sw/bin/bash" ]
          ++ map config.lib.shells.pathOf cfg.shells));
      };
    };
  };
}
