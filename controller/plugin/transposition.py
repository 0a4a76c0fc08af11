"""From flavour to flavour: what a command asks of the API server and the nodes to compare, to move or to copy."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Sequence
from typing import Any

from controller.driver.target import Identity, Target, target_of
from controller.kube.api import NotFound
from controller.model.closure import Closure, config_map_name
from controller.model.composition import Composition, ImageState
from controller.model.deployment import Deployment, UpdatePolicy
from controller.model.errors import NxcError, UserError
from controller.model.kinds import COMPOSITION, CONFIGMAP, DEPLOYMENT, REQUESTED_AT, TESTBED
from controller.model.node import Node
from controller.plugin.access import Access
from controller.plugin.difference import Side
from controller.plugin.run import on_all

ANSWER_LIMIT = 15.0
"""Seconds in which the controller is waited for to say whether a deployment can be what it was told to be."""
LOOK_EVERY = 0.5
SERVICES_LIMIT = 30.0
SERVICES = "systemctl list-units --type=service --state=running --no-legend --plain"
CONTAINERS = frozenset({"docker"})
"""Flavours whose nodes boot no kernel."""
_UNIT = re.compile(r"[\w:.@\\-]{1,255}")
"""The name of a unit (systemd.unit(5)); a node may answer anything."""

Say = Callable[[str], None]


async def composition(access: Access, name: str) -> Composition:
    """A Composition. Raises `UserError` where there is none of the name."""
    try:
        return Composition.parse(await access.api.get(COMPOSITION, access.namespace, name))
    except NotFound:
        raise UserError(
            "NoSuchComposition", f"there is no nxcomp {name!r} in namespace {access.namespace!r}"
        ) from None


async def flavour_side(access: Access, of: Composition, flavour: str) -> Side:
    """One flavour of a composition. Raises `UserError` where its image is not built."""
    image = of.image_for(flavour)
    if image is None:
        built = ", ".join(sorted(of.images)) or "none"
        raise UserError(
            "NotBuilt",
            f"nxcomp/{of.meta.name} has no image for flavour {flavour!r} (only: {built}): add it to spec.flavours",
        )
    if image.state is not ImageState.READY:
        why = f": {image.message}" if image.message else ""
        raise UserError(
            "NotBuilt", f"the image of nxcomp/{of.meta.name} for {flavour} is {image.state.value}{why}"
        )
    return Side(
        flavour,
        await _closure(access, of.meta.name, flavour, image.image),
        limitations=limitations(of, flavour),
    )


def limitations(of: Composition, flavour: str) -> tuple[str, ...]:
    """What the composition says and the flavour cannot honour, as far as that is known."""
    image = of.image_for(flavour)
    return image.limitations if image is not None else ()


async def deployment_side(access: Access, name: str, *, look: bool, user: str, say: Say, via: str) -> Side:
    """A deployment, with the services that run on one node of each role; `look`: whether to ask its nodes."""
    deployment = await access.deployment(name)
    of = await access.composition(deployment)
    if not deployment.status.conditions.is_true("ImageReady") or not deployment.status.image:
        raise UserError(
            "NotBuilt", f"nxd/{name} has no image yet: kubectl nxc status {name} says how far it is"
        )
    closure = await _closure(access, of.meta.name, deployment.flavour, deployment.status.image)
    services = None
    if look:
        try:
            services = await _services(access, deployment, user=user, say=say, via=via)
        except NxcError as error:
            say(f"services are not compared: {error.message}")
    return Side(
        f"{name} ({deployment.flavour})",
        closure,
        deployment.kernel_parameters,
        services,
        limitations(of, deployment.flavour),
    )


async def _closure(access: Access, name: str, flavour: str, image: str) -> Closure:
    config_map = config_map_name(name, flavour, image)
    try:
        return Closure.read(await access.api.get(CONFIGMAP, access.namespace, config_map))
    except NotFound:
        raise UserError(
            "NoClosure",
            f"ConfigMap {access.namespace}/{config_map} is not there, which tells what the image of nxcomp/{name} for "
            f"{flavour} is made of: the image is older than spec.build.keep allows, too large to be told, or was not "
            "built by a controller that tells it",
        ) from None


async def _services(
    access: Access, deployment: Deployment, *, user: str, say: Say, via: str
) -> dict[str, frozenset[str]]:
    nodes: dict[str, Node] = {}
    for node in await access.nodes(deployment.meta.name):
        if node.ready:
            nodes.setdefault(node.spec.role, node)
    if not nodes:
        say(f"services are not compared: nxd/{deployment.meta.name} has no node that is ready")
        return {}
    targets = [target_of(node) for node in nodes.values()]
    await access.look_around(deployment, targets, via=via)
    identity = await access.identity(deployment.meta.name, user=user, file=None)
    return await running(targets, identity, say=say, via=via)


async def running(
    targets: Sequence[Target], identity: Identity, *, say: Say, via: str = ""
) -> dict[str, frozenset[str]]:
    """The services that run on nodes, by their roles."""
    found: dict[str, set[str]] = {}

    def hear(target: Target, bad: bool, line: str) -> None:
        word = line.split()[0] if line.split() else ""
        if not bad and _UNIT.fullmatch(word) is not None:
            found.setdefault(target.role, set()).add(word.removesuffix(".service"))

    for ended in await on_all(targets, identity, SERVICES, via=via, seconds=SERVICES_LIMIT, say=hear):
        if ended.trouble or ended.status:
            say(f"services of {ended.host} are not known: {ended.trouble or f'exit status {ended.status}'}")
    return {role: frozenset(names) for role, names in found.items()}


async def transpose(
    access: Access, name: str, flavour: str, *, copy_as: str, testbed: str | None, say: Say
) -> int:
    """Move a deployment to another flavour, or copy it there as `copy_as`. Says what that means; 1: it is refused.

    `testbed`: another one; empty for the flavour's default; `None` to keep what the spec says.
    """
    deployment = await access.deployment(name)
    obj = await access.api.get(DEPLOYMENT, access.namespace, name)
    if deployment.flavour == flavour and not copy_as and testbed is None:
        say(f"nxd/{name} is {flavour} already")
        return 0
    of = await access.composition(deployment)
    await _check_testbed(access, deployment, flavour, testbed)
    for text in warnings(
        deployment, of, flavour, moved=not copy_as, machines=testbed is None and not copy_as
    ):
        say(f"warning: {text}")
    changes: dict[str, Any] = {"flavour": flavour}
    if testbed is not None:
        changes["testbedRef"] = {"name": testbed} if testbed else None
    if deployment.machines and (testbed is not None or copy_as):
        changes["machines"] = None
    if copy_as:
        spec = copy.deepcopy(dict(obj["spec"])) | changes
        made = {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.kind,
            "metadata": {"name": copy_as, "namespace": access.namespace},
            "spec": {key: value for key, value in spec.items() if value is not None},
        }
        changed = await access.api.create(DEPLOYMENT, made)
    else:
        changed = await access.api.patch(DEPLOYMENT, access.namespace, name, {"spec": changes})
    target = copy_as or name
    refusal = await _refusal(access, target, changed["metadata"]["generation"])
    if refusal:
        say(f"nxd/{target} is refused, and what runs is left as it is: {refusal}")
        if "testbed" in refusal.lower():
            say(
                "name another testbed with --testbed NAME, or --testbed '' for the default one of the flavour"
            )
        return 1
    say(f"nxd/{target} {'is made' if copy_as else 'moves'}: kubectl nxc status {target} --watch")
    return 0


async def _check_testbed(access: Access, deployment: Deployment, flavour: str, testbed: str | None) -> None:
    """Refuse what can be told beforehand: whether it can be refused at all is for the controller to say."""
    named = deployment.testbed if testbed is None else testbed
    if not named:
        return
    try:
        found = await access.api.get(TESTBED, "", named)
    except NotFound:
        raise UserError(
            "TestbedNotFound", f"there is no testbed {named!r} (--testbed, spec.testbedRef)"
        ) from None
    served = (found.get("spec") or {}).get("flavours") or []
    if served and flavour not in served:
        raise UserError(
            "FlavourNotServed",
            f"testbed {named!r} does not serve flavour {flavour!r} (only: {', '.join(served)}): name another with "
            "--testbed NAME, or --testbed '' for the default one of the flavour (spec.testbedRef)",
        )


def warnings(
    deployment: Deployment, of: Composition, flavour: str, *, moved: bool, machines: bool
) -> list[str]:
    """What somebody should know before a deployment moves."""
    said = [f"{flavour} cannot honour: {text}" for text in limitations(of, flavour)]
    image = of.image_for(flavour)
    if image is None or image.state is not ImageState.READY:
        said.append(
            f"the image for {flavour} is not built yet, and what it cannot honour is not known before: "
            f"kubectl get nxcomp {of.meta.name} -o yaml shows it then"
        )
    if flavour in CONTAINERS and deployment.kernel_parameters:
        said.append("spec.kernelParameters has no effect: containers boot no kernel of their own")
    if deployment.machines:
        kept = "names machines of a testbed, which the new one must have" if machines else "is left out"
        said.append(f"spec.machines {kept}")
    if moved and deployment.policy is UpdatePolicy.ON_REQUEST:
        said.append(
            f"its update policy is OnRequest: nodes stay until kubectl annotate nxd/{deployment.meta.name} "
            f'{REQUESTED_AT}="$(date)" --overwrite'
        )
    if moved and deployment.policy is UpdatePolicy.ROLLING:
        said.append(
            "its update policy is RollingUpdate: meanwhile nodes of the two flavours may not reach each other"
        )
    return said


async def _refusal(access: Access, name: str, generation: int) -> str:
    """Why the controller does not do it; empty where it does, or has not said in time."""
    waited = 0.0
    while waited < ANSWER_LIMIT:
        deployment = await access.deployment(name)
        if deployment.status.observed_generation >= generation:
            stalled = deployment.status.conditions["Stalled"]
            return stalled.message if stalled is not None and stalled.holds else ""
        await asyncio.sleep(LOOK_EVERY)
        waited += LOOK_EVERY
    return ""
