# A Kubernetes of k3s: agents find the server by the name of its role.
{ pkgs, ... }:
let
  token = "a-token-that-everybody-may-read";
in
{
  nodes = {
    server = { pkgs, ... }: {
      environment.systemPackages = with pkgs; [ k3s gzip ];
      networking.firewall.allowedTCPPorts = [ 6443 ];
      services.k3s = {
        inherit token;
        enable = true;
        role = "server";
        package = pkgs.k3s;
        extraFlags = "--disable traefik";
      };
    };
    agent = { pkgs, ... }: {
      environment.systemPackages = with pkgs; [ k3s gzip ];
      services.k3s = {
        inherit token;
        enable = true;
        role = "agent";
        serverAddr = "https://server:6443";
      };
    };
  };
  testScript = ''
    server.wait_for_unit("k3s.service")
    server.wait_until_succeeds("k3s kubectl get node agent")
  '';
}
