# Stage 1 on Grid'5000: the information may have to be fetched, and which network card leads there only DHCP tells.
{
  boot.initrd.systemd.network = {
    enable = true;
    wait-online.enable = false;
    networks."90-nxc-dhcp" = {
      matchConfig = { Type = "ether"; Kind = "!*"; };
      networkConfig.DHCP = "ipv4";
    };
  };
}
