"""What is on record of any machine that a backend on this host makes, and how it is kept and read."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from controller.model.errors import Blame, TestbedError
from controller.model.kinds import NODE, Key
from controller.model.machine import MachineKey
from controller.model.record import Unreadable, read

logger = logging.getLogger(__name__)

R = TypeVar("R", bound="MachineRecord")


class Stage(StrEnum):
    """How far a machine is. STARTING is on record before anything is made, ENDED until it is released."""

    ORDERED = "Ordered"
    STARTING = "Starting"
    RUNNING = "Running"
    ENDED = "Ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRecord:
    """One machine, as every flavour records it. `information` is the digest of what it was told last."""

    key: MachineKey
    owner: Key
    deployment: str
    digest: str
    machine: str
    role: str
    host: str
    information: str
    since: datetime
    stage: Stage = Stage.ORDERED
    ended: str = ""
    blame: Blame = Blame.TESTBED
    evidence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As its file has it; a flavour adds its own, and the version of its format."""
        return {
            "key": list(self.key),
            "owner": [self.owner.namespace, self.owner.name],
            "deployment": self.deployment,
            "digest": self.digest,
            "machine": self.machine,
            "role": self.role,
            "host": self.host,
            "information": self.information,
            "since": self.since.isoformat(),
            "stage": self.stage.value,
            "ended": self.ended,
            "blame": self.blame.value,
            "evidence": self.evidence,
        }


def common(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `MachineRecord` in what `to_dict` wrote."""
    installation, node, attempt = value["key"]
    return {
        "key": MachineKey(installation, node, attempt),
        "owner": Key(NODE, *value["owner"]),
        "deployment": value["deployment"],
        "digest": value["digest"],
        "machine": value["machine"],
        "role": value["role"],
        "host": value["host"],
        "information": value["information"],
        "since": datetime.fromisoformat(value["since"]),
        "stage": Stage(value["stage"]),
        "ended": value["ended"],
        "blame": Blame(value["blame"]),
        "evidence": value["evidence"],
    }


def nobodys(key: MachineKey, ended: str, now: datetime) -> dict[str, Any]:
    """The same of a machine that has ended, and nobody knows whose it was."""
    texts = dict.fromkeys(("deployment", "digest", "machine", "role", "host", "information"), "")
    return {
        **texts,
        "key": key,
        "owner": Key(NODE, "", ""),
        "since": now,
        "stage": Stage.ENDED,
        "ended": ended,
        "blame": Blame.CONTROLLER,
    }


def load(
    home: Path,
    text: bytes,
    version: int,
    parse: Callable[[Mapping[str, Any]], R],
    lost: Callable[[MachineKey, str, datetime], R],
    *,
    installation: str,
    now: datetime,
) -> R:
    """A record; `lost` in place of one that cannot be used: its node says so and goes on with a new machine."""
    try:
        return read(text, version, parse)
    except Unreadable as error:
        logger.error("the record in %s cannot be used, and its machine is ended: %s", home, error)
        node, _, attempt = home.name.rpartition("-")
        key = MachineKey(installation, node, int(attempt) if attempt.isdecimal() else 0)
        return lost(key, f"its record cannot be used, and so it was ended: {error}", now)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What the file system refuses is said to be the host's fault."""
    try:
        yield
    except OSError as error:
        raise TestbedError("StateUnusable", f"the records of machines cannot be kept: {error}") from None
