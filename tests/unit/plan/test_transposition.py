"""A deployment that changes its flavour: when its nodes go, and where the new ones come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.composition import Composition
from controller.model.deployment import DeploymentStatus
from controller.model.node import Node
from controller.plan.admission import Impossible
from controller.plan.deployment import DeleteNode, Dismantle, UpdateNode

from .make import composition, make_testbed
from .test_deployment import THREE, condition, kinds, plan, settled

FARM = make_testbed(meta={"name": "farm"})
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZvbw alice"

ASKED = {"nxc.dev/requestedAt": "now"}


def built(flavour: str = "docker", **fields: str) -> Composition:
    """The composition with an image of the new flavour."""
    web = composition(image="sha256:d", **fields)
    return replace(web, images={flavour: replace(web.images["simulated"], flavour=flavour)})


def hosts(planned: object) -> list[str]:
    return [a.node.spec.host for a in planned.actions if isinstance(a, DeleteNode)]  # type: ignore[attr-defined]


def test_nothing_goes_before_the_image_of_the_new_flavour_is_built():
    of, nodes = settled()
    moved = replace(of, flavour="docker")
    planned = plan(moved, None, nodes=nodes)
    assert planned.actions == ()
    assert condition(planned, "Ready") == ("True", "Ready")
    assert condition(planned, "UpToDate") == ("False", "Waiting")


def test_recreate_replaces_all_nodes_at_once_on_the_machines_they_have():
    of, nodes = settled()
    planned = plan(replace(of, flavour="docker"), nodes=nodes, web=built())
    assert kinds(planned) == [DeleteNode] * 3
    assert planned.holding == THREE.holding


def test_a_rolling_update_replaces_one_node_after_the_other():
    of, nodes = settled(update={"policy": "RollingUpdate", "maxUnavailable": 1})
    moved = replace(of, flavour="docker")
    first = plan(moved, nodes=nodes, web=built())
    assert hosts(first) == ["client1"]
    going = [replace(n, meta=replace(n.meta, deleted=n.meta.created)) if n is nodes[0] else n for n in nodes]
    assert hosts(plan(moved, nodes=going[1:], web=built())) == []
    (made,) = plan(moved, nodes=nodes[1:], web=built()).actions
    assert (made.spec.host, made.spec.machine, made.spec.flavour) == ("client1", "local-1", "docker")  # type: ignore[union-attr]


def test_on_request_keeps_the_old_nodes_and_still_tells_them_the_news():
    of, nodes = settled(update={"policy": "OnRequest"})
    held_back = plan(replace(of, flavour="docker"), nodes=nodes, web=built())
    assert held_back.actions == ()
    assert condition(held_back, "Reconciling") == ("True", "Waiting")
    told = plan(replace(of, flavour="docker", authorized_keys=(KEY,)), nodes=nodes, web=built())
    assert kinds(told) == [UpdateNode] * 3
    assert all(a.spec.flavour == "simulated" for a in told.actions if isinstance(a, UpdateNode))


def test_on_request_replaces_them_when_asked_also_when_asked_before_the_image_was_there():
    of, nodes = settled(update={"policy": "OnRequest"})
    asked = replace(of, flavour="docker", meta=replace(of.meta, annotations=ASKED))
    waiting = plan(asked, None, nodes=nodes, web=built(state="Building"))
    assert waiting.actions == ()
    assert waiting.status.last_handled == ""
    later = replace(asked, status=DeploymentStatus.parse(waiting.status.to_dict()))
    assert kinds(plan(later, nodes=nodes, web=built())) == [DeleteNode] * 3


def test_the_reservation_remembers_the_flavour_whose_network_is_still_needed():
    of, nodes = settled()
    assert of.status.reservation.flavour == "simulated"
    moved = replace(of, flavour="docker")
    assert plan(moved, nodes=nodes, web=built()).status.reservation.flavour == "simulated"
    assert plan(moved, nodes=[], web=built()).status.reservation.flavour == "docker"


class TestToAnotherTestbed:
    """The old testbed does not serve the new flavour."""

    def test_nobody_leaves_before_there_is_an_image(self):
        of, nodes = settled()
        planned = plan(replace(of, flavour="docker"), None, nodes=nodes, bed=FARM)
        assert planned.actions == ()
        assert planned.status.reservation.testbed == "local"

    def test_nobody_leaves_for_a_testbed_that_is_too_small(self):
        of, nodes = settled()
        impossible = Impossible("needs 3 nodes, and testbed farm has 1 in all")
        planned = plan(replace(of, flavour="docker"), impossible, nodes=nodes, bed=FARM, web=built())
        assert planned.actions == ()
        assert condition(planned, "Stalled") == ("True", "ExceedsCapacity")
        assert condition(planned, "Ready") == ("True", "Ready")

    @pytest.mark.parametrize("policy", ["Recreate", "RollingUpdate"])
    def test_all_nodes_leave_together_and_then_their_own_network_goes(self, policy: str):
        of, nodes = settled(update={"policy": policy})
        moved = replace(of, flavour="docker")
        leaving = plan(moved, None, nodes=nodes, bed=FARM, web=built())
        assert kinds(leaving) == [DeleteNode] * 3
        left = plan(replace(moved, status=leaving.status), None, bed=FARM, web=built())
        assert left.actions == (Dismantle("local", "simulated"),)
        assert left.status.reservation is None

    def test_on_request_they_leave_when_asked_and_the_request_stands_until_the_last_has_left(self):
        of, nodes = settled(update={"policy": "OnRequest"})
        moved = replace(of, flavour="docker")
        waits = plan(moved, None, nodes=nodes, bed=FARM, web=built())
        assert waits.actions == ()
        assert "3 nodes to be updated when it is their turn" in waits.status.conditions["Reconciling"].message
        asked = replace(moved, meta=replace(of.meta, annotations=ASKED))
        leaving = plan(asked, None, nodes=nodes, bed=FARM, web=built())
        assert kinds(leaving) == [DeleteNode] * 3
        # the operator died after the first of them
        again = plan(replace(asked, status=leaving.status), None, nodes=nodes[1:], bed=FARM, web=built())
        assert hosts(again) == [n.spec.host for n in nodes[1:]]


def test_a_deployment_that_is_deleted_while_it_waits_takes_down_the_network_that_it_has():
    of, nodes = settled()
    refused = replace(of, flavour="docker", meta=replace(of.meta, deleted=of.meta.created))
    assert kinds(plan(refused, None, nodes=nodes)) == [DeleteNode] * 3
    actions = plan(refused, None).actions
    assert Dismantle("local", "simulated") in actions


def orphaned(nodes: list[Node]) -> list[Node]:
    return [replace(n, meta=replace(n.meta, owners=())) for n in nodes]


def test_orphans_of_another_flavour_are_adopted_as_they_are_where_changes_wait_for_a_request():
    of, nodes = settled(update={"policy": "OnRequest"})
    planned = plan(replace(of, flavour="docker"), nodes=orphaned(nodes), web=built())
    assert kinds(planned) == [UpdateNode] * 3
    assert all(
        a.adopt and a.spec.flavour == "simulated" for a in planned.actions if isinstance(a, UpdateNode)
    )
