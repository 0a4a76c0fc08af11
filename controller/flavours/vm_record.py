"""What is on record of one virtual machine, from before it starts until it is released."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.boot.report import Expected
from controller.model.errors import Blame, TestbedError
from controller.model.kinds import NODE, Key
from controller.model.machine import MachineKey
from controller.model.manifest import Manifest, RoleSystem

VERSION = 1
"""Of the format of a machine's record."""


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What the file system refuses is said to be the host's fault."""
    try:
        yield
    except OSError as error:
        raise TestbedError("StateUnusable", f"the records of machines cannot be kept: {error}") from None


class Stage(StrEnum):
    """How far a machine is. STARTING is on record before its process is made, ENDED until it is released."""

    ORDERED = "Ordered"
    STARTING = "Starting"
    RUNNING = "Running"
    ENDED = "Ended"


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


@dataclass(frozen=True, slots=True)
class VmRecord:
    """One machine.

    `information` is the digest of what it was told last; `user` the uid that QEMU runs as; `restarts` when it
    restarted itself of late, `unreached` how often in a row before it had reported; `group` the directories of its
    control group.
    """

    key: MachineKey
    owner: Key
    deployment: str
    digest: str
    machine: str
    role: str
    host: str
    image: str
    memory: int
    cpus: int
    boots: Boots
    command_line: str
    command_line_sha256: str
    information: str
    since: datetime
    user: int | None = None
    stage: Stage = Stage.ORDERED
    ended: str = ""
    blame: Blame = Blame.TESTBED
    evidence: str = ""
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
            "key": list(self.key),
            "owner": [self.owner.namespace, self.owner.name],
            "deployment": self.deployment,
            "digest": self.digest,
            "machine": self.machine,
            "role": self.role,
            "host": self.host,
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
            "information": self.information,
            "since": self.since.isoformat(),
            "user": self.user,
            "stage": self.stage.value,
            "ended": self.ended,
            "blame": self.blame.value,
            "evidence": self.evidence,
            "restarts": [time.isoformat() for time in self.restarts],
            "unreached": self.unreached,
            "group": list(self.group),
        }

    @classmethod
    def lost(cls, key: MachineKey, why: str, now: datetime) -> VmRecord:
        """In place of a record that cannot be read: a machine that has ended. Nobody knows whose it was."""
        return cls(
            key=key,
            owner=Key(NODE, "", ""),
            deployment="",
            digest="",
            machine="",
            role="",
            host="",
            image="",
            memory=0,
            cpus=0,
            boots=Boots("", (), "", "", (), ()),
            command_line="",
            command_line_sha256="",
            information="",
            since=now,
            stage=Stage.ENDED,
            ended=f"its record cannot be used, and so it was ended: {why}",
            blame=Blame.CONTROLLER,
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> VmRecord:
        """Read what `to_dict` wrote, or a version before it."""
        boots = value["boots"]
        installation, node, attempt = value["key"]
        return cls(
            key=MachineKey(installation, node, attempt),
            owner=Key(NODE, *value["owner"]),
            deployment=value["deployment"],
            digest=value["digest"],
            machine=value["machine"],
            role=value["role"],
            host=value["host"],
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
            information=value["information"],
            since=datetime.fromisoformat(value["since"]),
            user=value["user"],
            stage=Stage(value["stage"]),
            ended=value["ended"],
            blame=Blame(value["blame"]),
            evidence=value["evidence"],
            restarts=tuple(datetime.fromisoformat(time) for time in value.get("restarts", ())),
            unreached=value.get("unreached", 0),
            group=tuple(value.get("group", ())),
        )
