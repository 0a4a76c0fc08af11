"""Testbeds: which one a deployment gets, and what a testbed says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.conditions import Condition, false, true
from controller.model.deployment import Deployment
from controller.model.errors import Blame, NxcError
from controller.model.quantity import format_bytes
from controller.model.testbed import Testbed


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something cannot go on as it was asked for, and whose move it is."""

    reason: str
    message: str
    blame: Blame = Blame.USER


def choose(
    deployment: Deployment,
    testbeds: Iterable[Testbed],
    *,
    served_by: Mapping[str, frozenset[str]],
    namespace_labels: Mapping[str, str] | None,
) -> Testbed | Refusal:
    """The testbed of a deployment.

    The one it names; else the one it is on already; else the default for its flavour, the first by name.
    `served_by` has the kinds of testbed by flavour, for the flavours that are installed.
    """
    kinds = served_by.get(deployment.flavour)
    if kinds is None:
        installed = ", ".join(sorted(served_by)) or "none"
        return Refusal(
            "UnknownFlavour", f"spec.flavour: no flavour {deployment.flavour!r} (installed: {installed})"
        )
    by_name = {testbed.meta.name: testbed for testbed in testbeds}
    if deployment.testbed:
        named = by_name.get(deployment.testbed)
        if named is None:
            return Refusal("TestbedNotFound", f"spec.testbedRef: there is no testbed {deployment.testbed!r}")
        why = _unfit(named, deployment, kinds, namespace_labels)
        if why is not None and why.reason == "FlavourNotServed":
            others = [
                name
                for name in sorted(by_name)
                if _unfit(by_name[name], deployment, kinds, namespace_labels) is None
            ]
            instead = f"name one that does ({', '.join(others)})" if others else "no testbed of yours does"
            why = Refusal(why.reason, f"spec.testbedRef: {why.message}: {instead}")
        return named if why is None else why
    current = by_name.get(deployment.status.testbed)
    if current is not None and _unfit(current, deployment, kinds, namespace_labels) is None:
        return current
    for name in sorted(by_name):
        if by_name[name].default and _unfit(by_name[name], deployment, kinds, namespace_labels) is None:
            return by_name[name]
    return Refusal(
        "NoTestbed",
        f"spec.testbedRef is not set, and no default testbed for flavour {deployment.flavour!r} admits "
        f"namespace {deployment.meta.namespace!r}",
    )


def _unfit(
    testbed: Testbed, deployment: Deployment, kinds: frozenset[str], labels: Mapping[str, str] | None
) -> Refusal | None:
    name = testbed.meta.name
    if not testbed.admits(labels):
        return Refusal(
            "NotAllowed",
            f"testbed {name!r} does not admit namespace {deployment.meta.namespace!r} "
            "(its spec.allowedNamespaces; ask its administrator)",
        )
    if testbed.kind not in kinds or (testbed.flavours and deployment.flavour not in testbed.flavours):
        return Refusal(
            "FlavourNotServed",
            f"testbed {name!r} (kind {testbed.kind}) does not serve flavour {deployment.flavour!r}",
        )
    if testbed.meta.deleting and not _holds(deployment, name):
        return Refusal("TestbedLeaving", f"testbed {name!r} is being deleted", Blame.TESTBED)
    return None


def _holds(deployment: Deployment, testbed: str) -> bool:
    return deployment.status.reservation is not None and deployment.status.reservation.testbed == testbed


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in use of a testbed: nodes and bytes held, deployments admitted and waiting, machines seen."""

    nodes: int = 0
    memory: int = 0
    admitted: int = 0
    waiting: int = 0
    machines: int = 0


def judge(testbed: Testbed, kinds: frozenset[str], problem: NxcError | None) -> list[Condition]:
    """The conditions of a testbed. `kinds`: those that an installed flavour serves."""
    if testbed.kind not in kinds:
        served = ", ".join(sorted(kinds)) or "none"
        why = f"spec.kind: no installed flavour serves testbeds of kind {testbed.kind!r} (served: {served})"
        return [false("Ready", "NoBackend", why), true("Stalled", "NoBackend", why)]
    if problem is not None:
        return [false("Ready", problem.reason, problem.message)]
    if testbed.suspend:
        return [false("Ready", "Suspended", "spec.suspend is true: no deployment is admitted")]
    return [true("Ready", "Answering", "the testbed answers")]


def usage_status(testbed: Testbed, usage: Usage) -> dict[str, Any]:
    """The numbers of `status`, beside its conditions."""
    status: dict[str, Any] = {
        "allocated": {"nodes": usage.nodes, "memory": format_bytes(usage.memory)},
        "deployments": usage.admitted,
        "waiting": usage.waiting,
        "machines": usage.machines,
    }
    free: dict[str, Any] = {}
    if testbed.capacity.nodes is not None:
        free["nodes"] = max(0, testbed.capacity.nodes - usage.nodes)
    if testbed.capacity.memory is not None:
        free["memory"] = format_bytes(max(0, testbed.capacity.memory - usage.memory))
    if free:
        status["free"] = free
    return status
