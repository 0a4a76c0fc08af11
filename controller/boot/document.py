"""The deployment information of one node: which role it plays, and who its neighbours are. Holds no secret.

The paper's "deployment information" (nixos-compose's deployment.json), one document a node and attempt. First
boot in the image reads it; both ends must agree on the bytes, so there is one canonical form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A host as the others see it: its address, and its other names."""

    address: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interface:
    """A network card. `address` with its prefix length, as in 10.0.0.1/16."""

    mac: str
    address: str
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What one node is told. `node` is the uid of its DeployedNode, `report` the URL that it answers to."""

    deployment: str
    namespace: str
    node: str
    host: str
    role: str
    hosts: Mapping[str, Neighbour]
    authorized_keys: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    report: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        document: dict[str, Any] = {
            "version": VERSION,
            "deployment": self.deployment,
            "namespace": self.namespace,
            "node": self.node,
            "host": self.host,
            "role": self.role,
            "hosts": {
                name: {"address": host.address, "aliases": list(host.aliases)}
                for name, host in self.hosts.items()
            },
            "authorizedKeys": list(self.authorized_keys),
            "interfaces": [
                {"mac": card.mac, "address": card.address, "gateway": card.gateway}
                for card in self.interfaces
            ],
            "parameters": dict(self.parameters),
        }
        if self.report:
            document["report"] = self.report
        return document

    def canonical(self) -> bytes:
        """The bytes that a node gets: sorted keys, no spaces, ASCII alone (a node may lack UTF-8)."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def parse(cls, text: bytes) -> Document:
        """Read what `canonical` wrote. Raises `ValueError` for anything else."""
        try:
            value = json.loads(text)
            if value["version"] != VERSION:
                raise ValueError(f"version {value['version']!r} of deployment information, not {VERSION}")
            return cls(
                deployment=value["deployment"],
                namespace=value["namespace"],
                node=value["node"],
                host=value["host"],
                role=value["role"],
                hosts={
                    name: Neighbour(host["address"], tuple(host["aliases"]))
                    for name, host in value["hosts"].items()
                },
                authorized_keys=tuple(value["authorizedKeys"]),
                interfaces=tuple(
                    Interface(card["mac"], card["address"], card["gateway"]) for card in value["interfaces"]
                ),
                parameters=value["parameters"],
                report=value.get("report", ""),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no deployment information: {error}") from None


def fingerprint(document: bytes) -> str:
    """The hex sha256 that goes with a document that is fetched, and that first boot checks."""
    return hashlib.sha256(document).hexdigest()
