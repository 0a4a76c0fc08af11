# The kernel, its parameters, modules and settings, and commands at boot.
{ config, lib, options, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.boot;
in
{
  imports = [
    (lib.mkRenamedOptionModule [ "boot" "tmpOnTmpfs" ] [ "boot" "tmp" "useTmpfs" ])
    (lib.mkRenamedOptionModule [ "boot" "cleanTmpDir" ] [ "boot" "tmp" "cleanOnBoot" ])
  ];

  options.boot = {
    kernelPackages = mkOption {
      type = types.raw;
      default = pkgs.linuxPackages;
      defaultText = lib.literalExpression "pkgs.linuxPackages";
      example = lib.literalExpression "pkgs.linuxPackages_generic";
      description = "The kernel. The seed has two of Debian's: linuxPackages, small, for virtual machines, and linuxPackages_generic.";
    };
    kernelModules = mkOption { type = types.listOf types.str; default = [ ]; apply = lib.unique; description = "Kernel modules that are loaded at boot."; };
    blacklistedKernelModules = mkOption { type = types.listOf types.str; default = [ ]; description = "Without effect: the seed loads no modules by itself."; };
    kernelParams = mkOption {
      type = types.listOf (types.strMatching "([^\"[:space:]]|\"[^\"]*\")+");
      default = [ ];
      description = "Kernel parameters.";
    };
    kernel.sysctl = mkOption {
      type = types.attrsOf (types.nullOr (types.oneOf [ types.bool types.int types.str types.path ]));
      default = { };
      example = { "net.ipv4.ip_forward" = 1; };
      description = "Kernel settings; null leaves one as it is.";
    };
    extraModprobeConfig = mkOption { type = types.lines; default = ""; description = "Lines of modprobe's configuration."; };
    extraModulePackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Refused where it is not empty: the seed builds no kernel modules."; };
    postBootCommands = mkOption { type = types.lines; default = ""; description = "Shell commands before services start."; };
    consoleLogLevel = mkOption { type = types.int; default = 4; description = "What the kernel writes to the console."; };
    isContainer = mkOption { type = types.bool; default = false; description = "Whether this is a container, without kernel and boot."; };
    tmp = {
      useTmpfs = mkOption { type = types.bool; default = false; description = "Whether /tmp is a tmpfs of its own."; };
      tmpfsSize = mkOption { type = types.either types.str types.ints.positive; default = "50%"; description = "Its size."; };
      cleanOnBoot = mkOption { type = types.bool; default = false; description = "Without effect: /tmp is empty at every boot."; };
    };
  };

  config = {
    assertions = [
      {
        assertion = cfg.extraModulePackages == [ ];
        message = "boot.extraModulePackages: the seed builds no kernel modules; with packageSource nixpkgs it does";
      }
      {
        assertion = cfg.kernelPackages ? kernel;
        message = "boot.kernelPackages must be pkgs.linuxPackages or pkgs.linuxPackages_generic";
      }
    ];
    boot.kernelParams = lib.mkIf (options.boot.consoleLogLevel.highestPrio < (lib.mkOptionDefault { }).priority) [ "loglevel=${toString cfg.consoleLogLevel}" ];
    fileSystems = lib.mkIf cfg.tmp.useTmpfs {
      "/tmp" = { device = "tmpfs"; fsType = "tmpfs"; options = [ "mode=1777" "size=${toString cfg.tmp.tmpfsSize}" ]; };
    };
    environment.etc."modprobe.d/nixos.conf" = lib.mkIf (cfg.extraModprobeConfig != "") { text = cfg.extraModprobeConfig; };
    system.build = {
      inherit (cfg) kernelModules kernelParams;
      inherit (cfg.kernelPackages) kernel;
      sysctl = lib.mapAttrs (_: value: if value == true then "1" else if value == false then "0" else toString value)
        (lib.filterAttrs (_: value: value != null) cfg.kernel.sysctl);
    };
  };
}
