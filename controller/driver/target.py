"""Where a node answers, and who logs in. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from controller.model.address import is_loopback, parted
from controller.model.errors import TestbedError, UserError
from controller.model.node import Node

_HOST_KEY = re.compile(r"(sk-)?(ssh|ecdsa)-[a-z0-9-]+(@openssh\.com)? [A-Za-z0-9+/]{40,}={0,2}")
_VIA = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@:\[\]-]*|ssh://[A-Za-z0-9_][A-Za-z0-9_.@:\[\]-]*")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logs in: `user`, by the deployment's private key (`key`, OpenSSH's PEM) or by a key file of their own."""

    user: str
    key: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A node that SSH can be tried on. `host_key` as in known_hosts, without names; `boot` names this boot of it.

    `socket`: a UNIX socket that leads there, for who has no network.
    """

    namespace: str
    deployment: str
    role: str
    host: str
    address: str
    port: int
    host_key: str
    aliases: tuple[str, ...] = ()
    attempt: int = 0
    boot: str = ""
    socket: str = ""

    @property
    def alias(self) -> str:
        """Its name in known_hosts: the node's, not that of an address which others will have after it."""
        return f"{self.host}.{self.deployment}.{self.namespace}.nxc"

    @property
    def loopback(self) -> bool:
        """Whether it answers on the controller's host alone."""
        return is_loopback(self.address)


def target_of(node: Node) -> Target:
    """Where a node answers. Raises `TestbedError` with reason `NodeNotReachable` that says why it does not yet."""
    status = node.status
    if not status.address or not status.host_key:
        raise TestbedError("NodeNotReachable", f"{node.spec.host} cannot be logged in to: {why_not(node)}")
    address, port = parted(status.address)
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
        attempt=attempt_of(node),
        boot=boot_of(node),
    )


def boot_of(node: Node) -> str:
    """A name for one boot of a node: each has an attempt or, where the node restarted itself, a host key of its own."""
    return f"{node.meta.uid}/{attempt_of(node)}/{node.status.host_key}"


def attempt_of(node: Node) -> int:
    """The number of its attempt to boot; 0 before the first."""
    attempt = node.status.attempt
    return attempt.number if attempt is not None else 0


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


def checked_via(via: str) -> str:
    """A host to jump over, as ssh takes it. Raises `UserError`."""
    if _VIA.fullmatch(via) is None:
        raise UserError(
            "BadVia", f"--via: {via!r} is not a host as ssh takes it, such as me@login.example.org"
        )
    return via
