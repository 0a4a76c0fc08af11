# A physical machine of Grid'5000: disks and network cards of its clusters, the console that Kadeploy records.
{ lib, ... }:
{
  boot.kernelParams = [ "console=tty0" "console=ttyS0,115200" ];
  boot.initrd.availableKernelModules = [
    "ahci" "sd_mod" "nvme" "megaraid_sas" "mpt3sas" "xhci_pci" "ehci_pci" "usbhid"
    "igb" "ixgbe" "i40e" "ice" "tg3" "bnx2x" "bnxt_en" "mlx4_en" "mlx5_core" "e1000e"
  ];
  boot.kernelModules = [ "kvm-intel" "kvm-amd" "ipmi_si" "ipmi_devintf" ];
  boot.supportedFilesystems = [ "nfs" ];
  nxc.wait-online.enable = lib.mkDefault true;
}
