# What NixOS Compose's own options do on the seed.
{ config, lib, ... }:
let
  inherit (lib) mkIf mkMerge mkOption types;
  cfg = config.nxc;
  userNames = cfg.users.names;
in
{
  imports = [ ../../modules/options.nix ];

  options.nxc.wait-online.enable = mkOption {
    type = types.bool;
    default = false;
    description = "Without effect: the network is up before any service starts.";
  };

  config = mkMerge [
    {
      warnings = lib.optional cfg.root-sshKeys.enable
        "nxc.root-sshKeys.enable is without effect: no image carries a key; the deployment's own key lets you in (spec.authorizedKeys adds yours)";
    }
    (mkIf (userNames != [ ]) {
      users.users = lib.genAttrs userNames (name: {
        isNormalUser = true;
        home = "${cfg.users.prefixHome}/${name}";
        createHome = true;
      });
    })
    (mkIf (cfg.sharedDirs != { }) (
      let
        exported = lib.filter (path: cfg.sharedDirs.${path}.export) (lib.attrNames cfg.sharedDirs);
        mounted = lib.filterAttrs (_: dir: !dir.export && dir.server != "") cfg.sharedDirs;
      in
      {
        services.nfs.server = mkIf (exported != [ ]) {
          enable = true;
          exports = lib.concatMapStrings (path: "${path} *(rw,no_subtree_check,fsid=${builtins.hashString "md5" path},no_root_squash)\n") exported;
        };
        systemd.tmpfiles.rules = map (path: "d ${path} 1777 root root") exported;
        fileSystems = lib.mapAttrs (path: dir: {
          device = "${dir.server}:${path}";
          fsType = "nfs";
          options = [ "nolock" "soft" "retry=10" ];
        }) mounted;
      }
    ))
  ];
}
