"""The life of a deployment, on one page.

    image → admission → nodes → Ready → test script … updates … lease end or deletion → nothing left

A deployment is planned in two steps, because admission is a matter between deployments: `plan.wish` says
what the deployment wants and needs, the testbed's ledger answers, and `plan_deployment` says what to do.
The status is written before any action runs: a reservation is on record before a node stands on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from controller.model.composition import ImageState
from controller.model.conditions import Condition, false, true
from controller.model.deployment import DeploymentStatus, Reservation, UpdatePolicy
from controller.model.information import Information
from controller.model.kinds import RESERVATION_FINALIZER
from controller.model.node import Node, NodeSpec
from controller.model.quantity import counted
from controller.model.testbed import Testbed
from controller.plan import trial
from controller.plan.admission import Admitted, Decision, Holding, Impossible
from controller.plan.placement import keep, place, within
from controller.plan.report import Notice, Step, news, next_lease_moment, report, wound_down
from controller.plan.rollout import roll
from controller.plan.testbed import Refusal
from controller.plan.wish import DeploymentWorld, Wish, lapsed

LOOK_AGAIN = timedelta(minutes=5)
QUEUE_LOOK = timedelta(seconds=30)
"""How often a waiting deployment refreshes its place in the queue; the one that gets its turn is woken."""
SOON = timedelta(seconds=1)
BEING_BUILT = frozenset({ImageState.PENDING, ImageState.EVALUATING, ImageState.BUILDING})
"""Reasons of ImageReady for which an update that was asked for is still to come."""


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
class StartTrial:
    """Run the test script, in the sandbox; the trial is on record as running."""

    digest: str
    run: int
    script: str


@dataclass(frozen=True, slots=True)
class StopTrial:
    """End the test script; nothing of it is left before anything else is done."""


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Nothing is left: let the object go."""


Action = (
    AddFinalizer | CreateNode | UpdateNode | DeleteNode | Dismantle | StartTrial | StopTrial | RemoveFinalizer
)


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What to write, what to do after that, what to tell people, and when to look again."""

    status: DeploymentStatus
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    look_again: timedelta = LOOK_AGAIN
    information: Information | None = None
    """What the nodes are told, where that was decided."""

    @property
    def holding(self) -> Holding:
        """What the deployment holds of its testbed from now on."""
        held = self.status.reservation
        return Holding(held.machines, held.memory) if held is not None else Holding()


def plan_deployment(
    world: DeploymentWorld, wanted: Wish, decision: Decision | None, now: datetime
) -> DeploymentPlan:
    """Decide what to do for a deployment.

    `decision` is the ledger's answer to `wanted.need`; `None` where it was not asked: the deployment is
    going, refused, suspended, its lease has ended, or it has no image yet.
    """
    deployment = world.deployment
    held = deployment.status.reservation
    if deployment.meta.deleting:
        return _wind_down(world, false("Admitted", "Deleting", "the deployment is being deleted"), now)
    if lapsed(world, now):
        return _wind_down(world, false("Admitted", "LeaseEnded", "its lease has ended"), now, expired=True)
    if deployment.suspend:
        idle = false("Admitted", "Suspended", "spec.suspend is true: nothing is reserved")
        return _stand(world, wanted, Step(_admitted(held) or idle, held), now)
    if wanted.refusal is not None:
        refused = false("Admitted", wanted.refusal.reason, wanted.refusal.message)
        return _stand(world, wanted, Step(refused, held, blocked=wanted.refusal), now)
    assert isinstance(world.testbed, Testbed)
    if held is not None and held.testbed != world.testbed.meta.name:
        if trial.holds(deployment, world.trial, None):
            return _stand(world, wanted, _after_the_test(world, held), now)
        return _move(world, wanted, decision, held, now)
    if isinstance(decision, Admitted):
        return _run(world, wanted, decision.holding, now)
    if decision is None:
        waits = false("Admitted", "WaitingForImage", wanted.image_ready.message)
        coming = wanted.image_ready.reason in BEING_BUILT and _requested(world)
        return _stand(world, wanted, Step(_admitted(held) or waits, held, request_pending=coming), now)
    blocked, position = None, None
    if isinstance(decision, Impossible):
        waits = false("Admitted", "ExceedsCapacity", decision.message)
        blocked = Refusal(waits.reason, waits.message)
    else:
        waits, position = false("Admitted", "WaitingForCapacity", decision.message), decision.position
    if held is not None:
        return _run(world, wanted, Holding(held.machines, held.memory), now, waits=waits, position=position)
    step = Step(waits, None, position=position, blocked=blocked)
    return _stand(world, wanted, step, now, look_again=QUEUE_LOOK)


def _requested(world: DeploymentWorld) -> bool:
    """Whether somebody asked for the update that the policy OnRequest holds back, and has not got it yet."""
    deployment = world.deployment
    asked = deployment.meta.requested_at != deployment.status.last_handled
    return asked and deployment.policy is UpdatePolicy.ON_REQUEST


def _move(
    world: DeploymentWorld, wanted: Wish, decision: Decision | None, held: Reservation, now: datetime
) -> DeploymentPlan:
    """Leave for another testbed: all nodes together, for a deployment holds machines of one testbed at a time.

    Nobody leaves before there is an image to boot over there, nor for a testbed that is too small; and who
    changes the flavour under the policy OnRequest is asked when.
    """
    deployment = world.deployment
    transposed = any(node.spec.flavour != deployment.flavour for node in world.nodes)
    if world.nodes and not wanted.image:
        coming = wanted.image_ready.reason in BEING_BUILT and _requested(world)
        return _stand(world, wanted, Step(_admitted(held) or _UNKNOWN, held, request_pending=coming), now)
    if world.nodes and isinstance(decision, Impossible):
        waits = false("Admitted", "ExceedsCapacity", decision.message)
        blocked = Refusal(waits.reason, f"{waits.message}; it stays on {held.testbed}")
        return _stand(world, wanted, Step(waits, held, blocked=blocked), now)
    if transposed and deployment.policy is UpdatePolicy.ON_REQUEST and not _requested(world):
        return _stand(world, wanted, Step(_admitted(held) or _UNKNOWN, held, held_back=len(world.nodes)), now)
    assert isinstance(world.testbed, Testbed)
    moving = f"moving from testbed {held.testbed!r} to {world.testbed.meta.name!r}"
    return _wind_down(world, false("Admitted", "Moving", moving), now)


_UNKNOWN = false("Admitted", "Unknown")


def _after_the_test(world: DeploymentWorld, held: Reservation) -> Step:
    """All nodes will leave, once the script that is at work on them has ended."""
    return Step(
        _admitted(held) or _UNKNOWN,
        held,
        held_back=len(world.nodes),
        request_pending=_requested(world),
        testing=True,
    )


def _admitted(held: Reservation | None) -> Condition | None:
    if held is None:
        return None
    return true(
        "Admitted", "Admitted", f"holds {counted(len(held.machines), 'machine')} of testbed {held.testbed!r}"
    )


def _stand(
    world: DeploymentWorld, wanted: Wish, step: Step, now: datetime, *, look_again: timedelta = LOOK_AGAIN
) -> DeploymentPlan:
    """Change nothing; say how it stands. A test script that runs, runs on."""
    tested = trial.judge(world.deployment, world.trial, None, now)
    actions = (StopTrial(),) if tested.stop else ()
    return _planned(world, report(world, wanted, replace(step, tested=tested), now), actions, now, look_again)


def _run(
    world: DeploymentWorld,
    wanted: Wish,
    holding: Holding,
    now: datetime,
    *,
    waits: Condition | None = None,
    position: int | None = None,
) -> DeploymentPlan:
    """Put the hosts on the machines held, and keep them there; `waits` says that it wants more than it holds."""
    deployment, testbed = world.deployment, world.testbed
    assert isinstance(testbed, Testbed)
    placement = place(deployment, wanted.roles, wanted.image, testbed.meta.name, holding, world.nodes)
    placement = within(placement, holding, world.nodes)
    requested = deployment.meta.requested_at != deployment.status.last_handled
    rollout = roll(
        world.nodes,
        placement.specs,
        policy=deployment.policy,
        max_unavailable=deployment.max_unavailable,
        requested=requested,
    )
    subject = partial(
        trial.subject,
        *(deployment, world.composition, wanted.image, wanted.roles, placement.specs, world.nodes),
    )
    testing = trial.holds(deployment, world.trial, subject(settled=False))
    if testing:
        rollout = rollout.held(requested=requested)
    kept = keep(holding, world.nodes, placement.specs, needed=wanted.need.nodes, memory=wanted.need.memory)
    before = deployment.status.reservation
    since = before.admitted if before is not None and before.admitted is not None else now
    flavour = deployment.flavour
    if before is not None and any(node.spec.flavour == before.flavour for node in world.nodes):
        flavour = before.flavour  # what they share is there until the last of them is gone
    reservation = Reservation(testbed.meta.name, kept.machines, kept.memory, since, flavour)
    changes = bool(rollout.create or rollout.update or rollout.delete or rollout.held_back)
    settled = not (changes or placement.unplaced or waits is not None)
    tested = trial.judge(deployment, world.trial, subject(settled=settled), now)
    actions: list[Action] = []
    if RESERVATION_FINALIZER not in deployment.meta.finalizers:
        actions.append(AddFinalizer())
    uid = deployment.meta.uid
    actions += [DeleteNode(node) for node in rollout.delete]
    actions += [UpdateNode(node, spec, adopt=not node.meta.owned_by(uid)) for node, spec in rollout.update]
    actions += [CreateNode(spec) for spec in rollout.create]
    rebooted = [node for node, spec in rollout.update if node.spec.boot_digest != spec.boot_digest]
    step = Step(
        admitted=waits or _admitted(reservation) or _UNKNOWN,
        reservation=reservation,
        specs=placement.specs,
        changing=frozenset(node.spec.host for node in (*rebooted, *rollout.delete)),
        acting=bool(actions),
        held_back=rollout.held_back,
        unplaced=placement.unplaced,
        position=position,
        request_pending=rollout.requested_pending,
        tested=tested,
        testing=testing,
    )
    status = report(world, wanted, step, now)
    look_again = QUEUE_LOOK if waits is not None or placement.unplaced else LOOK_AGAIN
    if tested.look_again is not None:
        look_again = min(look_again, tested.look_again)
    if tested.stop:
        actions.insert(0, StopTrial())
    if tested.start and tested.record is not None:
        actions.append(StartTrial(tested.record.digest, tested.record.run, tested.script))
    planned = _planned(world, status, tuple(actions), now, look_again)
    return replace(planned, information=placement.information)


def _wind_down(
    world: DeploymentWorld, admitted: Condition, now: datetime, *, expired: bool = False
) -> DeploymentPlan:
    """End every node that is ours, then give back the machines, then let go.

    Of one that is being deleted, nodes that do not name it as their owner were orphaned on purpose
    (`kubectl delete --cascade=orphan`): they stay, and so does the claim to their machines. One that moves, or
    whose lease has ended, was let in with the orphans of its name, and has only not got to adopting them.
    """
    meta, held = world.deployment.meta, world.deployment.status.reservation
    ours = [node for node in world.nodes if not meta.deleting or node.meta.owned_by(meta.uid)]
    orphans = [node for node in world.nodes if node not in ours]
    tested = trial.wound_down(world.deployment, world.trial, now)
    actions: list[Action] = [StopTrial()] if tested.stop else []
    reservation = held
    if "orphan" in meta.finalizers:
        pass  # the garbage collector is about to take our name off the nodes
    elif ours:
        actions += [DeleteNode(node) for node in ours if not node.meta.deleting]
    else:
        if held is not None and orphans:
            machines = {node.spec.machine for node in orphans}
            reservation = replace(held, machines=tuple(name for name in held.machines if name in machines))
        elif held is not None:
            reservation = None
            flavour = held.flavour or world.deployment.flavour
            if world.shares_network or flavour != world.deployment.flavour:
                actions.append(Dismantle(held.testbed, flavour))
        if meta.deleting and RESERVATION_FINALIZER in meta.finalizers:
            actions.append(RemoveFinalizer())
    status = wound_down(world, admitted, reservation, now, left=len(ours), expired=expired, tested=tested)
    moved = reservation is None and not meta.deleting and not expired
    look_again = SOON if moved else QUEUE_LOOK if ours else LOOK_AGAIN
    return _planned(world, status, tuple(actions), now, look_again)


def _planned(
    world: DeploymentWorld,
    status: DeploymentStatus,
    actions: tuple[Action, ...],
    now: datetime,
    look_again: timedelta,
) -> DeploymentPlan:
    lease = next_lease_moment(status, now)
    if lease is not None and not status.conditions.is_true("Expired"):
        look_again = min(look_again, lease)
    return DeploymentPlan(status, actions, news(world.deployment, status, now), max(SOON, look_again))
