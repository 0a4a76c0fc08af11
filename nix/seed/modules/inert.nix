# Options that compositions set by habit and that mean nothing here: accepted, without effect.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  inert = type: default: why: mkOption { inherit type default; description = "Without effect: ${why}"; };
  anything = inert types.anything { };
in
{
  options = {
    system.stateVersion = inert types.str lib.trivial.release "nothing on a node outlives it.";
    system.copySystemConfiguration = inert types.bool false "the composition is in the cluster.";
    system.autoUpgrade = anything "the controller deploys.";
    nix = anything "nodes have no Nix; their store is read-only.";
    nixpkgs = {
      # overlays: nixpkgs.nix
      config = anything "the seed's packages are Debian's, as they are.";
      hostPlatform = inert types.raw "x86_64-linux" "the seed is x86_64-linux.";
      system = inert types.str "x86_64-linux" "the seed is x86_64-linux.";
    };
    documentation = anything "no manual is in an image.";
    environment.noXlibs = inert types.bool true "nothing here has X; NixOS has dropped the option.";
    fonts = anything "there are none.";
    xdg = anything "there is no desktop.";
    programs.command-not-found.enable = inert types.bool false "there is no index of packages.";
    services.resolved.enable = inert types.bool false "names are looked up in /etc/hosts, and at networking.nameservers.";
    services.dbus.enable = inert types.bool false "there is no D-Bus.";
    console = anything "the console is the kernel's.";
    hardware = anything "the kernel's modules are those of the image.";
    powerManagement = anything "nodes do not sleep.";
    zramSwap = anything "there is no swap.";
    boot.loader = anything "the flavour boots.";
    boot.initrd = anything "the seed's initrd is its own.";
    boot.growPartition = inert types.bool false "the root is in memory.";
    networking.networkmanager.enable = inert types.bool false "the seed sets interfaces up by itself.";
    networking.wireless.enable = inert types.bool false "the seed has no wireless.";
    networking.dhcpcd = anything "the seed has its own DHCP client.";
    networking.useNetworkd = inert types.bool false "the seed sets interfaces up by itself.";
    networking.usePredictableInterfaceNames = inert (types.nullOr types.bool) null "interfaces are called eth0, eth1, ….";
    security.polkit.enable = inert types.bool false "there is none.";
    security.rtkit.enable = inert types.bool false "there is none.";
    security.pam = anything "there is no PAM: sessions come by SSH keys.";
    services.udisks2.enable = inert types.bool false "there is none.";
    services.timesyncd.enable = inert types.bool false "clocks are the host's.";
    services.getty = anything "nobody logs in on the console.";
    services.journald = anything "the journal is init's own, in memory.";
    services.logind = anything "there are no seats.";
    services.udev.enable = inert types.bool false "device nodes are the kernel's.";
    systemd.network = anything "the seed sets interfaces up by itself.";
    systemd.coredump.enable = inert types.bool false "nothing is kept of crashes.";
    systemd.enableEmergencyMode = inert types.bool false "there is no emergency mode.";
  };
}
