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

from controller.model.conditions import Condition, false, true
from controller.model.errors import NxcError
from controller.model.kinds import MACHINE_FINALIZER, NODE, Key
from controller.model.machine import Machine, MachineKey, Order, Phase
from controller.model.node import NODE_PHASES, Attempt, Failure, Node, NodeStatus
from controller.model.quantity import format_time
from controller.plan.attempt import left, new_boot, of_this_boot, over
from controller.plan.stages import down, reached, unobservable
from controller.plan.testbed import Refusal

BACKOFF_BASE = timedelta(seconds=5)
BACKOFF_LIMIT = timedelta(minutes=5)
STABLE_AFTER = timedelta(minutes=10)
"""After this long Ready, earlier failures no longer count."""
LOOK_AGAIN = timedelta(seconds=60)
"""How often a node is looked at without being woken."""
SOON = timedelta(seconds=1)


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
        return _settle(node, status, unobservable(world.refusal), now, look_again=LOOK_AGAIN)
    attempt = status.attempt
    if attempt is None:
        return _idle(node, status, now) if world.suspend else _start(world, status, now)
    if attempt.failed:
        return _recover(world, status, attempt, now)
    if attempt.digest != node.spec.boot_digest and not world.suspend:
        return _replace(world, status, now)
    current = next((m for m in world.machines if m.key.attempt == attempt.number), None)
    if (failure := over(attempt, current, world.machines, status, now)) is not None:
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
        return _settle(node, status, down(booted), now, actions=(Release(),), look_again=SOON)
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
    return _settle(node, status, down(booted), now, actions=(Boot(order),), look_again=LOOK_AGAIN)


def _observe(
    world: NodeWorld, status: NodeStatus, attempt: Attempt, machine: Machine, now: datetime
) -> NodePlan:
    """Write down how the machine stands, and push what it does not know yet."""
    node = world.node
    stages = reached(node, attempt, machine)
    blocking = next((condition for condition in stages if not condition.holds), None)
    ready = (
        true("Ready", "Ready", f"{node.spec.host} plays {node.spec.role}")
        if blocking is None
        else false("Ready", blocking.reason, f"{blocking.type}: {blocking.message}")
    )
    timings = of_this_boot(status, attempt, machine)
    if (boot := new_boot(attempt, machine)) is not None:
        attempt = replace(attempt, started=boot, since=None)
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
        look_again = left(attempt, machine, now)
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
        conditions = down(false("Booted", reason, why), false("Ready", "RetriesExhausted", message))
        conditions.append(true("Stalled", "RetriesExhausted", message))
        look_again = None
    else:
        number = status.attempt.number if status.attempt else 0
        message = f"attempt {number} failed: {why}; the next one at {format_time(status.next_attempt)}"
        conditions = down(false("Booted", reason, message))
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
    return _settle(world.node, status, down(booted), now, actions=(Release(),), look_again=BACKOFF_BASE)


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
        down(false("Booted", "Releasing", message)),
        now,
        actions=actions,
        look_again=BACKOFF_BASE if ours else None,
    )


def _idle(node: Node, status: NodeStatus, now: datetime) -> NodePlan:
    booted = false("Booted", "Suspended", "spec.suspend of its Deployment is true: nothing is booted")
    return _settle(node, status, down(booted), now, reconciling=False)


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
