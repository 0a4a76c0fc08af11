from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.model.conditions import Condition, Conditions, Status, false, true, unknown
from controller.model.deployment import Role
from controller.model.node import Node, NodeSpec
from controller.plan.readiness import Judgement, judge_nodes

from .make import NOW, node

ROLES = (Role.single("server"),)
SPEC = NodeSpec("web", "server", "server", "local-1", "local", "simulated", "sha256:a")


def judge(*nodes: Node, placed: bool = True) -> Judgement:
    return judge_nodes(ROLES, nodes, {"server": SPEC} if placed else {}, flavour="simulated")


def on_its_way(ready: Condition | None, *, booted: bool = False, **status: Any) -> Node:
    conditions = (
        []
        if ready is None
        else [true("Booted", "Running") if booted else false("Booted", ready.reason), ready]
    )
    of = node(SPEC, ready=False, **status)
    parsed = Conditions({}).then(conditions, generation=1, now=NOW)
    return replace(of, status=replace(of.status, conditions=parsed))


def test_a_node_that_starts_as_it_should_does_not_change_a_word():
    """Each difference here is an API write a deployment."""
    told = {
        judge(),
        judge(on_its_way(None)),
        judge(on_its_way(false("Ready", "Booting", "attempt 1: the machine is being ordered"))),
        judge(on_its_way(false("Ready", "Booting", "attempt 1: the machine is starting"))),
    }
    assert len(told) == 1
    (judged,) = told
    assert (judged.ready.reason, judged.ready.message) == (
        "NodesStarting",
        "0 of 1 nodes ready; server is starting",
    )
    assert judged.up_to_date.status is Status.FALSE


def test_after_it_has_booted_it_is_up_to_date_and_not_a_word_changes_until_it_is_ready():
    stages = (
        false("Ready", "NotFetched", "Informed: it has not fetched its deployment information yet"),
        unknown("Ready", "NotYetKnown", "Reachable: not known yet"),
    )
    told = {judge(on_its_way(ready, booted=True)) for ready in stages}
    assert len(told) == 1
    (judged,) = told
    assert judged.provisioned.holds
    assert judged.up_to_date.holds
    assert judged.ready.reason == "NodesStarting"


@pytest.mark.parametrize(
    ("ready", "status"),
    [
        (false("Ready", "OrderRefused", "the testbed refuses"), {}),
        (false("Ready", "Booting", "attempt 2: the machine is being ordered"), {"failures": 1}),
        (false("Ready", "UnitFailed", "Healthy: nginx.service has failed"), {}),
        (unknown("Ready", "TestbedGone", "testbed 'local' is gone"), {}),
    ],
)
def test_what_is_known_against_a_node_is_told(ready: Condition, status: dict[str, Any]):
    judged = judge(on_its_way(ready, **status))
    assert judged.ready.reason == ready.reason
    assert judged.ready.message == f"0 of 1 nodes ready; server: {ready.message}"


def test_trouble_is_told_before_what_merely_starts():
    roles = (Role("client", ("client1", "client2")),)
    specs = {host: replace(SPEC, role="client", host=host) for host in ("client1", "client2")}
    starting = node(specs["client1"], ready=False)
    starting = replace(starting, status=replace(starting.status, conditions=Conditions({})))
    conditions = Conditions({}).then([false("Ready", "MachineGone", "it ended")], generation=1, now=NOW)
    broken = node(specs["client2"], ready=False)
    broken = replace(broken, status=replace(broken.status, conditions=conditions))
    judged = judge_nodes(roles, [starting, broken], specs, flavour="simulated")
    assert judged.ready.message == "0 of 2 nodes ready; client2: it ended"


def test_a_host_without_a_machine_is_missing():
    assert judge(placed=False).ready.reason == "NodesMissing"
