"""Clients of what nodes are made of: QEMU and VDE on this host."""
