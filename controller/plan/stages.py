"""How far a node is on its way to Ready, in conditions."""

from __future__ import annotations

from controller.model.conditions import Condition, false, true, unknown
from controller.model.machine import Machine, Phase, Signal
from controller.model.node import Attempt, Node
from controller.plan.testbed import Refusal

STAGES = ("Booted", "Informed", "Verified", "Reachable", "Healthy")
"""What a machine goes through on its way to Ready, in order."""


def reached(node: Node, attempt: Attempt, machine: Machine) -> list[Condition]:
    """Of a node with a machine: one condition for each of `STAGES`."""
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


def down(booted: Condition, ready: Condition | None = None) -> list[Condition]:
    """Of a node whose machine does not run: every stage is false, for the reason of the first."""
    later = [false(type, booted.reason, "its machine does not run") for type in STAGES[1:]]
    ready = ready or false("Ready", booted.reason, booted.message)
    return [true("Assigned", "Assigned"), booted, *later, ready]


def unobservable(refusal: Refusal) -> list[Condition]:
    """Of a node whose backend cannot be asked."""
    stages = [unknown(type, refusal.reason, "cannot be observed") for type in STAGES]
    return [true("Assigned", "Assigned"), *stages, unknown("Ready", refusal.reason, refusal.message)]


def _signal(type: str, signal: Signal) -> Condition:
    if signal.ok is None:
        return unknown(type, signal.reason or "NotYetKnown", signal.message or "not known yet")
    if signal.ok:
        return true(type, signal.reason or type, signal.message)
    return false(type, signal.reason or f"Not{type}", signal.message)
