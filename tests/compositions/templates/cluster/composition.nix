# A machine that builds, and machines that take what it built. It brings no key: those would be everybody's.
{ pkgs, ... }:
let
  common = { pkgs, ... }: {
    networking.firewall.enable = false;
    services.openssh = {
      enable = true;
      ports = [ 22 ];
      settings.PermitRootLogin = "yes";
    };
    environment.systemPackages = [ pkgs.git ];
  };
in
{
  roles = {
    builder = { pkgs, ... }: {
      imports = [ common ];
      boot.postBootCommands = ''
        echo "extra-experimental-features = nix-command" > /root/nix.conf
      '';
      services.nix-serve = { enable = true; port = 8080; };
    };
    node = { pkgs, ... }: {
      imports = [ common ];
      nix.settings.substituters = [ "ssh-ng://builder" ];
      nix.distributedBuilds = true;
      nix.buildMachines = [{
        hostName = "builder";
        system = "x86_64-linux";
        maxJobs = 1;
        supportedFeatures = [ "big-parallel" ];
      }];
    };
  };
  testScript = ''builder.succeed("true")'';
}
