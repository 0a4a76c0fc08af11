"""One backend a flavour, behind `flavours.api`; found by the entry-point group `nxc.flavours`."""
