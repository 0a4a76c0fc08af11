"""What every node of a deployment is told of it: its hosts, and who may log in.

The digest of it stands in the spec of each DeployedNode. What one node gets (its role, its addresses) is made
of it by `controller.boot.document`.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.model.names import digest


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a deployment. `machine` is empty while it has none."""

    role: str
    name: str
    machine: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Information:
    """Every host of a deployment, in the order of assignment, and its users' SSH public keys."""

    hosts: tuple[Host, ...]
    authorized_keys: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """`sha256:…`; changes exactly when a running node must be told."""
        hosts = [[host.role, host.name, list(host.aliases), host.machine] for host in self.hosts]
        return digest({"hosts": hosts, "authorizedKeys": list(self.authorized_keys)})
