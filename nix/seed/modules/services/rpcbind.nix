# rpcbind, which NFS version 3 needs.
{ config, lib, pkgs, ... }:
{
  options.services.rpcbind.enable = lib.mkEnableOption "rpcbind";
  config = lib.mkIf config.services.rpcbind.enable {
    environment.systemPackages = [ pkgs.rpcbind ];
    environment.etc."netconfig".text = ''
      udp        tpi_clts      v     inet     udp     -       -
      tcp        tpi_cots_ord  v     inet     tcp     -       -
      udp6       tpi_clts      v     inet6    udp     -       -
      tcp6       tpi_cots_ord  v     inet6    tcp     -       -
      local      tpi_cots_ord  -     loopback -       -       -
    '';
    environment.etc."rpc".source = "${pkgs.libtirpc-common or pkgs.rpcbind}/etc/rpc";
    # Debian's name for the user that it becomes.
    users.users._rpc = { isSystemUser = true; group = "nogroup"; description = "Rpcbind user"; };
    systemd.services.rpcbind = {
      description = "RPC Bind";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      serviceConfig = { Type = "simple"; ExecStart = "${pkgs.rpcbind}/bin/rpcbind -w -f"; RuntimeDirectory = "rpcbind"; Restart = "on-failure"; };
    };
  };
}
