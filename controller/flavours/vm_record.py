"""What is on record of one virtual machine, from before it starts until it is released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.boot.report import Expected
from controller.flavours.record import MachineRecord, common, nobodys
from controller.model.machine import MachineKey
from controller.model.manifest import Manifest, RoleSystem

VERSION = 1
"""Of the format of a machine's record."""


@dataclass(frozen=True, slots=True)
class Boots:
    """What a role boots: logical store paths, and what the node has to say of itself once it has booted."""

    kernel: str
    initrd: tuple[str, ...]
    kernel_version: str
    toplevel: str
    readiness: tuple[str, ...]
    ports: tuple[int, ...]

    @classmethod
    def of(cls, manifest: Manifest, role: RoleSystem) -> Boots:
        """What `role` of an image boots: its own kernel where it has one."""
        return cls(
            kernel=role.kernel or manifest.kernel,
            initrd=role.initrd or manifest.initrd,
            kernel_version=role.kernel_version or manifest.kernel_version,
            toplevel=role.toplevel,
            readiness=role.readiness,
            ports=role.ports.tcp,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VmRecord(MachineRecord):
    """One machine.

    `user` is the uid that QEMU runs as; `restarts` when it restarted itself of late, `unreached` how often in a
    row before it had reported; `group` the directories of its control group.
    """

    image: str
    memory: int
    cpus: int
    boots: Boots
    command_line: str
    command_line_sha256: str
    user: int | None = None
    restarts: tuple[datetime, ...] = ()
    unreached: int = 0
    group: tuple[str, ...] = ()

    @property
    def expected(self) -> Expected:
        """What a true report says."""
        boots = self.boots
        return Expected(boots.toplevel, boots.kernel_version, self.role, self.command_line_sha256)

    def to_dict(self) -> dict[str, Any]:
        """As its file has it."""
        boots = self.boots
        return {
            "version": VERSION,
            **MachineRecord.to_dict(self),
            "image": self.image,
            "memory": self.memory,
            "cpus": self.cpus,
            "boots": {
                "kernel": boots.kernel,
                "initrd": list(boots.initrd),
                "kernelVersion": boots.kernel_version,
                "toplevel": boots.toplevel,
                "readiness": list(boots.readiness),
                "ports": list(boots.ports),
            },
            "commandLine": self.command_line,
            "commandLineSha256": self.command_line_sha256,
            "user": self.user,
            "restarts": [time.isoformat() for time in self.restarts],
            "unreached": self.unreached,
            "group": list(self.group),
        }

    @classmethod
    def lost(cls, key: MachineKey, why: str, now: datetime) -> VmRecord:
        """In place of a record that cannot be read: a machine that has ended."""
        return cls(
            **nobodys(key, why, now),
            image="",
            memory=0,
            cpus=0,
            boots=Boots("", (), "", "", (), ()),
            command_line="",
            command_line_sha256="",
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> VmRecord:
        """Read what `to_dict` wrote, or a version before it."""
        boots = value["boots"]
        return cls(
            **common(value),
            image=value["image"],
            memory=value["memory"],
            cpus=value["cpus"],
            boots=Boots(
                boots["kernel"],
                tuple(boots["initrd"]),
                boots["kernelVersion"],
                boots["toplevel"],
                tuple(boots["readiness"]),
                tuple(boots["ports"]),
            ),
            command_line=value["commandLine"],
            command_line_sha256=value["commandLineSha256"],
            user=value["user"],
            restarts=tuple(datetime.fromisoformat(time) for time in value.get("restarts", ())),
            unreached=value.get("unreached", 0),
            group=tuple(value.get("group", ())),
        )
