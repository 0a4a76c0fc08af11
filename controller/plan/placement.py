"""From a wish and what is held of a testbed to the specs of nodes, and back to what can be given up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.model.deployment import Deployment, Role
from controller.model.information import Host, Information
from controller.model.node import Node, NodeSpec
from controller.plan.admission import Holding
from controller.plan.assignment import assign, hosts_in_order


@dataclass(frozen=True, slots=True)
class Placement:
    """What each host's node should be and be told, and the hosts that have no machine yet."""

    specs: Mapping[str, NodeSpec]
    information: Information
    unplaced: tuple[str, ...] = ()


def place(
    deployment: Deployment,
    roles: Sequence[Role],
    image: str,
    testbed: str,
    holding: Holding,
    nodes: Sequence[Node],
) -> Placement:
    """Put the hosts on the machines held. A machine is free again only when its earlier node is gone; a node
    of another flavour keeps its machine until the update policy replaces it there."""
    role_of = {host: role for role, host in hosts_in_order(roles)}
    current: dict[str, str] = {}
    leaving: set[str] = set()
    for node in nodes:
        spec, role = node.spec, role_of.get(node.spec.host)
        if role is not None and (spec.role, spec.testbed) == (role.name, testbed):
            current[spec.host] = spec.machine  # also of one that is deleted: its next comes where it was
        else:
            leaving.add(spec.machine)
    allowed = set(holding.machines)
    if deployment.machines:
        allowed &= set(deployment.machines)
    assignment = assign(roles, allowed - leaving, current)
    information = Information(
        tuple(
            Host(role.name, host, assignment.machines.get(host, ""), role.aliases)
            for role, host in hosts_in_order(roles)
        ),
        deployment.authorized_keys,
    )
    told = information.digest
    specs = {
        host: NodeSpec(
            deployment=deployment.meta.name,
            role=role_of[host].name,
            host=host,
            machine=machine,
            testbed=testbed,
            flavour=deployment.flavour,
            image=image,
            aliases=role_of[host].aliases,
            resources=role_of[host].resources,
            kernel_parameters=deployment.kernel_parameters,
            information=told,
            attempts=deployment.attempts,
        )
        for host, machine in assignment.machines.items()
    }
    return Placement(specs, information, assignment.unplaced)


def within(placement: Placement, holding: Holding, nodes: Sequence[Node]) -> Placement:
    """What of a placement goes with the memory held, as things stand.

    Nodes may shrink at once; they grow, and new ones are made, as far as what is there leaves room. So two
    nodes that trade sizes do it one after the other, and one that waits for more memory does not take it.
    """
    running = {node.spec.host: node.spec.resources for node in nodes if not node.meta.deleting}
    left = holding.memory - sum(node.spec.resources.memory for node in nodes)
    specs: dict[str, NodeSpec] = {}
    waiting = list(placement.unplaced)
    for host, spec in placement.specs.items():
        has = running.get(host)
        more = spec.resources.memory - (has.memory if has is not None else 0)
        if more <= max(0, left):
            left -= max(0, more)
            specs[host] = spec
            continue
        waiting.append(host)
        if has is not None:
            specs[host] = replace(spec, resources=has)
    return Placement(specs, placement.information, tuple(waiting))


def keep(
    holding: Holding, nodes: Iterable[Node], specs: Mapping[str, NodeSpec], *, needed: int, memory: int
) -> Holding:
    """What must still be held: the machines of nodes that are or will be, `needed` in all, and their memory."""
    used = {node.spec.machine for node in nodes} | {spec.machine for spec in specs.values()}
    kept = [name for name in holding.machines if name in used]
    spare = [name for name in holding.machines if name not in used]
    kept += spare[: max(0, needed - len(kept))]
    in_use = {spec.host: spec.resources.memory for spec in specs.values()}
    for node in nodes:
        in_use[node.spec.host] = max(in_use.get(node.spec.host, 0), node.spec.resources.memory)
    return Holding(tuple(kept), min(holding.memory, max(memory, sum(in_use.values()))))
