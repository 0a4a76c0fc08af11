"""One attempt at a node: since when it is under way, and whether it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from controller.model.errors import Blame
from controller.model.machine import Machine, Phase
from controller.model.node import Attempt, Failure, NodeStatus

BOOT_LIMIT = timedelta(minutes=10)
"""From the order of a machine until it must have been reached; then the attempt has failed."""


def over(
    attempt: Attempt,
    machine: Machine | None,
    machines: Sequence[Machine],
    status: NodeStatus,
    now: datetime,
) -> Failure | None:
    """Whether the attempt is over, and why."""
    if machine is None:
        if not attempt.seen:
            return None
        return Failure(
            "MachineVanished", "the machine is gone without a trace", Blame.TESTBED, attempt.number, now
        )
    if len(machines) > 1:
        return Failure(
            "Duplicate",
            "two machines ran for one node; both are ended",
            Blame.CONTROLLER,
            attempt.number,
            now,
        )
    if machine.phase is Phase.GONE:
        return Failure(
            "MachineGone", machine.ended or "the machine ended", machine.blame, attempt.number, now
        )
    reached = "reachableAt" in of_this_boot(status, attempt, machine) or machine.reachable.ok
    if reached or left(attempt, machine, now) > timedelta(0):
        return None
    if machine.phase is Phase.STARTING:
        stage = "it did not start"
    elif not machine.information:
        stage = "it never fetched its deployment information"
    elif not machine.verified.ok:
        stage = f"it could not be verified: {machine.verified.message or 'no report came'}"
    else:
        stage = f"it could not be reached: {machine.reachable.message or 'no answer'}"
    minutes = int(BOOT_LIMIT.total_seconds() // 60)
    message = f"not up {minutes} minutes after its start: {stage}"
    return Failure("BootTimeout", message, Blame.TESTBED, attempt.number, now)


def of_this_boot(status: NodeStatus, attempt: Attempt, machine: Machine) -> dict[str, datetime]:
    """The timings of the node, unless its machine has restarted itself: then it begins anew."""
    return dict(status.timings) if new_boot(attempt, machine) is None else {}


def new_boot(attempt: Attempt, machine: Machine) -> datetime | None:
    """When the machine began another boot than the one on record; None: it has not.

    The two readings are told apart and not put in order: the clock that gave them may have gone back since.
    """
    return machine.since if attempt.since is not None and machine.since != attempt.since else None


def left(attempt: Attempt, machine: Machine, now: datetime) -> timedelta:
    """How long the machine may still take until it is reached."""
    return _started(attempt, machine, now) + BOOT_LIMIT - now


def _started(attempt: Attempt, machine: Machine, now: datetime) -> datetime:
    """When the deadline of an attempt began: when the backend took the order, maybe long after its record.

    A beginning that is yet to come means that the clock went back: then it counts from the reading that
    `plan.node` wrote down.
    """
    return machine.since if machine.since is not None and machine.since <= now else min(attempt.started, now)
