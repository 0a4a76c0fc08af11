"""Conditions as the Kubernetes API conventions have them, and kstatus reads them.

A condition is an observation with a reason a program can test and a message a person can act on.
`Reconciling` and `Stalled` are there only while they are true (kstatus: an absent one means false).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from controller.model.quantity import format_time, parse_time

MESSAGE_LIMIT = 4096
"""Characters of a message that the schema accepts."""


class Status(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `since` is when `status` last changed; `generation` is the spec it was judged by."""

    type: str
    status: Status
    reason: str
    message: str = ""
    generation: int = 0
    since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether it is True; neither False nor Unknown."""
        return self.status is Status.TRUE


def true(type: str, reason: str, message: str = "") -> Condition:
    """A condition that holds."""
    return Condition(type, Status.TRUE, reason, message)


def false(type: str, reason: str, message: str = "") -> Condition:
    """A condition that does not hold."""
    return Condition(type, Status.FALSE, reason, message)


def unknown(type: str, reason: str, message: str = "") -> Condition:
    """A condition that nobody can judge now."""
    return Condition(type, Status.UNKNOWN, reason, message)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one object, by type, in the order in which they were set."""

    by_type: Mapping[str, Condition]

    def __getitem__(self, type: str) -> Condition | None:
        return self.by_type.get(type)

    def is_true(self, type: str) -> bool:
        """Whether the condition is there and holds."""
        condition = self.by_type.get(type)
        return condition is not None and condition.holds

    @classmethod
    def parse(cls, items: Iterable[Mapping[str, Any]] | None) -> Conditions:
        """Read `status.conditions`."""
        found = {}
        for item in items or ():
            found[item["type"]] = Condition(
                type=item["type"],
                status=Status(item["status"]),
                reason=item.get("reason", ""),
                message=item.get("message", ""),
                generation=item.get("observedGeneration", 0),
                since=parse_time(item.get("lastTransitionTime")),
            )
        return cls(found)

    def then(self, new: Iterable[Condition], *, generation: int, now: datetime) -> Conditions:
        """The conditions after an observation: exactly `new`, stamped.

        `lastTransitionTime` moves only when the status does (API conventions); a condition that is not
        in `new` is gone, which is how Reconciling and Stalled end.
        """
        stamped = {}
        for condition in new:
            before = self.by_type.get(condition.type)
            kept = before is not None and before.status is condition.status and before.since is not None
            stamped[condition.type] = replace(
                condition,
                message=condition.message[:MESSAGE_LIMIT],
                generation=generation,
                since=before.since if kept and before is not None else now,
            )
        return Conditions(stamped)

    def to_list(self) -> list[dict[str, Any]]:
        """As the API writes them."""
        return [
            {
                "type": c.type,
                "status": c.status.value,
                "reason": c.reason,
                "message": c.message,
                "observedGeneration": c.generation,
                "lastTransitionTime": format_time(c.since),
            }
            for c in self.by_type.values()
        ]


NO_CONDITIONS = Conditions({})
