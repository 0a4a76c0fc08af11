# Who gets in: root by the deployment's keys, over SSH, and nobody by a password. The host's key is made at boot.
{ config, lib, ... }:
let
  inherit (lib) mkDefault;
  withPassword = lib.attrNames (lib.filterAttrs
    (_: user: user.password != null || user.initialPassword != null || user.initialHashedPassword or null != null)
    config.users.users);
in
{
  services.openssh = {
    enable = mkDefault true;
    hostKeys = mkDefault [{ type = "ed25519"; path = "/etc/ssh/ssh_host_ed25519_key"; }];
    authorizedKeysFiles = [ "/run/nxc/authorized_keys.d/%u" ];
    settings = {
      PermitRootLogin = mkDefault "prohibit-password";
      PasswordAuthentication = mkDefault false;
      KbdInteractiveAuthentication = mkDefault false;
    };
  };
  warnings = lib.optional (withPassword != [ ])
    "the image carries a password of ${lib.concatStringsSep ", " withPassword} that everybody who can read it knows; SSH takes keys only";
}
