"""Counting nodes: how ready a deployment is, and whether it can still become so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controller.model.conditions import Condition, false, true
from controller.model.deployment import Counts, Role
from controller.model.node import Node, NodeSpec

STARTING = frozenset({"Booting", "NotFetched", "NotYetKnown", "Replacing"})
"""Reasons for which a node is not Ready that every boot or update goes through (`controller.plan.node`)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Counts and conditions of a deployment's nodes. `hopeless` says why waiting alone will not help."""

    counts: Counts
    provisioned: Condition
    up_to_date: Condition
    ready: Condition
    hopeless: str | None


def judge_nodes(
    roles: Sequence[Role],
    nodes: Iterable[Node],
    specs: Mapping[str, NodeSpec] | None,
    *,
    flavour: str,
    changing: frozenset[str] = frozenset(),
) -> Judgement:
    """Judge the nodes that are not on their way out.

    `specs` are what the hosts should be, where that is known; without them a node is up to date when it
    runs what its own spec says, in the flavour wanted. Hosts in `changing` lose their machine this moment
    and do not count as ready any more, whatever their status still says.

    While nodes start as they should, the words stay the same from the first decision until they have
    booted: a deployment's status is not rewritten for each step of each node.
    """
    by_host = {node.spec.host: node for node in nodes if node.spec.host not in changing}
    hosts = [host for role in roles for host in role.hosts]
    mine = [by_host[host] for host in hosts if host in by_host]
    booted = sum(1 for node in mine if node.status.conditions.is_true("Booted"))
    current = [node for node in mine if _current(node, specs, flavour)]
    ready = sum(1 for node in mine if node.ready)
    failed = [node for node in mine if node.stalled]
    counts = Counts(desired=len(hosts), ready=ready, up_to_date=len(current), failed=len(failed))
    return Judgement(
        counts,
        _all("Provisioned", "Provisioned", booted, len(hosts), "booted", mine),
        _all("UpToDate", "UpToDate", len(current), len(hosts), "up to date", ()),
        _ready(roles, by_host, counts, frozenset(specs or ())),
        _hopeless(roles, by_host),
    )


def _current(node: Node, specs: Mapping[str, NodeSpec] | None, flavour: str) -> bool:
    attempt = node.status.attempt
    spec = node.spec if specs is None else specs.get(node.spec.host)
    if spec is None or attempt is None or node.spec.flavour != flavour:
        return False
    return attempt.digest == spec.boot_digest and node.status.conditions.is_true("Booted")


def _on_its_way(node: Node) -> bool:
    """Whether it starts for the first time, and nothing is known against it."""
    condition = node.status.conditions["Ready"]
    return condition is None or (condition.reason in STARTING and not node.status.failures)


def _all(type: str, reason: str, count: int, wanted: int, verb: str, nodes: Sequence[Node]) -> Condition:
    if count == wanted and wanted:
        return true(type, reason, f"{count} of {wanted} nodes {verb}")
    blocking = next(
        (
            n.status.conditions["Booted"]
            for n in nodes
            if not n.status.conditions.is_true("Booted") and not _on_its_way(n)
        ),
        None,
    )
    why = blocking.reason if blocking is not None else "Waiting"
    return false(type, why, f"{count} of {wanted} nodes {verb}")


def _ready(
    roles: Sequence[Role], by_host: Mapping[str, Node], counts: Counts, placed: frozenset[str]
) -> Condition:
    summary = f"{counts.ready} of {counts.desired} nodes ready"
    if not counts.desired:
        return false("Ready", "NoNodes", "no node is wanted")
    ready = {host for host, node in by_host.items() if node.ready}
    short = next((role for role in roles if len(ready.intersection(role.hosts)) < role.needed), None)
    if short is None:
        return true("Ready", "Ready", summary)
    waited_for = [host for host in short.hosts if host not in ready]
    for host in waited_for:
        node = by_host.get(host)
        if node is None or _on_its_way(node):
            continue
        condition = node.status.conditions["Ready"]
        if condition is not None and not condition.holds:
            return false("Ready", condition.reason, f"{summary}; {host}: {condition.message}")
    starting = next((host for host in waited_for if host in placed or host in by_host), None)
    if starting is None:
        return false("Ready", "NodesMissing", f"{summary}; role {short.name} lacks nodes")
    return false("Ready", "NodesStarting", f"{summary}; {starting} is starting")


def _hopeless(roles: Sequence[Role], by_host: Mapping[str, Node]) -> str | None:
    for role in roles:
        present = [by_host[host] for host in role.hosts if host in by_host]
        given_up = [node for node in present if node.stalled]
        if len(role.hosts) - len(given_up) < role.needed:
            condition = given_up[0].status.conditions["Ready"]
            return f"{given_up[0].spec.host}: {condition.message if condition else 'gave up'}"
    return None
