"""From the nodes that are to the nodes that should be: which to make, change, and end, and in what order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.model.deployment import UpdatePolicy
from controller.model.node import Node, NodeSpec


@dataclass(frozen=True, slots=True)
class Rollout:
    """The next steps. `held_back` counts nodes that boot something old until the policy lets them change.

    `requested_pending`: nodes are being told of a requested update just now.
    """

    create: tuple[NodeSpec, ...] = ()
    update: tuple[tuple[Node, NodeSpec], ...] = ()
    delete: tuple[Node, ...] = ()
    held_back: int = 0
    requested_pending: bool = False

    def held(self, *, requested: bool) -> Rollout:
        """None of it now."""
        later = self.held_back + len(self.create) + len(self.update) + len(self.delete)
        return Rollout(held_back=later, requested_pending=requested and later > 0)


def roll(
    nodes: Sequence[Node],
    specs: Mapping[str, NodeSpec],
    *,
    policy: UpdatePolicy,
    max_unavailable: int,
    requested: bool,
) -> Rollout:
    """Compare nodes with the specs wanted, by host.

    A node in another place (role, machine, testbed) is replaced. What needs no boot changes at once. What
    needs one changes as the policy says: all nodes at once (Recreate); no more at a time than keeps
    `max_unavailable` (RollingUpdate), those that are down first; only when asked (OnRequest). So does the
    flavour, for which a node is replaced on the machine that it has.
    """
    present = {node.spec.host: node for node in nodes}
    create: list[NodeSpec] = []
    update: list[tuple[Node, NodeSpec]] = []
    outdated: list[tuple[Node, NodeSpec]] = []
    delete = [n for n in nodes if n.spec.host not in specs and not n.meta.deleting]
    for host, spec in specs.items():
        node = present.get(host)
        if node is None:
            create.append(spec)
        elif node.meta.deleting:
            continue  # made anew when the old one is gone: they have the same name
        elif replace(node.spec, flavour=spec.flavour).place != spec.place:
            delete.append(node)
        elif node.spec.boot_digest != spec.boot_digest:
            outdated.append((node, spec))
        elif node.spec != spec or not node.meta.owners:
            update.append((node, spec))
    chosen = _chosen(outdated, present, specs, policy, max_unavailable, requested)
    for node, spec in outdated:
        if node in chosen and node.spec.flavour != spec.flavour:
            delete.append(node)
        elif node in chosen:
            update.append((node, spec))
        elif (live := _live_part(node.spec, spec)) != node.spec or not node.meta.owners:
            update.append((node, live))
    return Rollout(
        tuple(create),
        tuple(update),
        tuple(delete),
        held_back=len(outdated) - len(chosen),
        requested_pending=policy is UpdatePolicy.ON_REQUEST and requested and bool(chosen),
    )


def _chosen(
    outdated: Sequence[tuple[Node, NodeSpec]],
    present: Mapping[str, Node],
    specs: Mapping[str, NodeSpec],
    policy: UpdatePolicy,
    max_unavailable: int,
    requested: bool,
) -> list[Node]:
    if policy is UpdatePolicy.RECREATE or (policy is UpdatePolicy.ON_REQUEST and requested):
        return [node for node, _ in outdated]
    if policy is UpdatePolicy.ON_REQUEST:
        return []
    down = sum(1 for host in specs if host not in present or not present[host].ready)
    already_down = [node for node, _ in outdated if not node.ready]
    up = [node for node, _ in outdated if node.ready]
    return already_down + up[: max(0, max_unavailable - down)]


def _live_part(current: NodeSpec, wanted: NodeSpec) -> NodeSpec:
    """The wanted spec, with everything that needs a boot left as it is."""
    return replace(
        wanted,
        flavour=current.flavour,
        image=current.image,
        resources=current.resources,
        kernel_parameters=current.kernel_parameters,
    )
