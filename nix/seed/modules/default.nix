# Every module of the seed. Option names and meanings are NixOS's; where something is missing or not
# enforced, docs/limits.md says so.
[
  ./assertions.nix
  ./build.nix
  ./inert.nix
  ./nxc.nix
  ./system/accounts.nix
  ./system/environment.nix
  ./system/etc.nix
  ./system/file-systems.nix
  ./system/locale.nix
  ./system/sudo.nix
  ./systemd/services.nix
  ./systemd/targets.nix
  ./systemd/tmpfiles.nix
  ./networking/firewall.nix
  ./networking/hosts.nix
  ./networking/interfaces.nix
  ./boot/kernel.nix
  ./programs/shells.nix
  ./programs/tools.nix
  ./services/nfs.nix
  ./services/openssh.nix
  ./services/rpcbind.nix
]
