{ pkgs, ... }: {
  roles =
    let
      users = { names = [ "user1" "user2" ]; prefixHome = "/users"; };
    in
    {
      server = { ... }: {
        nxc.users = users;
        nxc.sharedDirs."/users".export = true;
        nxc.postBootCommands = "touch /etc/server-was-here";
      };
      storage = { ... }: { nxc.sharedDirs."/data".export = true; };
      client = { ... }: {
        nxc.users = users;
        nxc.sharedDirs."/users".server = "server";
        nxc.sharedDirs."/data".server = "storage";
        nxc.wait-online.enable = true;
      };
    };
  testScript = ''
    storage.succeed("touch /data/foo")
    client.wait_until_succeeds("ls /data/foo")
  '';
}
