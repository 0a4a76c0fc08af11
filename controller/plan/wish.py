"""What a deployment wants of the world, before anybody is asked whether it can have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.model.composition import Composition, Image, ImageState
from controller.model.conditions import Condition, false, true
from controller.model.deployment import Deployment, Role, UpdatePolicy
from controller.model.errors import Blame, NxcError
from controller.model.node import Node
from controller.model.quantity import counted
from controller.model.testbed import Testbed
from controller.model.trial import Seen
from controller.plan.admission import Need
from controller.plan.assignment import duplicate_host
from controller.plan.testbed import Refusal


@dataclass(frozen=True, slots=True)
class DeploymentWorld:
    """What a decision about a deployment is made from. `problem`: what went wrong with the last action.

    `trial`: what the sandbox of this process has of the deployment's test.
    """

    deployment: Deployment
    composition: Composition | None
    testbed: Testbed | Refusal
    nodes: Sequence[Node]
    shares_network: bool = False
    boots_kernel: bool = True
    problem: NxcError | None = None
    trial: Seen | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Roles and image of a deployment, and what that takes of a testbed.

    `image_ready` is the condition ImageReady; `image` may be the one that runs while the next is built.
    `refusal` stands where the wish cannot be granted, or its next image never comes, whatever happens
    elsewhere.
    """

    roles: tuple[Role, ...]
    image: str
    image_ready: Condition
    need: Need
    refusal: Refusal | None = None
    hopeless_image: Refusal | None = None


def wish(world: DeploymentWorld) -> Wish:
    """What the deployment wants, as far as it can be told."""
    deployment, composition = world.deployment, world.composition
    known = composition.roles if composition is not None else ()
    roles = _roles(deployment, known, world.nodes)
    need = Need(
        nodes=sum(len(role.hosts) for role in roles),
        memory=_memory(deployment, roles, world.nodes),
        machines=deployment.machines,
    )
    image, image_ready = _image(world)
    return Wish(
        roles,
        image,
        image_ready,
        need,
        _refuse(world, roles, known, need),
        _hopeless_image(composition, deployment),
    )


def _memory(deployment: Deployment, roles: Sequence[Role], nodes: Sequence[Node]) -> int:
    """What is asked for; and what nodes take that keep their size until an update is requested."""
    kept: dict[str, int] = {}
    requested = deployment.meta.requested_at != deployment.status.last_handled
    if deployment.policy is UpdatePolicy.ON_REQUEST and not requested:
        kept = {node.spec.host: node.spec.resources.memory for node in nodes if not node.meta.deleting}
    return sum(max(role.resources.memory, kept.get(host, 0)) for role in roles for host in role.hosts)


def lease_end(deployment: Deployment, testbed: Testbed | Refusal) -> datetime | None:
    """When the lease ends: its duration, or the testbed's default, from admission on; an extension counts at once."""
    start = deployment.status.lease_start
    if start is None:
        return None
    if isinstance(testbed, Refusal):
        return start + deployment.lease if deployment.lease is not None else deployment.status.lease_end
    duration = deployment.lease or testbed.lease_default or testbed.lease_maximum
    return start + duration if duration is not None else None


def lapsed(world: DeploymentWorld, now: datetime) -> bool:
    """Whether the lease has ended; one that is on record as ended stays so, whatever the clock says by now, until
    it is extended."""
    end = lease_end(world.deployment, world.testbed)
    recorded = world.deployment.status
    if end is not None and recorded.lease_end is not None and recorded.conditions.is_true("Expired"):
        now = max(now, recorded.lease_end)
    return end is not None and now >= end


def _roles(deployment: Deployment, known: tuple[str, ...], nodes: Sequence[Node]) -> tuple[Role, ...]:
    """The roles listed, and one node of each other role of the composition; as nixos-compose gives it.

    While nobody can tell the composition's roles (it was deleted, or is new and not evaluated yet), those
    that run stand in: not to know is no reason to end a node.
    """
    listed = {role.name for role in deployment.roles}
    names = set(known) or {node.spec.role for node in nodes if not node.meta.deleting}
    return (*deployment.roles, *(Role.single(name) for name in sorted(names - listed)))


def _image(world: DeploymentWorld) -> tuple[str, Condition]:
    deployment, composition = world.deployment, world.composition
    running = next((n.spec.image for n in world.nodes if n.spec.flavour == deployment.flavour), "")
    name = deployment.composition
    if composition is None:
        missing = f"spec.compositionRef: there is no Composition {name!r}"
        return running, false("ImageReady", "CompositionNotFound", missing)
    image = composition.image_for(deployment.flavour)
    if image is None or image.source != composition.source_digest:
        waiting = f"Composition {name!r} is yet to be looked at for flavour {deployment.flavour!r}"
        return running, false("ImageReady", "Waiting", waiting)
    if image.state is ImageState.READY:
        built = f"Composition {name!r} is built for {image.flavour}"
        return image.image, true("ImageReady", "Built", "; ".join((built, *_dishonoured(world, image))))
    if image.state is ImageState.FAILED:
        return running, false("ImageReady", image.reason or "BuildFailed", image.message)
    progress = f" ({image.progress})" if image.progress else ""
    state = f"Composition {name!r}: {image.state.value}{progress}"
    return running, false("ImageReady", image.state.value, state)


def _dishonoured(world: DeploymentWorld, image: Image) -> tuple[str, ...]:
    """What composition and deployment say and the flavour cannot do: told before anything is deployed."""
    found = image.limitations
    if world.deployment.kernel_parameters and not world.boots_kernel:
        found = (*found, "spec.kernelParameters: its nodes run on the kernel of their host")
    return (f"{image.flavour} cannot honour {'; '.join(found)}",) if found else ()


def _hopeless_image(composition: Composition | None, deployment: Deployment) -> Refusal | None:
    image = composition.image_for(deployment.flavour) if composition is not None else None
    if composition is None or image is None or image.source != composition.source_digest:
        return None
    if image.state is ImageState.FAILED and image.blame is Blame.USER:
        return Refusal(image.reason or "BuildFailed", image.message)
    return None


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
        named, nodes = counted(len(need.machines), "machine"), counted(need.nodes, "node")
        return Refusal("MachineCount", f"spec.machines lists {named} for {nodes}")
    longest = testbed.lease_maximum
    if longest is not None and deployment.lease is not None and deployment.lease > longest:
        return Refusal(
            "LeaseTooLong",
            f"spec.lease.duration: {deployment.lease} is longer than the {longest} "
            f"that testbed {testbed.meta.name!r} allows",
        )
    return None
