"""The life of a node: boot, learn, be verified, be reached, be healthy; fail, wait, try again.

One attempt is one boot. Its number is in the status before the machine is ordered, so that a controller
that dies in between finds out what happened instead of booting twice. A failed attempt is released, and
after a back-off the next one starts, until `retry.attempts` failures; then the node is Stalled and says why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.model.conditions import Condition, false, true, unknown
from controller.model.errors import Blame, NxcError
from controller.model.kinds import MACHINE_FINALIZER, NODE, Key
from controller.model.machine import Machine, MachineKey, Order, Phase, Signal
from controller.model.node import NODE_PHASES, Attempt, Failure, Node, NodeStatus
from controller.model.quantity import format_time
from controller.plan.testbed import Refusal

BOOT_LIMIT = timedelta(minutes=10)
"""From the order of a machine until it must have been reached; then the attempt has failed."""
BACKOFF_BASE = timedelta(seconds=5)
BACKOFF_LIMIT = timedelta(minutes=5)
STABLE_AFTER = timedelta(minutes=10)
"""After this long Ready, earlier failures no longer count."""
LOOK_AGAIN = timedelta(seconds=60)
"""How often a node is looked at without being woken."""
SOON = timedelta(seconds=1)

STAGES = ("Booted", "Informed", "Verified", "Reachable", "Healthy")
"""What a machine goes through on its way to Ready, in order."""


@dataclass(frozen=True, slots=True)
class Boot:
    """Order the machine of the attempt in the status."""

    order: Order


@dataclass(frozen=True, slots=True)
class Inform:
    """Push changed deployment information to a running machine."""

    key: MachineKey
    information: str


@dataclass(frozen=True, slots=True)
class Release:
    """End every machine of the node; `then_forget`: and once nothing is left, let the object go."""

    then_forget: bool = False


Action = Boot | Inform | Release


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What to write, what to do after that, and when to look again at the latest."""

    status: NodeStatus
    actions: tuple[Action, ...] = ()
    look_again: timedelta | None = None


@dataclass(frozen=True, slots=True)
class NodeWorld:
    """What a decision about a node is made from.

    `machines` are what the backend reports of it; `refusal` says why no backend can be asked, and then
    `machines` says nothing. `problem` is what went wrong with the last action. `deployment` is the
    Deployment's uid, `suspend` its `spec.suspend`.
    """

    node: Node
    machines: Sequence[Machine]
    installation: str
    deployment: str
    suspend: bool = False
    refusal: Refusal | None = None
    problem: NxcError | None = None


def plan_node(world: NodeWorld, now: datetime) -> NodePlan:
    """Decide the next step of a node."""
    node = world.node
    status = _asked_again(node)
    if node.meta.deleting:
        return _let_go(world, status, now)
    if world.refusal is not None:
        return _settle(node, status, _unobservable(world.refusal), now, look_again=LOOK_AGAIN)
    attempt = status.attempt
    if attempt is None:
        return _idle(node, status, now) if world.suspend else _start(world, status, now)
    if attempt.failed:
        return _recover(world, status, attempt, now)
    if attempt.digest != node.spec.boot_digest and not world.suspend:
        return _replace(world, status, now)
    current = next((m for m in world.machines if m.key.attempt == attempt.number), None)
    if (failure := _failure(attempt, current, world.machines, status, now)) is not None:
        evidence = current.evidence if current is not None else ""
        return _fail(node, replace(status, evidence=evidence or status.evidence), attempt, failure, now)
    if current is not None:
        return _observe(world, status, attempt, current, now)
    return _idle(node, status, now) if world.suspend else _order(world, status, attempt, now)


def backoff(uid: str, failures: int) -> timedelta:
    """How long to wait after the n-th failure: 5 s doubled each time, at most 5 min, and up to half more.

    The jitter comes from the uid: the nodes of one deployment spread, and a decision can be repeated.
    """
    spread = int.from_bytes(hashlib.sha256(f"{uid}/{failures}".encode()).digest()[:4]) / 2**32
    steps = int(min(failures - 1, 10))
    return min(BACKOFF_BASE * (1 << steps), BACKOFF_LIMIT) * (1 + spread / 2)


def _asked_again(node: Node) -> NodeStatus:
    """A new `nxc.dev/requestedAt`, or a change of the spec, gives a failed node its attempts back."""
    status, asked = node.status, node.meta.requested_at
    changed = bool(status.observed_generation) and status.observed_generation != node.meta.generation
    if status.attempt is not None and status.attempt.failed and (asked != status.last_handled or changed):
        status = replace(status, failures=0, next_attempt=None)
    return replace(status, last_handled=asked)


def _start(world: NodeWorld, status: NodeStatus, now: datetime) -> NodePlan:
    """A new attempt, for the spec as it is now."""
    spec = world.node.spec
    number = status.attempt.number + 1 if status.attempt else 1
    attempt = Attempt(number, spec.boot_digest, spec.image, started=now)
    status = replace(
        status, attempt=attempt, next_attempt=None, timings={}, address="", host_key="", evidence=""
    )
    return _order(world, status, attempt, now)


def _order(world: NodeWorld, status: NodeStatus, attempt: Attempt, now: datetime) -> NodePlan:
    """Have the machine of the attempt made; safe to repeat, since a backend makes one at most for a key."""
    node, spec = world.node, world.node.spec
    if world.machines:
        # Leftovers of an earlier attempt, whose release was cut short.
        booted = false("Booted", "Releasing", "leftovers of an earlier attempt are being released")
        return _settle(node, status, _down(booted), now, actions=(Release(),), look_again=SOON)
    order = Order(
        key=MachineKey(world.installation, node.meta.uid, attempt.number),
        owner=Key(NODE, node.meta.namespace, node.meta.name),
        deployment=world.deployment,
        digest=attempt.digest,
        machine=spec.machine,
        role=spec.role,
        host=spec.host,
        image=attempt.image,
        resources=spec.resources,
        kernel_parameters=spec.kernel_parameters,
        information=spec.information,
    )
    booted = false("Booted", "Booting", f"attempt {attempt.number}: the machine is being ordered")
    if world.problem is not None:
        booted = false("Booted", world.problem.reason, f"attempt {attempt.number}: {world.problem.message}")
    return _settle(node, status, _down(booted), now, actions=(Boot(order),), look_again=LOOK_AGAIN)


def _observe(
    world: NodeWorld, status: NodeStatus, attempt: Attempt, machine: Machine, now: datetime
) -> NodePlan:
    """Write down how the machine stands, and push what it does not know yet."""
    node = world.node
    stages = _stages(node, attempt, machine)
    blocking = next((condition for condition in stages if not condition.holds), None)
    ready = (
        true("Ready", "Ready", f"{node.spec.host} plays {node.spec.role}")
        if blocking is None
        else false("Ready", blocking.reason, f"{blocking.type}: {blocking.message}")
    )
    timings = _of_this_boot(status, attempt, machine)
    if (restarted := _restarted(attempt, machine)) is not None:
        attempt = replace(attempt, started=restarted, since=None)
    if machine.phase is Phase.RUNNING:
        attempt = replace(attempt, since=machine.since)
    booted, informed, _, reachable, _ = stages
    for name, condition in zip(NODE_PHASES, (booted, informed, reachable, ready), strict=True):
        if condition.holds:
            timings.setdefault(name, now)
    since = timings.get("readyAt", now)
    stable = ready.holds and now - since >= STABLE_AFTER
    outdated = bool(machine.information) and machine.information != node.spec.information
    actions = (Inform(machine.key, node.spec.information),) if outdated and not world.suspend else ()
    if not reachable.holds:
        look_again = _started(attempt, machine, now) + BOOT_LIMIT - now
    elif ready.holds and status.failures and not stable:
        look_again = since + STABLE_AFTER - now
    else:
        look_again = LOOK_AGAIN
    status = replace(
        status,
        attempt=replace(attempt, seen=True, started=min(attempt.started, now)),
        failures=0 if stable else status.failures,
        address=machine.address,
        host_key=machine.host_key,
        evidence="" if ready.holds else machine.evidence,
        timings=timings,
    )
    return _settle(
        node,
        status,
        [true("Assigned", "Assigned"), *stages, ready],
        now,
        actions=actions,
        look_again=max(SOON, min(look_again, LOOK_AGAIN)),
        reconciling=not ready.holds,
    )


def _stages(node: Node, attempt: Attempt, machine: Machine) -> list[Condition]:
    booted = (
        true("Booted", "Running", f"attempt {attempt.number}: the machine runs")
        if machine.phase is Phase.RUNNING
        else false("Booted", "Booting", f"attempt {attempt.number}: the machine is starting")
    )
    if not machine.information:
        informed = false("Informed", "NotFetched", "it has not fetched its deployment information yet")
    elif machine.information != node.spec.information:
        informed = false(
            "Informed", "Outdated", "its deployment information is older; the change is on its way"
        )
    else:
        informed = true("Informed", "Informed", "it has the current deployment information")
    return [
        booted,
        informed,
        _signal("Verified", machine.verified),
        _signal("Reachable", machine.reachable),
        _signal("Healthy", machine.healthy),
    ]


def _signal(type: str, signal: Signal) -> Condition:
    if signal.ok is None:
        return unknown(type, signal.reason or "NotYetKnown", signal.message or "not known yet")
    if signal.ok:
        return true(type, signal.reason or type, signal.message)
    return false(type, signal.reason or f"Not{type}", signal.message)


def _failure(
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
    reached = "reachableAt" in _of_this_boot(status, attempt, machine) or machine.reachable.ok
    if reached or now - _started(attempt, machine, now) < BOOT_LIMIT:
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


def _of_this_boot(status: NodeStatus, attempt: Attempt, machine: Machine) -> dict[str, datetime]:
    """The timings of the node, unless its machine has restarted itself: then it begins anew."""
    return dict(status.timings) if _restarted(attempt, machine) is None else {}


def _restarted(attempt: Attempt, machine: Machine) -> datetime | None:
    """When the machine began another boot than the one on record; None: it has not.

    The two readings are told apart and not put in order: the clock that gave them may have gone back since.
    """
    return machine.since if attempt.since is not None and machine.since != attempt.since else None


def _started(attempt: Attempt, machine: Machine, now: datetime) -> datetime:
    """When the deadline of an attempt began: when the backend took the order, maybe long after its record.

    A beginning that is yet to come means that the clock went back: then it counts from the reading that
    `_observe` wrote down.
    """
    return machine.since if machine.since is not None and machine.since <= now else min(attempt.started, now)


def _fail(node: Node, status: NodeStatus, attempt: Attempt, failure: Failure, now: datetime) -> NodePlan:
    failures = status.failures + 1
    status = replace(
        status,
        attempt=replace(attempt, seen=True, failed=True),
        failures=failures,
        last_failure=failure,
        next_attempt=now + backoff(node.meta.uid, failures),
        timings={},
        address="",
        host_key="",
    )
    return _between(node, status, now, release=True)


def _recover(world: NodeWorld, status: NodeStatus, attempt: Attempt, now: datetime) -> NodePlan:
    """After a failure: release what is left, wait, and start anew, or give up."""
    node = world.node
    if world.machines:
        return _between(node, status, now, release=True)
    exhausted = status.failures >= node.spec.attempts
    changed = attempt.digest != node.spec.boot_digest
    if world.suspend or (exhausted and not changed):
        return _between(node, status, now, release=False)
    if changed:
        # What the node boots is another thing now: earlier failures were not of it.
        return _start(world, replace(status, failures=0, last_failure=None), now)
    if _wait(status, now) > timedelta(0):
        return _between(node, status, now, release=False)
    return _start(world, status, now)


def _between(node: Node, status: NodeStatus, now: datetime, *, release: bool) -> NodePlan:
    """Between two attempts, or after the last one."""
    failure = status.last_failure
    why = failure.message if failure else "the last attempt failed"
    reason = failure.reason if failure else "Failed"
    exhausted = status.failures >= node.spec.attempts
    if exhausted:
        status = replace(status, next_attempt=None)
        message = (
            f"gave up after {status.failures} failed attempts: {why} (to try again: change the Deployment, "
            "delete this node, or annotate it with a new nxc.dev/requestedAt)"
        )
        conditions = _down(false("Booted", reason, why), false("Ready", "RetriesExhausted", message))
        conditions.append(true("Stalled", "RetriesExhausted", message))
        look_again = None
    else:
        number = status.attempt.number if status.attempt else 0
        message = f"attempt {number} failed: {why}; the next one at {format_time(status.next_attempt)}"
        conditions = _down(false("Booted", reason, message))
        look_again = max(SOON, _wait(status, now))
    return _settle(
        node,
        status,
        conditions,
        now,
        actions=(Release(),) if release else (),
        look_again=BACKOFF_BASE if release else look_again,
        reconciling=not exhausted,
    )


def _replace(world: NodeWorld, status: NodeStatus, now: datetime) -> NodePlan:
    """What the node boots has changed: the old machine goes first."""
    if not world.machines:
        return _start(world, replace(status, failures=0, last_failure=None), now)
    booted = false("Booted", "Replacing", "what it boots has changed; the old machine is being released")
    return _settle(world.node, status, _down(booted), now, actions=(Release(),), look_again=BACKOFF_BASE)


def _let_go(world: NodeWorld, status: NodeStatus, now: datetime) -> NodePlan:
    node = world.node
    message = "its machine is being released"
    if world.problem is not None:
        message = f"releasing its machine failed and is tried again: {world.problem.message}"
    elif world.refusal is not None:
        message = f"its machine cannot be released: {world.refusal.message}"
    ours = MACHINE_FINALIZER in node.meta.finalizers
    actions = (Release(then_forget=True),) if ours and world.refusal is None else ()
    return _settle(
        node,
        status,
        _down(false("Booted", "Releasing", message)),
        now,
        actions=actions,
        look_again=BACKOFF_BASE if ours else None,
    )


def _idle(node: Node, status: NodeStatus, now: datetime) -> NodePlan:
    booted = false("Booted", "Suspended", "spec.suspend of its Deployment is true: nothing is booted")
    return _settle(node, status, _down(booted), now, reconciling=False)


def _down(booted: Condition, ready: Condition | None = None) -> list[Condition]:
    """Of a node whose machine does not run: every stage is false, for the reason of the first."""
    later = [false(type, booted.reason, "its machine does not run") for type in STAGES[1:]]
    ready = ready or false("Ready", booted.reason, booted.message)
    return [true("Assigned", "Assigned"), booted, *later, ready]


def _unobservable(refusal: Refusal) -> list[Condition]:
    stages = [unknown(type, refusal.reason, "cannot be observed") for type in STAGES]
    return [true("Assigned", "Assigned"), *stages, unknown("Ready", refusal.reason, refusal.message)]


def _settle(
    node: Node,
    status: NodeStatus,
    conditions: list[Condition],
    now: datetime,
    *,
    actions: tuple[Action, ...] = (),
    look_again: timedelta | None = None,
    reconciling: bool = True,
) -> NodePlan:
    if reconciling:
        ready = next(condition for condition in conditions if condition.type == "Ready")
        conditions = [*conditions, true("Reconciling", ready.reason, ready.message)]
    generation = node.meta.generation
    status = replace(
        status,
        observed_generation=generation,
        conditions=node.status.conditions.then(conditions, generation=generation, now=now),
    )
    return NodePlan(status, actions, look_again)


def _wait(status: NodeStatus, now: datetime) -> timedelta:
    """Until the next attempt; nothing where the clock jumped back further than any back-off lasts."""
    if status.next_attempt is None:
        return timedelta(0)
    left = status.next_attempt - now
    return timedelta(0) if left > BACKOFF_LIMIT * 1.5 else left
