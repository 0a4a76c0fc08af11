"""What is on record of one container, from before it is made until it is released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.boot.report import Expected
from controller.model.errors import Blame
from controller.model.kinds import NODE, Key
from controller.model.machine import MachineKey

VERSION = 1
"""Of the format of a container's record."""


class Stage(StrEnum):
    """How far a container is. STARTING: the engine may have it; ENDED until it is released."""

    ORDERED = "Ordered"
    STARTING = "Starting"
    RUNNING = "Running"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True)
class ContainerRecord:
    """One container. `service` is its part of the Compose file, `address` that on its deployment's network."""

    key: MachineKey
    owner: Key
    deployment: str
    digest: str
    machine: str
    role: str
    host: str
    toplevel: str
    readiness: tuple[str, ...]
    ports: tuple[int, ...]
    command_line_sha256: str
    service: Mapping[str, Any] = field(repr=False)
    folders: tuple[str, ...]
    address: str
    information: str
    since: datetime
    stage: Stage = Stage.ORDERED
    ended: str = ""
    blame: Blame = Blame.TESTBED
    evidence: str = ""

    @property
    def expected(self) -> Expected:
        """What a true report says. The kernel is the host's, whichever that is."""
        return Expected(self.toplevel, "", self.role, self.command_line_sha256)

    def to_dict(self) -> dict[str, Any]:
        """As its file has it."""
        return {
            "version": VERSION,
            "key": list(self.key),
            "owner": [self.owner.namespace, self.owner.name],
            "deployment": self.deployment,
            "digest": self.digest,
            "machine": self.machine,
            "role": self.role,
            "host": self.host,
            "toplevel": self.toplevel,
            "readiness": list(self.readiness),
            "ports": list(self.ports),
            "commandLineSha256": self.command_line_sha256,
            "service": dict(self.service),
            "folders": list(self.folders),
            "address": self.address,
            "information": self.information,
            "since": self.since.isoformat(),
            "stage": self.stage.value,
            "ended": self.ended,
            "blame": self.blame.value,
            "evidence": self.evidence,
        }

    @classmethod
    def lost(cls, key: MachineKey, why: str, now: datetime) -> ContainerRecord:
        """In place of a record that cannot be read: a container that is taken for ended, and so is replaced."""
        return cls(
            key=key,
            owner=Key(NODE, "", ""),
            deployment="",
            digest="",
            machine="",
            role="",
            host="",
            toplevel="",
            readiness=(),
            ports=(),
            command_line_sha256="",
            service={},
            folders=(),
            address="",
            information="",
            since=now,
            stage=Stage.ENDED,
            ended=f"its record cannot be used: {why}",
            blame=Blame.CONTROLLER,
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ContainerRecord:
        """Read what `to_dict` wrote."""
        installation, node, attempt = value["key"]
        return cls(
            key=MachineKey(installation, node, attempt),
            owner=Key(NODE, *value["owner"]),
            deployment=value["deployment"],
            digest=value["digest"],
            machine=value["machine"],
            role=value["role"],
            host=value["host"],
            toplevel=value["toplevel"],
            readiness=tuple(value["readiness"]),
            ports=tuple(value["ports"]),
            command_line_sha256=value["commandLineSha256"],
            service=value["service"],
            folders=tuple(value["folders"]),
            address=value["address"],
            information=value["information"],
            since=datetime.fromisoformat(value["since"]),
            stage=Stage(value["stage"]),
            ended=value["ended"],
            blame=Blame(value["blame"]),
            evidence=value["evidence"],
        )
