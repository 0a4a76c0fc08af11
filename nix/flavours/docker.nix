# A container with the host's store. Docker gives it its name, its peers' names and its resolver as mounted files.
{ lib, ... }:
{
  boot.isContainer = true;
  boot.specialFileSystems = lib.mkForce { };
  networking.useDHCP = lib.mkDefault false;
  networking.useNetworkd = lib.mkDefault false;
  networking.useHostResolvConf = false;
  networking.resolvconf.enable = false;
  services.resolved.enable = lib.mkDefault false;
  environment.etc."hosts".enable = false;

  services.openssh.startWhenNeeded = false;
  services.journald.console = "/dev/console";
  systemd.services.systemd-logind.enable = false;
  systemd.services.console-getty.enable = false;
  # The store belongs to the host.
  nix.enable = lib.mkDefault false;
}
