from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.model.composition import Composition
from controller.model.deployment import Deployment, DeploymentStatus
from controller.model.node import Node
from controller.model.quantity import format_precise
from controller.model.testbed import Testbed
from controller.plan.admission import Admitted, Decision, Holding, Impossible, Waiting
from controller.plan.deployment import (
    AddFinalizer,
    CreateNode,
    DeleteNode,
    DeploymentPlan,
    Dismantle,
    RemoveFinalizer,
    UpdateNode,
    plan_deployment,
)
from controller.plan.testbed import Refusal, choose
from controller.plan.wish import DeploymentWorld, wish

from .make import MINUTE, NOW, composition, deployment, make_testbed, node

THREE = Admitted(Holding(("local-1", "local-2", "local-3"), 3 * 2**28))
HELD = {
    "testbed": "local",
    "machines": ["local-1", "local-2", "local-3"],
    "memoryBytes": 3 * 2**28,
    "admittedAt": format_precise(NOW - MINUTE),
}


WEB, BED = composition(), make_testbed()


def plan(
    of: Deployment,
    decision: Decision | None = THREE,
    *,
    nodes: list[Node] | None = None,
    web: Composition | None = WEB,
    bed: Testbed | Refusal = BED,
    **fields: Any,
) -> DeploymentPlan:
    world = DeploymentWorld(of, web, bed, nodes or [], **fields)
    return plan_deployment(world, wish(world), decision, NOW)


def settled(**spec: Any) -> tuple[Deployment, list[Node]]:
    """A deployment whose nodes are all there and ready."""
    of = deployment(status={"reservation": HELD}, **spec)
    first = plan(of)
    nodes = [node(action.spec) for action in first.actions if isinstance(action, CreateNode)]
    return replace(of, status=first.status), nodes


def condition(planned: DeploymentPlan, type: str) -> tuple[str, str] | None:
    found = planned.status.conditions[type]
    return None if found is None else (found.status.value, found.reason)


def kinds(planned: DeploymentPlan) -> list[type]:
    return [type(action) for action in planned.actions]


def test_an_admitted_deployment_records_its_reservation_and_makes_its_nodes():
    planned = plan(deployment(meta={"finalizers": []}))
    assert kinds(planned) == [AddFinalizer, CreateNode, CreateNode, CreateNode]
    made = {a.spec.host: (a.spec.role, a.spec.machine) for a in planned.actions if isinstance(a, CreateNode)}
    assert made == {
        "client1": ("client", "local-1"),
        "client2": ("client", "local-2"),
        "server": ("server", "local-3"),
    }
    assert planned.status.reservation is not None
    assert planned.status.reservation.machines == ("local-1", "local-2", "local-3")


def test_the_single_node_of_a_role_has_the_paper_s_other_name_as_alias():
    planned = plan(deployment())
    server = next(a.spec for a in planned.actions if isinstance(a, CreateNode) and a.spec.host == "server")
    assert server.aliases == ("server1",)


def test_when_all_nodes_are_ready_so_is_the_deployment_and_nothing_is_left_to_do():
    of, nodes = settled()
    planned = plan(of, nodes=nodes)
    assert planned.actions == ()
    assert condition(planned, "Ready") == ("True", "Ready")
    assert condition(planned, "UpToDate") == ("True", "UpToDate")
    assert condition(planned, "Reconciling") is None
    assert planned.status.counts.to_dict()["summary"] == "3/3"


def test_planning_twice_writes_nothing_new():
    of, nodes = settled()
    once = plan(of, nodes=nodes)
    again = plan(replace(of, status=DeploymentStatus.parse(once.status.to_dict())), nodes=nodes)
    assert again.status.to_dict() == once.status.to_dict()


def test_ready_names_the_node_that_is_not_and_why():
    of, nodes = settled()
    nodes[0] = node(nodes[0].spec, ready=False)
    planned = plan(of, nodes=nodes)
    ready = planned.status.conditions["Ready"]
    assert ready is not None
    assert not ready.holds
    assert ready.message.startswith("2 of 3 nodes ready; client1")


def test_min_ready_lets_a_role_be_ready_with_fewer():
    of, nodes = settled(roles=[{"name": "server"}, {"name": "client", "count": 2, "minReady": 1}])
    nodes[0] = node(nodes[0].spec, ready=False)
    assert condition(plan(of, nodes=nodes), "Ready") == ("True", "Ready")


def test_waiting_for_capacity_shows_the_place_in_the_queue():
    planned = plan(deployment(), Waiting(4, "needs 3 nodes"))
    assert condition(planned, "Admitted") == ("False", "WaitingForCapacity")
    assert planned.status.to_dict()["queue"] == {"position": 4}
    assert planned.actions == ()
    assert [notice.reason for notice in planned.notices] == ["WaitingForCapacity"]


def test_what_can_never_fit_is_stalled():
    planned = plan(deployment(), Impossible("needs 9 nodes, and testbed local has 4"))
    assert condition(planned, "Stalled") == ("True", "ExceedsCapacity")


def test_growth_that_waits_does_not_keep_a_lost_node_from_being_replaced():
    of, nodes = settled()
    grown = deployment(status=of.status.to_dict(), roles=[{"name": "server"}, {"name": "client", "count": 5}])
    planned = plan(grown, Waiting(1, "needs 3 more nodes"), nodes=nodes[1:])
    assert [a.spec.host for a in planned.actions if isinstance(a, CreateNode)] == ["client1"]
    assert condition(planned, "Admitted") == ("False", "WaitingForCapacity")


def test_growth_that_waits_for_memory_does_not_take_it():
    of, nodes = settled()
    larger = [{"name": "server", "resources": {"memory": "2Gi"}}, {"name": "client", "count": 2}]
    bigger = deployment(status=of.status.to_dict(), roles=larger)
    planned = plan(bigger, Waiting(1, "needs more memory"), nodes=nodes)
    assert planned.actions == ()
    assert planned.holding == THREE.holding


def test_nodes_that_trade_sizes_do_it_one_after_the_other():
    def sized(server: str, clients: str) -> list[dict[str, Any]]:
        return [
            {"name": "server", "resources": {"memory": server}},
            {"name": "client", "count": 2, "resources": {"memory": clients}},
        ]

    of, nodes = settled()
    held = Admitted(Holding(THREE.holding.machines, 3 * 2**28))
    traded = deployment(status=of.status.to_dict(), roles=sized("512Mi", "128Mi"))
    first = plan(traded, held, nodes=nodes)
    sizes = {a.spec.host: a.spec.resources.memory for a in first.actions if isinstance(a, UpdateNode)}
    assert sizes == {"client1": 2**27, "client2": 2**27}
    assert condition(first, "Stalled") is None
    assert condition(first, "Reconciling") is not None
    smaller = [node(replace(n.spec, resources=replace(n.spec.resources, memory=2**27))) for n in nodes[:2]]
    second = plan(traded, held, nodes=[*smaller, nodes[2]])
    grown = {a.spec.host: a.spec.resources.memory for a in second.actions if isinstance(a, UpdateNode)}
    assert grown == {"server": 2**29}


def test_a_smaller_count_ends_exactly_those_nodes_and_gives_the_machines_back_when_they_are_gone():
    of, nodes = settled()
    smaller = deployment(
        status=of.status.to_dict(), roles=[{"name": "server"}, {"name": "client", "count": 1}]
    )
    # client1 and client2 were numbered; a single client is called client
    planned = plan(smaller, nodes=nodes)
    assert [a.node.spec.host for a in planned.actions if isinstance(a, DeleteNode)] == ["client1", "client2"]
    assert len(planned.holding.machines) == 3
    after = plan(smaller, nodes=[n for n in nodes if n.spec.host == "server"])
    assert len(after.holding.machines) == 2


def test_a_machine_is_given_to_another_host_only_when_its_node_is_gone():
    of, nodes = settled()
    renamed = deployment(
        status=of.status.to_dict(),
        roles=[{"name": "server"}, {"name": "client", "hostnames": ["alice", "bob"]}],
    )
    planned = plan(renamed, nodes=nodes)
    assert kinds(planned) == [DeleteNode, DeleteNode, UpdateNode]  # server hears of the other hosts
    leaving = [node(n.spec, meta={"deletionTimestamp": "2026-01-01T12:00:00Z"}) for n in nodes[:2]]
    assert CreateNode not in kinds(plan(renamed, nodes=[*leaving, nodes[2]]))
    assert kinds(plan(renamed, nodes=nodes[2:])).count(CreateNode) == 2


def test_a_new_image_restarts_every_node_at_once_by_default_and_ready_ends_at_once():
    of, nodes = settled()
    planned = plan(of, nodes=nodes, web=composition(image="sha256:b"))
    assert kinds(planned) == [UpdateNode] * 3
    assert condition(planned, "Ready") == ("False", "NodesStarting")
    assert condition(planned, "UpToDate") == ("False", "Waiting")


def test_rolling_updates_take_one_node_at_a_time():
    of, nodes = settled(update={"policy": "RollingUpdate", "maxUnavailable": 1})
    planned = plan(of, nodes=nodes, web=composition(image="sha256:b"))
    assert [a.node.spec.host for a in planned.actions if isinstance(a, UpdateNode)] == ["client1"]
    busy = [node(nodes[0].spec, ready=False), *nodes[1:]]
    waiting = plan(of, nodes=busy, web=composition(image="sha256:b"))
    assert [a.node.spec.host for a in waiting.actions if isinstance(a, UpdateNode)] == ["client1"]


def test_a_rolling_update_that_does_not_come_up_puts_none_of_the_others_at_risk():
    of, nodes = settled(update={"policy": "RollingUpdate", "maxUnavailable": 1})
    new = composition(image="sha256:b")
    first = node(replace(nodes[0].spec, image="sha256:b"), ready=False)  # it runs, and never becomes Ready
    planned = plan(of, nodes=[first, *nodes[1:]], web=new)
    assert planned.actions == ()
    assert condition(planned, "UpToDate") == ("False", "Waiting")
    assert planned.status.conditions.is_true("Reconciling")
    two_at_once = settled(update={"policy": "RollingUpdate", "maxUnavailable": 2})[0]
    more = plan(two_at_once, nodes=[first, *nodes[1:]], web=new)
    assert [a.node.spec.host for a in more.actions if isinstance(a, UpdateNode)] == ["client2"]


def test_on_request_waits_for_the_annotation_and_remembers_it_only_when_all_are_told():
    of, nodes = settled(update={"policy": "OnRequest"})
    new = composition(image="sha256:b")
    assert plan(of, nodes=nodes, web=new).actions == ()
    asked = replace(of, meta=replace(of.meta, annotations={"nxc.dev/requestedAt": "1"}))
    planned = plan(asked, nodes=nodes, web=new)
    assert kinds(planned) == [UpdateNode] * 3
    assert planned.status.last_handled == ""
    told = [node(replace(n.spec, image="sha256:b")) for n in nodes]
    assert plan(asked, nodes=told, web=new).status.last_handled == "1"


def test_keys_and_hosts_change_without_a_boot():
    of, nodes = settled()
    keyed = deployment(status=of.status.to_dict(), authorizedKeys=["ssh-ed25519 AAAA me"])
    planned = plan(keyed, nodes=nodes)
    assert kinds(planned) == [UpdateNode] * 3
    for action in planned.actions:
        assert isinstance(action, UpdateNode)
        assert action.spec.boot_digest == action.node.spec.boot_digest
    assert condition(planned, "Ready") == ("True", "Ready")


def test_while_the_next_image_is_built_the_old_one_runs_and_replaces_lost_nodes():
    of, nodes = settled()
    planned = plan(of, nodes=nodes[1:], web=composition(state="Building", progress="3/7 built"))
    (made,) = planned.actions
    assert isinstance(made, CreateNode)
    assert made.spec.image == "sha256:a"
    assert condition(planned, "ImageReady") == ("False", "Building")


def test_an_image_that_fails_by_the_composition_s_fault_stalls_but_stops_nothing():
    of, nodes = settled()
    broken = composition(state="Failed", reason="EvaluationFailed", message="undefined variable")
    planned = plan(of, nodes=nodes, web=broken)
    assert planned.actions == ()
    assert condition(planned, "Stalled") == ("True", "EvaluationFailed")
    assert condition(planned, "Ready") == ("True", "Ready")


def test_a_flavour_that_changes_waits_for_its_image_and_then_replaces_every_node():
    of, nodes = settled()
    moved = replace(of, flavour="docker")
    waiting = plan(moved, None, nodes=nodes)
    assert waiting.actions == ()
    assert condition(waiting, "UpToDate") == ("False", "Waiting")


def test_what_the_flavour_cannot_honour_is_said_before_anything_is_deployed():
    image = WEB.images["simulated"]
    web = replace(
        WEB, images={"simulated": replace(image, details={"limitations": ["role server: swapDevices"]})}
    )
    of = deployment(kernelParameters=["quiet"])
    waiting = plan(of, Waiting(2, "1 ahead in the queue"), web=web, boots_kernel=False)
    assert waiting.actions == ()
    said = waiting.status.conditions["ImageReady"]
    assert said is not None
    assert said.holds
    assert said.message.partition("; ")[2] == (
        "simulated cannot honour role server: swapDevices; "
        "spec.kernelParameters: its nodes run on the kernel of their host"
    )
    booted = plan(of, boots_kernel=True).status.conditions["ImageReady"]
    assert booted is not None
    assert "honour" not in booted.message


def test_another_testbed_first_empties_the_old_one():
    of, nodes = settled()
    other = make_testbed(meta={"name": "lab"})
    planned = plan(of, None, nodes=nodes, bed=other)
    assert condition(planned, "Admitted") == ("False", "Moving")
    assert kinds(planned) == [DeleteNode] * 3
    empty = plan(of, None, bed=other, shares_network=True)
    assert kinds(empty) == [Dismantle]
    assert empty.status.reservation is None


def test_a_refused_edit_leaves_what_runs():
    of, nodes = settled()
    bad = deployment(status=of.status.to_dict(), roles=[{"name": "nosuch"}])
    planned = plan(bad, None, nodes=nodes)
    assert planned.actions == ()
    assert condition(planned, "Stalled") == ("True", "UnknownRole")
    assert planned.status.reservation is not None


def test_suspend_changes_nothing():
    of, nodes = settled(suspend=True)
    planned = plan(of, None, nodes=nodes[1:])
    assert planned.actions == ()
    assert condition(planned, "Reconciling") is None


def test_deletion_ends_nodes_then_dismantles_then_lets_go():
    of, nodes = settled()
    leaving = replace(of, meta=replace(of.meta, deleted=NOW))
    assert kinds(plan(leaving, None, nodes=nodes)) == [DeleteNode] * 3
    assert kinds(plan(leaving, None, shares_network=True)) == [Dismantle, RemoveFinalizer]


def test_orphaned_nodes_stay_and_keep_their_machines():
    of, nodes = settled()
    leaving = replace(of, meta=replace(of.meta, deleted=NOW, finalizers=("orphan", "nxc.dev/reservation")))
    assert plan(leaving, None, nodes=nodes).actions == ()
    orphans = [node(n.spec, meta={"ownerReferences": []}) for n in nodes]
    released = replace(of, meta=replace(of.meta, deleted=NOW))
    planned = plan(released, None, nodes=orphans, shares_network=True)
    assert kinds(planned) == [RemoveFinalizer]
    assert planned.holding.machines == ("local-1", "local-2", "local-3")


def test_a_deployment_made_anew_adopts_its_orphans_where_they_are():
    _, nodes = settled()
    orphans = [node(n.spec, meta={"ownerReferences": []}) for n in nodes]
    planned = plan(deployment(), nodes=orphans)
    assert kinds(planned) == [UpdateNode] * 3
    assert all(a.adopt and a.spec == a.node.spec for a in planned.actions if isinstance(a, UpdateNode))


def test_orphans_go_with_the_lease_of_the_deployment_that_was_about_to_adopt_them():
    of, nodes = settled(lease={"duration": "1m"})
    orphans = [node(n.spec, meta={"ownerReferences": []}) for n in nodes]
    ended = replace(of, status=replace(of.status, lease_start=NOW - 2 * MINUTE))
    planned = plan(ended, None, nodes=orphans)
    assert kinds(planned) == [DeleteNode] * 3
    assert plan(ended, None).status.reservation is None


def test_a_lease_starts_with_the_admission_warns_and_ends():
    of = deployment(lease={"duration": "1h"})
    admitted = plan(of)
    assert admitted.status.lease_end == NOW + 60 * MINUTE
    running = replace(of, status=admitted.status)
    world = DeploymentWorld(running, composition(), make_testbed(), [])
    almost = plan_deployment(world, wish(world), THREE, NOW + 57 * MINUTE)
    assert "LeaseEnding" in [notice.reason for notice in almost.notices]
    over = plan_deployment(world, wish(world), None, NOW + 60 * MINUTE)
    assert condition(over, "Expired") == ("True", "LeaseEnded")
    assert over.status.reservation is None


def test_an_extended_lease_revives_the_deployment():
    over = deployment(lease={"duration": "3h"}, status={"lease": {"startedAt": "2026-01-01T10:00:00Z"}})
    assert CreateNode in kinds(plan(over))


def test_a_lease_that_has_ended_is_not_begun_anew_because_the_clock_goes_back():
    of = deployment(lease={"duration": "1h"})
    of = replace(of, status=plan(of).status)
    world = DeploymentWorld(of, composition(), make_testbed(), [])
    over = plan_deployment(world, wish(world), None, NOW + 90 * MINUTE)
    world = replace(world, deployment=replace(of, status=over.status))
    assert plan_deployment(world, wish(world), None, NOW).status == over.status


def test_a_lease_that_has_ended_is_not_begun_anew_on_another_testbed():
    bed = make_testbed(lease={"default": "1h"})
    of = deployment()
    of = replace(of, status=plan(of, bed=bed).status)
    world = DeploymentWorld(of, composition(), bed, [])
    for _ in range(2):
        over = plan_deployment(world, wish(world), None, NOW + 60 * MINUTE)
        assert over.status.reservation is None
        world = replace(world, deployment=replace(of, status=over.status))
    others = [make_testbed(meta={"name": "another"}), bed]
    served = {"simulated": frozenset({"local"})}
    assert choose(world.deployment, others, served_by=served, namespace_labels=None) == bed


def test_a_lease_that_was_cut_short_and_has_ended_revives_the_deployment_when_it_is_longer_again():
    of = deployment(lease={"duration": "3h"})
    of = replace(of, status=plan(of).status)
    world = DeploymentWorld(replace(of, lease=60 * MINUTE), composition(), make_testbed(), [])
    over = plan_deployment(world, wish(world), None, NOW + 90 * MINUTE)
    assert condition(over, "Expired") == ("True", "LeaseEnded")
    assert over.status.lease_end == NOW + 60 * MINUTE
    world = replace(world, deployment=replace(of, status=over.status, lease=120 * MINUTE))
    assert CreateNode in kinds(plan_deployment(world, wish(world), THREE, NOW + 90 * MINUTE))


def test_the_testbed_s_maximum_lease_is_named():
    planned = plan(deployment(lease={"duration": "9h"}), None, bed=make_testbed(lease={"maximum": "8h"}))
    admitted = planned.status.conditions["Admitted"]
    assert admitted is not None
    assert "spec.lease.duration: 9:00:00 is longer than the 8:00:00" in admitted.message


def test_phases_are_timed_once():
    of, nodes = settled()
    planned = plan(of, nodes=nodes)
    timings = planned.status.timings
    assert list(timings) == ["requestedAt", "admittedAt", "imageReadyAt", "provisionedAt", "readyAt"]
    assert sorted(timings.values()) == list(timings.values())


def test_a_composition_that_is_gone_ends_no_node():
    of, nodes = settled(roles=[{"name": "server"}])
    planned = plan(of, nodes=nodes, web=None)
    assert planned.actions == ()
    assert planned.status.counts.to_dict()["summary"] == "2/2"
    assert condition(planned, "ImageReady") == ("False", "CompositionNotFound")


def test_a_role_that_is_not_listed_gets_one_node_and_count_0_leaves_it_out():
    def hosts(*roles: dict[str, Any]) -> list[str]:
        planned = plan(deployment(roles=list(roles)))
        return [a.spec.host for a in planned.actions if isinstance(a, CreateNode)]

    assert hosts() == ["client", "server"]
    assert hosts({"name": "client", "count": 2}) == ["client1", "client2", "server"]
    assert hosts({"name": "client", "count": 0}) == ["server"]
