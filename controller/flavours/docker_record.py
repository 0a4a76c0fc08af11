"""What is on record of one container, from before it is made until it is released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.boot.report import Expected
from controller.flavours.record import MachineRecord, common, nobodys
from controller.model.machine import MachineKey

VERSION = 1
"""Of the format of a container's record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecord(MachineRecord):
    """One container. `service` is its part of the Compose file, `address` that on its deployment's network."""

    toplevel: str
    readiness: tuple[str, ...]
    ports: tuple[int, ...]
    command_line_sha256: str
    service: Mapping[str, Any] = field(repr=False)
    folders: tuple[str, ...]
    address: str

    @property
    def expected(self) -> Expected:
        """What a true report says. The kernel is the host's, whichever that is."""
        return Expected(self.toplevel, "", self.role, self.command_line_sha256)

    def to_dict(self) -> dict[str, Any]:
        """As its file has it."""
        return {
            "version": VERSION,
            **MachineRecord.to_dict(self),
            "toplevel": self.toplevel,
            "readiness": list(self.readiness),
            "ports": list(self.ports),
            "commandLineSha256": self.command_line_sha256,
            "service": dict(self.service),
            "folders": list(self.folders),
            "address": self.address,
        }

    @classmethod
    def lost(cls, key: MachineKey, why: str, now: datetime) -> ContainerRecord:
        """In place of a record that cannot be read: a container that is taken for ended, and so is replaced."""
        return cls(
            **nobodys(key, why, now),
            toplevel="",
            readiness=(),
            ports=(),
            command_line_sha256="",
            service={},
            folders=(),
            address="",
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ContainerRecord:
        """Read what `to_dict` wrote."""
        return cls(
            **common(value),
            toplevel=value["toplevel"],
            readiness=tuple(value["readiness"]),
            ports=tuple(value["ports"]),
            command_line_sha256=value["commandLineSha256"],
            service=value["service"],
            folders=tuple(value["folders"]),
            address=value["address"],
        )
