"""Where a node's SSH server answers: `status.address` of a DeployedNode."""

from __future__ import annotations

import ipaddress
import re

from controller.model.errors import TestbedError

SSH_PORT = 22
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_BRACKETS = re.compile(r"\[([^\]]*)\](?::(.+))?")


def parted(address: str) -> tuple[str, int]:
    """`ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises `TestbedError` for anything else."""
    host, port = address, str(SSH_PORT)
    if bracketed := _BRACKETS.fullmatch(address):
        host, port = bracketed[1], bracketed[2] or port
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    good = _is_address(host) or _HOST.fullmatch(host) is not None
    if not good or not port.isdecimal() or not 0 < int(port) < 65536:
        raise TestbedError("NodeNotReachable", f"its status.address {address!r} is no address")
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Whether it is an address of this host for itself."""
    return address == "localhost" or (_is_address(address) and ipaddress.ip_address(address).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
