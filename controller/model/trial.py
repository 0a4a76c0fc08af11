"""Trial: one run of a deployment's test script, for `spec.test: {run: OnReady}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.model.errors import Blame
from controller.model.quantity import format_precise, parse_time

LOG_LIMIT = 8192
"""Characters of a trial's log that are kept: its end."""
MESSAGE_LIMIT = 2048


class TrialState(StrEnum):
    """What became of a trial.

    BROKEN: it could not be run to its end, and says nothing of the system under test. UNAVAILABLE: the
    controller has no sandbox to run it in. STOPPED: the deployment's nodes were taken away under it.
    """

    RUNNING = "Running"
    PASSED = "Passed"
    FAILED = "Failed"
    BROKEN = "Broken"
    UNAVAILABLE = "Unavailable"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class Finding:
    """How a trial ended. `blame`: of one that failed or broke, where it is known; `line`: the script's, from 1."""

    state: TrialState
    message: str = ""
    blame: Blame | None = None
    line: int = 0
    log: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial as `status.test` has it.

    `digest` names what is tested: the image, its script, and the nodes as far as they are booted from it.
    `run` counts how often that was started.
    """

    digest: str
    image: str
    run: int
    started: datetime
    ended: datetime | None = None
    finding: Finding = Finding(TrialState.RUNNING)

    @property
    def state(self) -> TrialState:
        """What became of it."""
        return self.finding.state

    def to_dict(self) -> dict[str, Any]:
        """As the API has it; what is unset is left out."""
        found = self.finding
        shown = {
            "digest": self.digest,
            "image": self.image,
            "run": self.run,
            "state": found.state.value,
            "startedAt": format_precise(self.started),
            "endedAt": format_precise(self.ended),
            "blame": found.blame.value if found.blame is not None else "",
            "line": found.line,
            "message": found.message[:MESSAGE_LIMIT],
            "log": found.log[-LOG_LIMIT:],
        }
        return {name: value for name, value in shown.items() if value}

    @classmethod
    def parse(cls, value: Mapping[str, Any] | None) -> Trial | None:
        """Read `status.test`."""
        started = parse_time((value or {}).get("startedAt"))
        if not value or started is None:
            return None
        finding = Finding(
            TrialState(value["state"]),
            value.get("message", ""),
            Blame(value["blame"]) if value.get("blame") else None,
            value.get("line", 0),
            value.get("log", ""),
        )
        ended = parse_time(value.get("endedAt"))
        return cls(
            value.get("digest", ""), value.get("image", ""), value.get("run", 1), started, ended, finding
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What the sandbox of this process has of a deployment's trial. `waiting`: for its turn.

    `finding` is None while it is under way.
    """

    uid: str
    digest: str
    run: int
    waiting: bool = False
    finding: Finding | None = None
