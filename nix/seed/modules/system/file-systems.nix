# What is mounted besides the root, which the flavour makes.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  supported = [ "tmpfs" "ramfs" "nfs" "nfs4" "none" "bind" "overlay" "proc" "sysfs" "debugfs" "tracefs" "cgroup2" "hugetlbfs" "9p" ];
  # The flavour makes these; hardware-configuration.nix files like to say where they are.
  madeByFlavour = [ "/" "/boot" "/nix" "/nix/store" ];
  fileSystem = types.submodule ({ name, config, ... }: {
    options = {
      enable = mkOption { type = types.bool; default = true; description = "Whether it is mounted."; };
      mountPoint = mkOption { type = types.str; default = name; description = "Where it is mounted."; };
      device = mkOption { type = types.nullOr types.nonEmptyStr; default = null; description = "What is mounted."; };
      label = mkOption { type = types.nullOr types.str; default = null; description = "Not on the seed."; };
      fsType = mkOption { type = types.nonEmptyStr; default = "auto"; description = "One of ${lib.concatStringsSep ", " supported}."; };
      options = mkOption { type = types.nonEmptyListOf types.nonEmptyStr; default = [ "defaults" ]; description = "Mount options."; };
      neededForBoot = mkOption { type = types.bool; default = false; description = "Without effect: all is mounted before local-fs.target or remote-fs.target."; };
      depends = mkOption { type = types.listOf types.path; default = [ ]; description = "Mount points that come first; those above it do anyway."; };
      noCheck = mkOption { type = types.bool; default = false; description = "Without effect."; };
      autoFormat = mkOption { type = types.bool; default = false; description = "Without effect."; };
      autoResize = mkOption { type = types.bool; default = false; description = "Without effect."; };
    };
  });
  wanted = lib.filter (fs: fs.enable && !lib.elem fs.mountPoint madeByFlavour) (lib.attrValues config.fileSystems);
  isNfs = fs: lib.elem fs.fsType [ "nfs" "nfs4" ];
in
{
  options = {
    fileSystems = mkOption {
      type = types.attrsOf fileSystem;
      default = { };
      example = { "/data" = { device = "server:/data"; fsType = "nfs"; }; };
      description = "What is mounted besides the root.";
    };
    swapDevices = mkOption { type = types.listOf types.raw; default = [ ]; description = "Without effect."; };
    boot.supportedFilesystems = mkOption {
      type = types.either (types.listOf types.str) (types.attrsOf types.bool);
      default = [ ];
      description = "Kinds of file systems whose programs the role needs, beyond those in fileSystems.";
    };
  };

  config = {
    assertions = lib.concatMap
      (fs: [
        {
          assertion = lib.elem fs.fsType supported;
          message = "fileSystems.\"${fs.mountPoint}\".fsType is ${fs.fsType}: the seed mounts ${lib.concatStringsSep ", " supported}; with packageSource nixpkgs there are more";
        }
        {
          assertion = fs.device != null || lib.elem fs.fsType [ "tmpfs" "ramfs" "overlay" "proc" "sysfs" ];
          message = "fileSystems.\"${fs.mountPoint}\".device is not set";
        }
      ])
      wanted;
    services.nfs.client.enable = lib.mkIf
      (builtins.any isNfs wanted
        || (if lib.isList config.boot.supportedFilesystems then lib.elem "nfs" config.boot.supportedFilesystems
        else config.boot.supportedFilesystems.nfs or false))
      true;
    system.build.fileSystems = map
      (fs: { inherit (fs) mountPoint fsType; options = lib.remove "defaults" fs.options; device = if fs.device == null then fs.fsType else fs.device; })
      (lib.sort (a: b: lib.elem a.mountPoint b.depends || a.mountPoint < b.mountPoint) wanted);
  };
}
