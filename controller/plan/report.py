"""What a deployment says of itself: conditions, counts, timings, lease, and the news worth an Event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from controller.model.conditions import Condition, Conditions, false, true
from controller.model.deployment import Deployment, DeploymentStatus, Reservation
from controller.model.node import NodeSpec
from controller.model.quantity import counted, format_time
from controller.model.trial import Finding, Trial, TrialState
from controller.plan.readiness import judge_nodes
from controller.plan.testbed import Refusal
from controller.plan.trial import ENDS_IT, Verdict
from controller.plan.wish import DeploymentWorld, Wish, lease_end

LEASE_WARNING = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person would want to know; becomes an Event."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What a decision found: whether the deployment is admitted, what it holds, and what happens next.

    `specs` are what the hosts should be, where that is known; `changing` the hosts that lose their machine
    in this step; `acting` that something is done at all. `blocked` says why nothing will help but an edit.
    `tested` is the decision about the test script, which is at work on the nodes as they are while `testing`.
    """

    admitted: Condition
    reservation: Reservation | None
    specs: Mapping[str, NodeSpec] | None = None
    changing: frozenset[str] = frozenset()
    acting: bool = False
    held_back: int = 0
    unplaced: tuple[str, ...] = ()
    position: int | None = None
    blocked: Refusal | None = None
    request_pending: bool = False
    tested: Verdict = field(default_factory=Verdict)
    testing: bool = False


def report(world: DeploymentWorld, wanted: Wish, step: Step, now: datetime) -> DeploymentStatus:
    """The status of a deployment that is not on its way out."""
    deployment, before = world.deployment, world.deployment.status
    judged = judge_nodes(
        wanted.roles,
        [node for node in world.nodes if not node.meta.deleting],
        step.specs,
        flavour=deployment.flavour,
        changing=step.changing,
    )
    conditions = [step.admitted, wanted.image_ready, judged.provisioned, judged.up_to_date, judged.ready]
    if step.tested.condition is not None:
        conditions.append(step.tested.condition)
    blocked = step.blocked or wanted.hopeless_image
    settled = all(condition.holds for condition in conditions[:5])
    settled = settled and not (step.acting or step.unplaced or step.held_back)
    if judged.hopeless is not None:
        conditions.append(true("Stalled", "NodesFailed", judged.hopeless))
    elif blocked is not None and not deployment.suspend:
        conditions.append(true("Stalled", blocked.reason, blocked.message))
    elif not settled and not deployment.suspend:
        conditions.append(_reconciling(world, step, conditions))
    start, end = _lease(world, step.reservation, now)
    generation = deployment.meta.generation
    return replace(
        before,
        observed_generation=generation,
        conditions=before.conditions.then(conditions, generation=generation, now=now),
        counts=judged.counts,
        testbed=step.reservation.testbed if step.reservation is not None else "",
        reservation=step.reservation,
        queue_position=step.position,
        image=wanted.image or before.image,
        lease_start=start,
        lease_end=end,
        timings=_timings(deployment, conditions, step.reservation, now),
        # only when every node was told is the request dealt with
        last_handled=before.last_handled if step.request_pending else deployment.meta.requested_at,
        trial=step.tested.record,
    )


def wound_down(
    world: DeploymentWorld,
    admitted: Condition,
    reservation: Reservation | None,
    now: datetime,
    *,
    left: int,
    expired: bool,
    tested: Verdict,
) -> DeploymentStatus:
    """The status of a deployment whose nodes go: it is being deleted, moves, or its lease has ended."""
    deployment, before = world.deployment, world.deployment.status
    message = f"{counted(left, 'node')} still to go" if left else "no node is left"
    if world.problem is not None:
        message = world.problem.message
    image = before.conditions["ImageReady"]
    conditions = [
        admitted,
        image if image is not None else false("ImageReady", admitted.reason),
        *(false(type, admitted.reason, message) for type in ("Provisioned", "UpToDate", "Ready")),
    ]
    if tested.condition is not None:
        conditions.append(tested.condition)
    testbed, end = reservation.testbed if reservation is not None else "", before.lease_end
    if expired:
        testbed = before.testbed  # its lease is the one that ended: no other testbed begins it anew
        end = lease_end(deployment, world.testbed)
        conditions.append(true("Expired", "LeaseEnded", f"the lease ended at {format_time(end)}"))
    if left or not expired:
        conditions.append(true("Reconciling", admitted.reason, message))
    generation = deployment.meta.generation
    return replace(
        before,
        observed_generation=generation,
        conditions=before.conditions.then(conditions, generation=generation, now=now),
        counts=replace(before.counts, desired=0, ready=0, up_to_date=0, failed=0),
        reservation=reservation,
        testbed=testbed,
        queue_position=None,
        lease_end=end,
        trial=tested.record,
        # one that moves because it was asked to goes on until the last node has left
        last_handled=before.last_handled if left and not expired else deployment.meta.requested_at,
    )


def news(deployment: Deployment, after: DeploymentStatus, now: datetime) -> tuple[Notice, ...]:
    """What has turned since the last status, so that a person would want to know."""
    before = deployment.status
    notices = []
    if _turned(before.conditions, after.conditions, "Ready"):
        notices.append(Notice("Ready", f"{after.counts.ready} of {after.counts.desired} nodes are ready"))
    if _turned(before.conditions, after.conditions, "Tested"):
        notices.append(Notice("TestPassed", after.trial.finding.message if after.trial else "it passed"))
    elif (found := _ended_badly(before.trial, after.trial)) is not None:
        notices.append(Notice(f"Test{found.state.value}", found.message, warning=True))
    for type in ("Stalled", "Expired"):
        condition = after.conditions[type]
        if condition is not None and _turned(before.conditions, after.conditions, type):
            notices.append(Notice(condition.reason, condition.message, warning=True))
    admitted, was = after.conditions["Admitted"], before.conditions["Admitted"]
    waits = admitted is not None and admitted.reason == "WaitingForCapacity"
    if admitted is not None and waits and (was is None or was.reason != admitted.reason):
        notices.append(Notice(admitted.reason, admitted.message))
    end = after.lease_end
    if end is not None and end - LEASE_WARNING <= now < end:
        # said at each look; the recorder folds what repeats into one Event
        notices.append(Notice("LeaseEnding", f"the lease ends at {format_time(end)}", warning=True))
    return tuple(notices)


def _ended_badly(before: Trial | None, after: Trial | None) -> Finding | None:
    """How the test script's run ended just now, where it did not pass."""
    if after is None or after.state in (TrialState.RUNNING, TrialState.PASSED):
        return None
    known = before is not None and (before.digest, before.run, before.state) == (
        after.digest,
        after.run,
        after.state,
    )
    return None if known else after.finding


def next_lease_moment(status: DeploymentStatus, now: datetime) -> timedelta | None:
    """Until the lease's warning or end, whichever comes next."""
    if status.lease_end is None:
        return None
    warning = status.lease_end - LEASE_WARNING - now
    return warning if warning > timedelta(0) else max(timedelta(0), status.lease_end - now)


def _turned(before: Conditions, after: Conditions, type: str) -> bool:
    return after.is_true(type) and not before.is_true(type)


def _reconciling(world: DeploymentWorld, step: Step, conditions: Sequence[Condition]) -> Condition:
    blocking = next((condition for condition in conditions[:5] if not condition.holds), conditions[4])
    message = blocking.message
    if world.problem is not None:
        message = world.problem.message
    elif step.testing:
        message = (
            f"{counted(step.held_back, 'change')} of nodes to come when the test script has ended ({ENDS_IT})"
        )
    elif step.held_back:
        message = f"{counted(step.held_back, 'node')} to be updated when it is their turn"
    elif step.unplaced and step.admitted.holds:
        message = f"{step.unplaced[0]} waits until an earlier node has left its machine"
    return true("Reconciling", blocking.reason, message)


def _timings(
    deployment: Deployment, conditions: Sequence[Condition], reservation: Reservation | None, now: datetime
) -> dict[str, datetime]:
    """When each phase was first reached (the phases of the paper's Figure 8)."""
    timings = dict(deployment.status.timings)
    if deployment.meta.created is not None:
        timings.setdefault("requestedAt", deployment.meta.created)
    if reservation is None:
        return timings
    timings.setdefault("admittedAt", reservation.admitted or now)
    for name, condition in zip(
        ("imageReadyAt", "provisionedAt", "readyAt"), _phases(conditions), strict=True
    ):
        if condition.holds:
            timings.setdefault(name, now)
    return timings


def _phases(conditions: Sequence[Condition]) -> tuple[Condition, Condition, Condition]:
    _, image_ready, provisioned, _, ready = conditions[:5]
    return image_ready, provisioned, ready


def _lease(
    world: DeploymentWorld, reservation: Reservation | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Start and end of the lease; it starts with the admission, and may be taken away later."""
    deployment = world.deployment
    status = deployment.status
    start = status.lease_start
    if reservation is not None:
        start = min(start or now, now)  # a start yet to come: the clock went back
    end = lease_end(replace(deployment, status=replace(status, lease_start=start)), world.testbed)
    return (start, end) if end is not None else (None, None)
