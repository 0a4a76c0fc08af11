# As the paper prints it: exports as a list, which NixOS has never taken.
{ pkgs, ... }: {
  roles.server = { ... }: {
    services.nfs.server.enable = true;
    services.nfs.server.exports = [ "/srv/shared *(rw,no_subtree_check,fsid=0,no_root_squash)" ];
  };
}
