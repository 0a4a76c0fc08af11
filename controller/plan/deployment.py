"""The life of a deployment, on one page.

    image → admission → nodes → Ready … updates … lease end or deletion → nothing left

A deployment is planned in two steps, because admission is a matter between deployments: `wish` says what
the deployment wants and needs, the testbed's ledger answers, and `plan_deployment` says what to do.
The status is written before any action runs: a reservation is on record before a node stands on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.model.composition import Composition, ImageState
from controller.model.conditions import Condition, false, true
from controller.model.deployment import Deployment, DeploymentStatus, Reservation, Role
from controller.model.errors import Blame, NxcError
from controller.model.kinds import RESERVATION_FINALIZER
from controller.model.names import digest
from controller.model.node import Node, NodeSpec
from controller.model.quantity import format_time
from controller.model.testbed import Testbed
from controller.plan.admission import Admitted, Decision, Holding, Impossible, Need, Waiting
from controller.plan.assignment import assign, duplicate_host, hosts_in_order
from controller.plan.readiness import judge_nodes
from controller.plan.rollout import Rollout, roll
from controller.plan.testbed import Refusal

QUEUE_LOOK = timedelta(seconds=30)
"""How often a waiting deployment refreshes its place in the queue; the one that gets its turn is woken."""
LOOK_AGAIN = timedelta(minutes=5)
LEASE_WARNING = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Hold the object until its reservation and network are released."""


@dataclass(frozen=True, slots=True)
class CreateNode:
    """Make the DeployedNode of a host."""

    spec: NodeSpec


@dataclass(frozen=True, slots=True)
class UpdateNode:
    """Change the spec of a DeployedNode; `adopt`: and own it, its Deployment having been made anew."""

    node: Node
    spec: NodeSpec
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class DeleteNode:
    """Delete a DeployedNode; its own reconciler ends the machine."""

    node: Node


@dataclass(frozen=True, slots=True)
class Dismantle:
    """Take away what the nodes shared on a testbed; no node is left there."""

    testbed: str
    flavour: str


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Nothing is left: let the object go, and its place in the testbed's ledger with it."""


Action = AddFinalizer | CreateNode | UpdateNode | DeleteNode | Dismantle | RemoveFinalizer


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person would want to know; becomes an Event."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What to write, what the deployment holds of its testbed, what to do after that, when to look again."""

    status: DeploymentStatus
    holding: Holding
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    look_again: timedelta | None = LOOK_AGAIN


@dataclass(frozen=True, slots=True)
class DeploymentWorld:
    """What a decision about a deployment is made from. `problem`: what went wrong with the last action."""

    deployment: Deployment
    composition: Composition | None
    testbed: Testbed | Refusal
    nodes: Sequence[Node]
    shares_network: bool = False
    problem: NxcError | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a deployment wants: its roles and image, and what that takes of a testbed.

    `image_state` is the condition ImageReady; `image` may be an older image that serves on while the next
    one is built. `refusal` stands where the wish cannot be granted as it is.
    """

    roles: tuple[Role, ...]
    image: str
    image_state: Condition
    need: Need
    refusal: Refusal | None = None


def wish(world: DeploymentWorld) -> Wish:
    """What the deployment wants, as far as it can be told."""
    deployment, composition = world.deployment, world.composition
    roles = deployment.roles
    known = composition.roles if composition is not None else ()
    if not roles:
        roles = tuple(Role.single(name) for name in sorted(known))
    need = Need(
        nodes=sum(len(role.hosts) for role in roles),
        memory=sum(len(role.hosts) * role.resources.memory for role in roles),
        machines=deployment.machines,
    )
    image, image_state = _image(world)
    return Wish(roles, image, image_state, need, _refuse(world, roles, known, need))


def lapsed(deployment: Deployment, now: datetime) -> bool:
    """Whether the lease has ended."""
    end = deployment.status.lease_end
    start = deployment.status.lease_start
    if deployment.lease is not None and start is not None:
        end = start + deployment.lease  # an extension counts at once
    return end is not None and now >= end


def _image(world: DeploymentWorld) -> tuple[str, Condition]:
    deployment, composition = world.deployment, world.composition
    running = next((n.spec.image for n in world.nodes if n.spec.flavour == deployment.flavour), "")
    name = deployment.composition
    if composition is None:
        return running, false(
            "ImageReady", "CompositionNotFound", f"spec.compositionRef: there is no Composition {name!r}"
        )
    image = composition.image_for(deployment.flavour)
    if image is None or image.source != composition.source_digest:
        return running, false("ImageReady", "Waiting", f"Composition {name!r} has not been looked at yet")
    if image.state is ImageState.READY:
        return image.image, true("ImageReady", "Built", f"Composition {name!r} is built for {image.flavour}")
    if image.state is ImageState.FAILED:
        return running, false("ImageReady", image.reason or "BuildFailed", image.message)
    progress = f" ({image.progress})" if image.progress else ""
    return running, false(
        "ImageReady", image.state.value, f"Composition {name!r}: {image.state.value}{progress}"
    )


def _refuse(
    world: DeploymentWorld, roles: tuple[Role, ...], known: tuple[str, ...], need: Need
) -> Refusal | None:
    deployment, testbed = world.deployment, world.testbed
    if isinstance(testbed, Refusal):
        return testbed
    if (host := duplicate_host(roles)) is not None:
        return Refusal("DuplicateHost", f"spec.roles: two nodes would be called {host!r}")
    missing = sorted({role.name for role in roles} - set(known))
    if known and missing:
        return Refusal(
            "UnknownRole",
            f"spec.roles: composition {deployment.composition!r} has no role {missing[0]!r} "
            f"(it has {', '.join(sorted(known))})",
        )
    if need.machines and len(need.machines) != need.nodes:
        return Refusal(
            "MachineCount", f"spec.machines lists {len(need.machines)} machines for {need.nodes} nodes"
        )
    longest = testbed.lease_maximum
    if longest is not None and deployment.lease is not None and deployment.lease > longest:
        return Refusal(
            "LeaseTooLong",
            f"spec.lease.duration: {deployment.lease} is longer than the {longest} "
            f"that testbed {testbed.meta.name!r} allows",
        )
    return None


def plan_deployment(
    world: DeploymentWorld, wanted: Wish, decision: Decision | None, now: datetime
) -> DeploymentPlan:
    """Decide what to do for a deployment.

    `decision` is the ledger's answer to `wanted.need`; `None` where it was not asked: the deployment is
    going, refused, suspended, its lease has ended, or it has no image yet.
    """
    deployment = world.deployment
    if deployment.meta.deleting:
        return _wind_down(world, now, false("Admitted", "Deleting", "the deployment is being deleted"))
    if lapsed(deployment, now):
        return _wind_down(world, now, false("Admitted", "LeaseEnded", "the lease has ended"), expired=True)
    reservation = deployment.status.reservation
    if deployment.suspend:
        return _report(world, wanted, _admitted(reservation, None), reservation, now)
    if wanted.refusal is not None:
        refused = false("Admitted", wanted.refusal.reason, wanted.refusal.message)
        return _report(world, wanted, refused, reservation, now, blocked=wanted.refusal)
    assert isinstance(world.testbed, Testbed)
    if reservation is not None and reservation.testbed != world.testbed.meta.name:
        moving = f"moving from testbed {reservation.testbed!r} to {world.testbed.meta.name!r}"
        return _wind_down(world, now, false("Admitted", "Moving", moving))
    if isinstance(decision, Admitted):
        return _run(world, wanted, decision.holding, now)
    if isinstance(decision, Waiting):
        waits = false("Admitted", "WaitingForCapacity", decision.message)
        return _report(
            world, wanted, waits, reservation, now, position=decision.position, look_again=QUEUE_LOOK
        )
    if isinstance(decision, Impossible):
        blocked = Refusal("ExceedsCapacity", decision.message)
        return _report(
            world,
            wanted,
            false("Admitted", blocked.reason, blocked.message),
            reservation,
            now,
            blocked=blocked,
        )
    blocked_by_image = _image_blame(world)
    waits = false("Admitted", "WaitingForImage", wanted.image_state.message)
    return _report(world, wanted, _admitted(reservation, waits), reservation, now, blocked=blocked_by_image)


def _image_blame(world: DeploymentWorld) -> Refusal | None:
    composition = world.composition
    image = composition.image_for(world.deployment.flavour) if composition else None
    if image is None or image.state is not ImageState.FAILED or image.blame is not Blame.USER:
        return None
    return Refusal(image.reason, image.message)


def _admitted(reservation: Reservation | None, otherwise: Condition | None) -> Condition:
    if reservation is not None:
        count = len(reservation.machines)
        return true("Admitted", "Admitted", f"holds {count} machines of testbed {reservation.testbed!r}")
    return otherwise or false("Admitted", "Suspended", "spec.suspend is true: nothing is reserved")


def _run(world: DeploymentWorld, wanted: Wish, holding: Holding, now: datetime) -> DeploymentPlan:
    """The deployment has its machines: put its hosts on them and keep them there."""
    deployment, testbed = world.deployment, world.testbed
    assert isinstance(testbed, Testbed)
    specs, unplaced = _specs(world, wanted, holding)
    rollout = roll(
        world.nodes,
        specs,
        policy=deployment.policy,
        max_unavailable=deployment.max_unavailable,
        requested=deployment.meta.requested_at != deployment.status.last_handled,
    )
    holding = _shrink(holding, wanted, world.nodes, specs)
    before = deployment.status.reservation
    reservation = Reservation(
        testbed.meta.name,
        holding.machines,
        holding.memory,
        before.admitted if before is not None and before.admitted is not None else now,
    )
    actions: list[Action] = []
    if RESERVATION_FINALIZER not in deployment.meta.finalizers:
        actions.append(AddFinalizer())
    actions += [DeleteNode(node) for node in rollout.delete]
    actions += [
        UpdateNode(node, spec, adopt=not node.meta.owned_by(deployment.meta.uid))
        for node, spec in rollout.update
    ]
    actions += [CreateNode(spec) for spec in rollout.create]
    notices = []
    if before is None:
        notices.append(Notice("Admitted", f"holds {len(holding.machines)} machines of {testbed.meta.name}"))
    return _report(
        world,
        wanted,
        _admitted(reservation, None),
        reservation,
        now,
        specs=specs,
        rollout=rollout,
        actions=tuple(actions),
        notices=tuple(notices),
        waiting_hosts=unplaced,
    )


def _specs(
    world: DeploymentWorld, wanted: Wish, holding: Holding
) -> tuple[dict[str, NodeSpec], tuple[str, ...]]:
    """What each host's node should be, by host; and the hosts whose machine is not free yet."""
    deployment, testbed = world.deployment, world.testbed
    assert isinstance(testbed, Testbed)
    role_of = {host: role for role, host in hosts_in_order(wanted.roles)}
    current: dict[str, str] = {}
    leaving: set[str] = set()
    for node in world.nodes:
        here = node.spec.testbed == testbed.meta.name and node.spec.flavour == deployment.flavour
        role = role_of.get(node.spec.host)
        if here and not node.meta.deleting and role is not None and role.name == node.spec.role:
            current[node.spec.host] = node.spec.machine
        else:
            leaving.add(node.spec.machine)
    allowed = set(deployment.machines) or set(holding.machines)
    assignment = assign(wanted.roles, (set(holding.machines) & allowed) - leaving, current)
    information = digest(
        {
            "hosts": [
                [role.name, host, list(role.aliases), assignment.machines.get(host, "")]
                for role, host in hosts_in_order(wanted.roles)
            ],
            "authorizedKeys": list(deployment.authorized_keys),
        }
    )
    specs = {}
    for role, host in hosts_in_order(wanted.roles):
        machine = assignment.machines.get(host)
        if machine is None:
            continue
        specs[host] = NodeSpec(
            deployment=deployment.meta.name,
            role=role.name,
            host=host,
            machine=machine,
            testbed=testbed.meta.name,
            flavour=deployment.flavour,
            image=wanted.image,
            aliases=role.aliases,
            resources=role.resources,
            kernel_parameters=deployment.kernel_parameters,
            information=information,
            attempts=deployment.attempts,
        )
    return specs, assignment.unplaced


def _shrink(holding: Holding, wanted: Wish, nodes: Iterable[Node], specs: Mapping[str, NodeSpec]) -> Holding:
    """Give back what no node stands on and no host needs any more."""
    used = {node.spec.machine for node in nodes} | {spec.machine for spec in specs.values()}
    spare = len(holding.machines) - max(wanted.need.nodes, len(used))
    if spare <= 0:
        return Holding(holding.machines, max(wanted.need.memory, _memory(nodes, specs)))
    kept = [name for name in holding.machines if name in used]
    for name in holding.machines:
        if len(kept) >= wanted.need.nodes:
            break
        if name not in used:
            kept.append(name)
    return Holding(tuple(kept), max(wanted.need.memory, _memory(nodes, specs)))


def _memory(nodes: Iterable[Node], specs: Mapping[str, NodeSpec]) -> int:
    """Memory in use while old and new nodes stand side by side."""
    by_host = {spec.host: spec.resources.memory for spec in specs.values()}
    for node in nodes:
        by_host[node.spec.host] = max(by_host.get(node.spec.host, 0), node.spec.resources.memory)
    return sum(by_host.values())


def _report(
    world: DeploymentWorld,
    wanted: Wish,
    admitted: Condition,
    reservation: Reservation | None,
    now: datetime,
    *,
    specs: Mapping[str, NodeSpec] | None = None,
    rollout: Rollout | None = None,
    actions: tuple[Action, ...] = (),
    notices: tuple[Notice, ...] = (),
    blocked: Refusal | None = None,
    position: int | None = None,
    waiting_hosts: tuple[str, ...] = (),
    look_again: timedelta = LOOK_AGAIN,
) -> DeploymentPlan:
    """The status of a deployment that is not on its way out."""
    deployment = world.deployment
    status = deployment.status
    mine = [node for node in world.nodes if not node.meta.deleting]
    judged = judge_nodes(wanted.roles, mine, specs)
    conditions = [admitted, wanted.image_state, judged.provisioned, judged.up_to_date, judged.ready]
    if deployment.test == "OnReady":
        message = "spec.test.run: OnReady is not carried out by this version"
        conditions.append(false("Tested", "NotSupported", message))
    settled = admitted.holds and judged.ready.holds and judged.up_to_date.holds and not actions
    if blocked is not None and not judged.ready.holds:
        conditions.append(true("Stalled", blocked.reason, blocked.message))
    elif judged.hopeless is not None:
        conditions.append(true("Stalled", "NodesFailed", judged.hopeless))
    elif not settled and not deployment.suspend:
        reason = judged.ready if admitted.holds else admitted
        message = world.problem.message if world.problem is not None else reason.message
        if waiting_hosts:
            message = f"{waiting_hosts[0]} waits until an earlier node has left its machine"
        conditions.append(true("Reconciling", reason.reason, message))
    timings = _timings(world, conditions, reservation, now)
    lease_start, lease_end = _lease(world, reservation, now)
    handled = deployment.meta.requested_at
    if rollout is not None and rollout.requested_pending:
        handled = status.last_handled  # only when every node was told is the request dealt with
    image = wanted.image or status.image
    generation = deployment.meta.generation
    after = replace(
        status,
        observed_generation=generation,
        conditions=status.conditions.then(conditions, generation=generation, now=now),
        counts=judged.counts,
        testbed=reservation.testbed if reservation is not None else "",
        reservation=reservation,
        queue_position=position,
        image=image,
        lease_start=lease_start,
        lease_end=lease_end,
        timings=timings,
        last_handled=handled,
    )
    said = [*notices, *_turning_points(status, after, deployment, now)]
    if lease_end is not None:
        until = lease_end - LEASE_WARNING - now
        look_again = min(look_again, until if until > timedelta(0) else lease_end - now)
    holding = Holding(reservation.machines, reservation.memory) if reservation is not None else Holding()
    return DeploymentPlan(after, holding, actions, tuple(said), max(timedelta(seconds=1), look_again))


def _wind_down(
    world: DeploymentWorld, now: datetime, admitted: Condition, *, expired: bool = False
) -> DeploymentPlan:
    """End every node that is ours, then give back the machines, then let go.

    Nodes that no longer name this Deployment as their owner were orphaned on purpose
    (`kubectl delete --cascade=orphan`) and stay.
    """
    deployment = world.deployment
    meta, status = deployment.meta, deployment.status
    ours = [node for node in world.nodes if node.meta.owned_by(meta.uid)]
    reservation = status.reservation
    orphaning = "orphan" in meta.finalizers
    actions: list[Action] = []
    if ours and not orphaning:
        actions += [DeleteNode(node) for node in ours if not node.meta.deleting]
    elif not orphaning:
        if world.shares_network and reservation is not None:
            flavour = next((node.spec.flavour for node in world.nodes), deployment.flavour)
            actions.append(Dismantle(reservation.testbed, flavour))
        reservation = None
        if meta.deleting and RESERVATION_FINALIZER in meta.finalizers:
            actions.append(RemoveFinalizer())
    message = f"{len(ours)} nodes are on their way out" if ours else "no node is left"
    if world.problem is not None:
        message = world.problem.message
    conditions = [
        admitted,
        status.conditions["ImageReady"] or false("ImageReady", admitted.reason, ""),
        *(false(type, admitted.reason, message) for type in ("Provisioned", "UpToDate", "Ready")),
    ]
    if expired:
        conditions.append(
            true("Expired", "LeaseEnded", f"the lease ended at {format_time(status.lease_end)}")
        )
    if ours or meta.deleting:
        conditions.append(true("Reconciling", admitted.reason, message))
    ready = sum(1 for node in ours if node.ready)
    after = replace(
        status,
        observed_generation=meta.generation,
        conditions=status.conditions.then(conditions, generation=meta.generation, now=now),
        counts=replace(status.counts, desired=0, ready=ready, up_to_date=0, failed=0),
        reservation=reservation,
        testbed=reservation.testbed if reservation is not None else "",
        queue_position=None,
        last_handled=meta.requested_at,
    )
    notices = []
    if expired and not status.conditions.is_true("Expired"):
        notices.append(
            Notice("LeaseEnded", "the lease has ended; the nodes are being released", warning=True)
        )
    holding = Holding(reservation.machines, reservation.memory) if reservation is not None else Holding()
    moving = admitted.reason == "Moving" and reservation is None
    return DeploymentPlan(
        after,
        holding,
        tuple(actions),
        tuple(notices),
        timedelta(seconds=1) if moving else timedelta(seconds=30) if ours else LOOK_AGAIN,
    )


def _timings(
    world: DeploymentWorld, conditions: Sequence[Condition], reservation: Reservation | None, now: datetime
) -> dict[str, datetime]:
    """When each phase was first reached (the phases of the paper's Figure 8)."""
    deployment = world.deployment
    timings = dict(deployment.status.timings)
    if deployment.meta.created is not None:
        timings.setdefault("requestedAt", deployment.meta.created)
    if reservation is not None:
        timings.setdefault("admittedAt", reservation.admitted or now)
    by_type = {condition.type: condition for condition in conditions}
    for name, type in (
        ("imageReadyAt", "ImageReady"),
        ("provisionedAt", "Provisioned"),
        ("readyAt", "Ready"),
    ):
        if by_type[type].holds and reservation is not None:
            timings.setdefault(name, now)
    return timings


def _lease(
    world: DeploymentWorld, reservation: Reservation | None, now: datetime
) -> tuple[datetime | None, datetime | None]:
    """Start and end of the lease: it runs from admission, for as long as asked, or the testbed's default."""
    deployment, testbed = world.deployment, world.testbed
    if reservation is None or isinstance(testbed, Refusal):
        return deployment.status.lease_start, deployment.status.lease_end
    duration = deployment.lease or testbed.lease_default or testbed.lease_maximum
    if duration is None:
        return None, None
    start = min(deployment.status.lease_start or now, now)  # a start yet to come: the clock went back
    return start, start + duration


def _turning_points(
    before: DeploymentStatus, after: DeploymentStatus, deployment: Deployment, now: datetime
) -> list[Notice]:
    """What changed so that a person would want to know."""
    notices = []
    if after.conditions.is_true("Ready") and not before.conditions.is_true("Ready"):
        notices.append(Notice("Ready", f"all {after.counts.desired} nodes needed are ready"))
    stalled = after.conditions["Stalled"]
    if stalled is not None and not before.conditions.is_true("Stalled"):
        notices.append(Notice(stalled.reason, stalled.message, warning=True))
    admitted = after.conditions["Admitted"]
    was = before.conditions["Admitted"]
    waits = admitted is not None and admitted.reason == "WaitingForCapacity"
    if admitted is not None and waits and (was is None or was.reason != admitted.reason):
        notices.append(Notice(admitted.reason, admitted.message))
    end = after.lease_end
    if end is not None and now >= end - LEASE_WARNING and deployment.meta.deleted is None:
        # The recorder folds repetitions of one notice into one Event.
        notices.append(Notice("LeaseEnding", f"the lease ends at {format_time(end)}", warning=True))
    return notices
