from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.conditions import Status
from controller.model.errors import Blame, TestbedError
from controller.model.machine import Phase, Signal
from controller.model.node import Node, NodeSpec
from controller.plan import node as plan
from controller.plan.attempt import BOOT_LIMIT
from controller.plan.node import (
    BACKOFF_LIMIT,
    Boot,
    Inform,
    NodeWorld,
    Release,
    backoff,
    plan_node,
)
from controller.plan.testbed import Refusal

from .make import MINUTE, NOW, SECOND, machine, node

SPEC = NodeSpec("web", "server", "server", "local-1", "local", "simulated", "sha256:a", information="i1")


def fresh() -> Node:
    return node(SPEC, ready=False, attempt=0, machine={}, conditions=[], observedGeneration=0)


def world(of: Node, *machines, **fields) -> NodeWorld:
    return NodeWorld(node=of, machines=machines, installation="inst", deployment="uid-web", **fields)


def after(of: Node, planned: plan.NodePlan) -> Node:
    """The node as it stands when the plan's status is written."""
    from controller.model.node import NodeStatus

    return replace(of, status=NodeStatus.parse(planned.status.to_dict()))


def state(planned: plan.NodePlan, type: str) -> tuple[str, str]:
    condition = planned.status.conditions[type]
    assert condition is not None
    return condition.status.value, condition.reason


def test_a_new_node_records_its_attempt_and_then_boots():
    planned = plan_node(world(fresh()), NOW)
    assert planned.status.attempt is not None
    assert planned.status.attempt.number == 1
    (boot,) = planned.actions
    assert isinstance(boot, Boot)
    assert boot.order.key.attempt == 1
    assert boot.order.digest == SPEC.boot_digest


def test_an_order_of_unknown_outcome_is_repeated_under_the_same_number():
    written = after(fresh(), plan_node(world(fresh()), NOW))
    again = plan_node(world(written), NOW + MINUTE)
    (boot,) = again.actions
    assert isinstance(boot, Boot)
    assert boot.order.key.attempt == 1


def test_a_machine_found_running_is_adopted_and_not_booted():
    written = after(fresh(), plan_node(world(fresh()), NOW))
    planned = plan_node(world(written, machine(written)), NOW + SECOND)
    assert planned.actions == ()
    assert state(planned, "Ready") == ("True", "Ready")


@pytest.mark.parametrize(
    ("field", "condition"), [("verified", "Verified"), ("reachable", "Reachable"), ("healthy", "Healthy")]
)
def test_ready_names_the_first_stage_that_is_missing(field: str, condition: str):
    bad = Signal(ok=False, reason="Broken", message="it is broken")
    planned = plan_node(world(node(SPEC), machine(node(SPEC), **{field: bad}, since=NOW)), NOW)
    assert state(planned, condition) == ("False", "Broken")
    ready = planned.status.conditions["Ready"]
    assert ready is not None
    assert ready.message == f"{condition}: it is broken"


def test_old_information_is_pushed_and_the_node_is_not_ready_meanwhile():
    planned = plan_node(world(node(SPEC), machine(node(SPEC), information="older")), NOW)
    assert planned.actions == (Inform(machine(node(SPEC)).key, "i1"),)
    assert state(planned, "Informed") == ("False", "Outdated")
    assert state(planned, "Ready") == ("False", "Outdated")


def test_a_machine_that_ends_is_released_and_blamed():
    gone = machine(
        node(SPEC), phase=Phase.GONE, ended="kernel panic", blame=Blame.USER, evidence="its last lines"
    )
    planned = plan_node(world(node(SPEC), gone), NOW)
    assert planned.status.evidence == "its last lines"
    assert planned.actions == (Release(),)
    assert planned.status.last_failure is not None
    assert planned.status.last_failure.blame is Blame.USER
    assert planned.status.failures == 1
    assert "kernel panic" in planned.status.conditions["Ready"].message  # type: ignore[union-attr]


def test_a_machine_that_vanished_after_it_was_seen_has_failed():
    planned = plan_node(world(node(SPEC)), NOW)
    assert planned.status.last_failure is not None
    assert planned.status.last_failure.reason == "MachineVanished"


def test_the_next_attempt_waits_for_the_release_and_the_back_off():
    current = after(node(SPEC), plan_node(world(node(SPEC)), NOW))
    left = machine(node(SPEC), phase=Phase.GONE)
    assert plan_node(world(current, left), NOW + 10 * MINUTE).actions == (Release(),)
    early = plan_node(world(current), NOW + SECOND)
    assert early.actions == ()
    assert early.look_again is not None
    due = plan_node(world(current), NOW + MINUTE)
    (boot,) = due.actions
    assert isinstance(boot, Boot)
    assert boot.order.key.attempt == 2


def test_after_its_attempts_a_node_gives_up_and_says_how_to_go_on():
    current = replace(node(SPEC), spec=replace(SPEC, attempts=1))
    planned = plan_node(world(current), NOW)
    assert state(planned, "Stalled") == ("True", "RetriesExhausted")
    assert planned.status.next_attempt is None
    assert "nxc.dev/requestedAt" in planned.status.conditions["Ready"].message  # type: ignore[union-attr]
    later = plan_node(world(after(current, planned)), NOW + 60 * MINUTE)
    assert later.actions == ()


def test_a_new_request_gives_the_attempts_back():
    current = replace(node(SPEC), spec=replace(SPEC, attempts=1))
    stalled = after(current, plan_node(world(current), NOW))
    asked = replace(stalled, meta=replace(stalled.meta, annotations={"nxc.dev/requestedAt": "now"}))
    (boot,) = plan_node(world(asked), NOW + MINUTE).actions
    assert isinstance(boot, Boot)


def test_a_changed_image_replaces_the_machine_and_forgets_earlier_failures():
    current = node(SPEC, failures=2)
    changed = replace(current, spec=replace(SPEC, image="sha256:b"))
    assert plan_node(world(changed, machine(current)), NOW).actions == (Release(),)
    planned = plan_node(world(changed), NOW)
    (boot,) = planned.actions
    assert isinstance(boot, Boot)
    assert boot.order.image == "sha256:b"
    assert boot.order.key.attempt == 2
    assert planned.status.failures == 0


def test_an_attempt_that_never_comes_up_fails_at_its_deadline_and_names_the_stage():
    starting = machine(node(SPEC), information="", reachable=Signal(), since=NOW - BOOT_LIMIT)
    planned = plan_node(world(node(SPEC), starting), NOW)
    assert planned.status.last_failure is not None
    assert planned.status.last_failure.reason == "BootTimeout"
    assert "never fetched" in planned.status.last_failure.message


def test_a_node_that_restarts_itself_has_its_time_anew_and_then_fails():
    began = NOW - 30 * MINUTE
    booted = plan_node(world(node(SPEC), machine(node(SPEC), since=began)), began + 4 * SECOND)
    up = after(node(SPEC), booted)
    kept = plan_node(world(up, machine(up, since=began)), NOW).status.timings
    assert kept["reachableAt"] == began + 4 * SECOND
    silent = machine(up, phase=Phase.STARTING, information="", reachable=Signal(), since=NOW)
    planned = plan_node(world(up, silent), NOW)
    assert state(planned, "Ready")[0] == "False"
    assert planned.status.failures == 0
    assert "reachableAt" not in planned.status.timings
    assert planned.status.attempt is not None
    assert planned.status.attempt.started == NOW
    planned = plan_node(world(after(up, planned), silent), NOW + BOOT_LIMIT)
    assert planned.status.last_failure is not None
    assert planned.status.last_failure.reason == "BootTimeout"


def test_a_machine_that_was_ordered_by_a_clock_that_was_fast_has_not_restarted_when_the_clock_gets_there():
    ordered = NOW + 5 * MINUTE
    up = after(node(SPEC), plan_node(world(node(SPEC), machine(node(SPEC), since=ordered)), NOW))
    planned = plan_node(world(up, machine(up, since=ordered)), ordered + SECOND)
    assert planned.status == up.status


def test_a_restart_is_noticed_though_the_clock_went_back():
    up = after(node(SPEC), plan_node(world(node(SPEC), machine(node(SPEC), since=NOW)), NOW))
    assert "reachableAt" in up.status.timings
    silent = machine(up, information="", reachable=Signal(), since=NOW - 5 * MINUTE)
    assert "reachableAt" not in plan_node(world(up, silent), NOW - 4 * MINUTE).status.timings


def test_the_deadline_counts_from_when_the_testbed_took_the_order():
    waiting = machine(node(SPEC), information="", reachable=Signal(), since=NOW - SECOND)
    assert plan_node(world(node(SPEC), waiting), NOW).status.failures == 0


def test_a_testbed_that_refuses_orders_costs_no_attempt():
    written = after(fresh(), plan_node(world(fresh()), NOW))
    down = TestbedError("TestbedDown", "no route to the frontend")
    planned = plan_node(world(written, problem=down), NOW + 60 * MINUTE)
    assert planned.status.failures == 0
    assert state(planned, "Booted") == ("False", "TestbedDown")
    assert isinstance(planned.actions[0], Boot)


def test_suspended_nodes_are_observed_and_left_alone():
    stopped = plan_node(world(fresh(), suspend=True), NOW)
    assert stopped.actions == ()
    outdated = plan_node(world(node(SPEC), machine(node(SPEC), information="older"), suspend=True), NOW)
    assert outdated.actions == ()


def test_deletion_releases_and_then_lets_go():
    leaving = replace(node(SPEC), meta=replace(node(SPEC).meta, deleted=NOW))
    assert plan_node(world(leaving, machine(leaving)), NOW).actions == (Release(then_forget=True),)


def test_without_a_backend_nothing_is_claimed_to_be_known():
    planned = plan_node(world(node(SPEC), refusal=Refusal("TestbedGone", "it is gone")), NOW)
    assert planned.status.conditions["Booted"].status is Status.UNKNOWN  # type: ignore[union-attr]
    assert state(planned, "Ready") == ("Unknown", "TestbedGone")


def test_a_stable_node_forgets_its_failures():
    current = node(SPEC, failures=2, timings={"readyAt": "2026-01-01T11:00:00Z"})
    assert plan_node(world(current, machine(current)), NOW).status.failures == 0


def test_two_machines_for_one_node_are_both_ended():
    current = node(SPEC)
    planned = plan_node(world(current, machine(current), machine(current, attempt=7)), NOW)
    assert planned.actions == (Release(),)
    assert planned.status.last_failure is not None
    assert planned.status.last_failure.blame is Blame.CONTROLLER


@given(st.text(max_size=20), st.integers(1, 200))
def test_back_off_grows_and_is_bounded_and_repeatable(uid: str, failures: int):
    wait = backoff(uid, failures)
    assert timedelta(seconds=5) <= wait <= BACKOFF_LIMIT * 1.5
    assert wait == backoff(uid, failures)


@given(st.integers(-(10**6), 10**6), st.booleans(), st.sampled_from(Phase), st.integers(0, 5), st.booleans())
def test_every_plan_looks_again_in_bounded_time_and_never_lowers_the_attempt(
    jump: int, present: bool, phase: Phase, failures: int, failed: bool
):
    """Wherever the clock jumps."""
    current = node(
        SPEC,
        ready=False,
        attempt=3,
        failures=failures,
        machine={
            "digest": SPEC.boot_digest,
            "startedAt": "2026-01-01T12:00:00Z",
            "state": "Failed" if failed else "Seen",
        },
        nextAttemptAt="2026-01-01T12:01:00Z",
    )
    machines = [machine(current, attempt=3, phase=phase, since=NOW)] if present else []
    planned = plan_node(world(current, *machines), NOW + timedelta(seconds=jump))
    assert planned.status.attempt is not None
    assert planned.status.attempt.number >= 3
    stalled = planned.status.conditions.is_true("Stalled")
    assert stalled or planned.look_again is not None
    if planned.look_again is not None:
        assert timedelta(0) < planned.look_again <= BACKOFF_LIMIT * 1.5
    boots = [action for action in planned.actions if isinstance(action, Boot)]
    assert not (boots and machines)
