"""Where a node answers, and the choice of nodes that a command line means. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from controller.model.errors import TestbedError, UserError
from controller.model.names import natural
from controller.model.node import Node

SSH_PORT = 22
_HOST_KEY = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9-]+(@openssh\.com)? [A-Za-z0-9+/]{40,}={0,2}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Target:
    """A node that SSH can be tried on. `host_key` as in known_hosts, without names; `boot` names this boot of it."""

    namespace: str
    deployment: str
    role: str
    host: str
    address: str
    port: int
    host_key: str
    aliases: tuple[str, ...] = ()
    boot: str = ""

    @property
    def alias(self) -> str:
        """Its name in known_hosts: the node's, not that of an address which others will have after it."""
        return f"{self.host}.{self.deployment}.{self.namespace}.nxc"

    @property
    def loopback(self) -> bool:
        """Whether it answers on the controller's host alone."""
        return self.address == "localhost" or (
            _is_address(self.address) and ipaddress.ip_address(self.address).is_loopback
        )


def target_of(node: Node) -> Target:
    """Where a node answers. Raises `TestbedError` with reason `NodeNotReachable` that says why it does not yet."""
    status = node.status
    if not status.address or not status.host_key:
        raise TestbedError("NodeNotReachable", f"{node.spec.host} cannot be logged in to: {why_not(node)}")
    address, port = _parted(status.address)
    if _HOST_KEY.fullmatch(status.host_key) is None:
        raise TestbedError("NodeNotReachable", f"{node.spec.host}: its status.hostKey is no SSH public key")
    return Target(
        namespace=node.meta.namespace,
        deployment=node.spec.deployment,
        role=node.spec.role,
        host=node.spec.host,
        address=address,
        port=port,
        host_key=status.host_key,
        aliases=node.spec.aliases,
        boot=boot_of(node),
    )


def boot_of(node: Node) -> str:
    """A name for one boot of a node: another one once it was restarted or replaced."""
    attempt = node.status.attempt
    return f"{node.meta.uid}/{attempt.number if attempt is not None else 0}"


def why_not(node: Node) -> str:
    """Why a node is not ready, in the words of its status."""
    ready = node.status.conditions["Ready"]
    if node.meta.deleting:
        return "it is on its way out"
    if ready is None:
        return "the controller has not looked at it yet (is it running?)"
    if ready.holds:
        return "it is Ready, but its status names no address and host key: its flavour has none"
    return ready.message or ready.reason


def choose(nodes: Sequence[Node], *, names: Sequence[str] = (), roles: Sequence[str] = ()) -> list[Node]:
    """The nodes that are meant, by role and host, each once; all of them where nothing is named.

    A name is a host (`alice`), another name of it (`server1`), its DeployedNode (`web.alice`), or a role with a
    single node. Raises `UserError` where there is no such node, or where several are meant by one name.
    """
    nodes = sorted(nodes, key=lambda node: (natural(node.spec.role), natural(node.spec.host)))
    chosen: dict[str, Node] = {}
    for role in roles:
        found = [node for node in nodes if node.spec.role == role]
        if not found:
            raise UserError("NoSuchRole", f"there is no node with the role {role!r}; {_roles(nodes)}")
        chosen |= {node.spec.host: node for node in found}
    for name in names:
        node = _named(nodes, name)
        chosen[node.spec.host] = node
    return list(chosen.values()) if names or roles else nodes


def _named(nodes: Sequence[Node], name: str) -> Node:
    for found in (
        [node for node in nodes if node.spec.host == name],
        [node for node in nodes if name in node.spec.aliases or node.meta.name == name],
        [node for node in nodes if node.spec.role == name],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            hosts = ", ".join(node.spec.host for node in found)
            raise UserError("SeveralNodes", f"{name!r} means several nodes ({hosts}): name one of them")
    hosts = ", ".join(node.spec.host for node in nodes) or "it has none"
    raise UserError("NoSuchNode", f"there is no node {name!r}; nodes: {hosts}")


def _roles(nodes: Sequence[Node]) -> str:
    names = sorted({node.spec.role for node in nodes}, key=natural)
    return f"roles: {', '.join(names)}" if names else "there are no nodes at all"


def _parted(address: str) -> tuple[str, int]:
    """`ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises `TestbedError` for anything else."""
    host, port = address, str(SSH_PORT)
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":") or port
    elif address.count(":") == 1:
        host, _, port = address.partition(":")
    good = _is_address(host) or _HOST.fullmatch(host) is not None
    if not good or not port.isdecimal() or not 0 < int(port) < 65536:
        raise TestbedError("NodeNotReachable", f"its status.address {address!r} is no address")
    return host, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
