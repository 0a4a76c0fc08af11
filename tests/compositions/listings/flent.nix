# The network between two nodes, measured by flent and netperf.
{ pkgs, ... }: {
  roles = {
    server = { pkgs, ... }: {
      environment.systemPackages = [ pkgs.netperf pkgs.iperf3 ];
      systemd.services.netserver = {
        wantedBy = [ "multi-user.target" ];
        after = [ "network.target" ];
        serviceConfig.ExecStart = "${pkgs.netperf}/bin/netserver -D";
      };
    };
    client = { pkgs, ... }: {
      environment.systemPackages = [ pkgs.flent pkgs.netperf pkgs.iperf3 ];
    };
  };
  testScript = ''
    server.wait_for_unit("netserver.service")
    client.succeed("flent -H server -l 5 tcp_download")
  '';
}
