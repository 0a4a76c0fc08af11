# A virtual machine: virtio devices and a serial console.
{ lib, ... }:
{
  boot.kernelParams = [ "console=ttyS0" ];
  boot.initrd.availableKernelModules = [ "virtio_pci" "virtio_mmio" "virtio_net" "virtio_blk" "virtio_scsi" "virtio_rng" ];
  boot.initrd.kernelModules = [ "virtio_pci" "virtio_net" ];
  hardware.enableRedistributableFirmware = lib.mkDefault false;
}
