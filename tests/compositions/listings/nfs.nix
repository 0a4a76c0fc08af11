# A server's folder on every client.
{ pkgs, ... }: {
  roles = {
    server = { ... }: {
      networking.firewall.enable = false;
      services.nfs.server.enable = true;
      services.nfs.server.createMountPoints = true;
      services.nfs.server.exports = ''
        /srv/shared *(rw,no_subtree_check,fsid=0,no_root_squash)
      '';
    };
    client = { ... }: {
      networking.firewall.enable = false;
      fileSystems."/data" = {
        device = "server:/";
        fsType = "nfs";
      };
    };
  };
  testScript = ''
    client.wait_until_succeeds("mountpoint /data")
  '';
}
