from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from controller.kube.api import Conflict, Unreachable
from controller.model.errors import Blame, NxcError
from controller.model.kinds import DEPLOYMENT, NODE, RESERVATION_FINALIZER, Key, Kind
from controller.model.node import Node, NodeSpec
from controller.model.testbed import Testbed
from controller.observe.metrics import Metrics
from controller.plan import deployment as plan
from controller.plan.admission import Holding, Need, Waiting
from controller.plan.testbed import Refusal
from controller.plan.wish import DeploymentWorld, wish
from controller.reconcile.deployment import DeploymentReconciler
from controller.reconcile.desk import Desk
from controller.reconcile.ledgers import Ledgers
from controller.runtime.feed import Feed
from controller.runtime.store import Store
from tests.unit.plan import make

SPEC = NodeSpec("web", "server", "server", "local-1", "local", "simulated", "sha256:a")
WEB = Key(DEPLOYMENT, "lab", "web")


class DeskOfAnother:
    """The API server knows better than the store: the deployment is being deleted."""

    def __init__(self) -> None:
        self.patched: list[Key] = []

    async def fresh(self, key: Key, uid: str) -> bool:
        return False

    async def patch(self, key: Key, patch: Any, *, subresource: str = "") -> None:
        self.patched.append(key)


async def test_a_deployment_asks_whether_it_is_being_deleted_before_it_adopts():
    desk = DeskOfAnother()
    reconciler = DeploymentReconciler(cast("Any", desk), *([cast("Any", None)] * 4))
    of, node = make.deployment(), make.node(SPEC)
    world = DeploymentWorld(of, make.composition(), make.make_testbed(), [node])
    planned = plan.DeploymentPlan(of.status, (plan.UpdateNode(node, node.spec, adopt=True),))
    with pytest.raises(Conflict, match="is being deleted and adopts no node"):
        await reconciler._act(WEB, world, planned)
    assert desk.patched == []


async def test_a_deployment_asks_whether_it_is_being_deleted_before_it_takes_away_what_nobody_owns():
    desk = DeskOfAnother()
    reconciler = DeploymentReconciler(cast("Any", desk), *([cast("Any", None)] * 4))
    of, node = make.deployment(), make.node(SPEC, meta={"ownerReferences": []})
    world = DeploymentWorld(of, make.composition(), make.make_testbed(), [node])
    planned = plan.DeploymentPlan(of.status, (plan.DeleteNode(node),))
    with pytest.raises(Conflict, match="is being deleted"):
        await reconciler._act(WEB, world, planned)


class Server:
    """An API server that may be out of reach of writes."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.cut = True

    async def patch(
        self, kind: Kind, namespace: str, name: str, patch: dict[str, Any], *, subresource: str
    ) -> dict[str, Any]:
        if self.cut:
            raise Unreachable("the connection was cut")
        return self.change(name, patch["status"])

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        return self.objects[name]

    def change(self, name: str, status: dict[str, Any]) -> dict[str, Any]:
        old = self.objects[name]
        meta = old["metadata"] | {"resourceVersion": str(int(old["metadata"]["resourceVersion"]) + 1)}
        self.objects[name] = old | {"metadata": meta, "status": old["status"] | status}
        return self.objects[name]


class Room:
    """A reconciler and its ledgers, on a store that a test fills."""

    def __init__(self) -> None:
        self.store = Store()
        self.api = Server()
        self.desk = Desk(
            api=cast("Any", self.api),
            feed=Feed(self.store),
            recorder=cast("Any", SimpleNamespace(record=lambda *fact, warning: None)),
            metrics=Metrics(),
            clock=lambda: make.NOW,
            installation="inst",
            wake=lambda key, delay: None,
        )

    def reconciler(self) -> tuple[DeploymentReconciler, Ledgers]:
        ledgers = Ledgers(self.store, self.desk.wake)
        backends = SimpleNamespace(
            shares_network=lambda flavour: False, boots_kernel=lambda flavour: True, served_by={}
        )
        sandbox = SimpleNamespace(seen=lambda key: None, tell=lambda key, nodes: None)
        key_pairs = SimpleNamespace(keep=AsyncMock())
        made = DeploymentReconciler(
            self.desk, cast("Any", backends), ledgers, cast("Any", key_pairs), cast("Any", sandbox)
        )
        return made, ledgers

    def put_deployment(
        self, name: str, *, machines: list[str], meta: dict[str, Any] | None = None, **more: Any
    ) -> Key:
        meta = {"name": name, "namespace": "lab", "uid": f"uid-{name}", "resourceVersion": "1"} | (meta or {})
        reservation = {"testbed": "local", "machines": machines, "memoryBytes": 2**29}
        status = {"reservation": reservation} if machines else {}
        spec = {"compositionRef": {"name": "web"}, "flavour": "simulated", **more}
        self.api.objects[name] = {"metadata": meta, "spec": spec, "status": status}
        self.store.put(DEPLOYMENT, self.api.objects[name])
        return Key(DEPLOYMENT, "lab", name)

    def put_orphan(self, name: str, host: str, machine: str) -> None:
        meta = {"name": f"{name}.{host}", "namespace": "lab", "uid": f"uid-{host}", "resourceVersion": "1"}
        spec = {"deployment": name, "role": host, "host": host, "machine": machine, "testbed": "local"}
        self.store.put(NODE, {"metadata": meta, "spec": spec})


async def test_who_leaves_orphans_behind_keeps_its_machines_until_it_is_off_the_record():
    room = Room()
    going = {"finalizers": [RESERVATION_FINALIZER], "deletionTimestamp": "2026-01-01T11:59:00Z"}
    web = room.put_deployment("web", machines=["local-1", "local-2"], meta=going)
    room.put_orphan("web", "server", "local-1")  # the other one is gone already
    reconciler, ledgers = room.reconciler()
    with pytest.raises(Unreachable):
        await reconciler.reconcile(web)
    assert ledgers.of("local").holding(web).machines == ("local-1", "local-2")


@pytest.mark.parametrize("now", [{"suspend": True}, {"flavour": "not-installed"}])
async def test_who_waited_for_more_and_cannot_have_it_now_holds_up_nobody(now: dict[str, Any]):
    room = Room()
    web = room.put_deployment("web", machines=["local-1"], **now)
    reconciler, ledgers = room.reconciler()
    testbed, other = make.make_testbed(capacity={"nodes": 2}), Key(DEPLOYMENT, "lab", "other")
    ledgers.hold(Key(DEPLOYMENT, "lab", "third"), "local", Holding(("local-2",), 0))
    assert isinstance(ledgers.request(web, testbed, ("1", "web"), Need(2, 0)), Waiting)
    assert isinstance(ledgers.request(other, testbed, ("2", "other"), Need(2, 0)), Waiting)
    with pytest.raises(Unreachable):
        await reconciler.reconcile(web)
    assert ledgers.of("local").waiting == (other,)
    assert ledgers.of("local").holding(web).machines == ("local-1",)


async def granted_without_an_answer() -> tuple[Room, DeploymentReconciler, Ledgers, Key]:
    """A deployment that says that it has no testbed, and was granted a machine since: that is on record, or not."""
    room = Room()
    web = room.put_deployment("web", machines=[])
    reconciler, ledgers = room.reconciler()
    room.api.cut = False
    await reconciler.reconcile(web)
    ledgers.hold(web, "local", Holding(("local-1",), 2**28))
    return room, reconciler, ledgers, web


async def test_what_was_granted_is_kept_where_it_is_on_record_and_only_the_answer_was_lost():
    room, reconciler, ledgers, web = await granted_without_an_answer()
    reservation = {"testbed": "local", "machines": ["local-1"], "memoryBytes": 2**28}
    room.api.change("web", {"reservation": reservation})
    with pytest.raises(Conflict, match="more on record"):
        await reconciler.reconcile(web)
    assert ledgers.of("local").holding(web).machines == ("local-1",)
    await reconciler.reconcile(web)  # what is on record is known by now
    assert ledgers.of("local").holding(web).machines == ("local-1",)


async def test_what_was_granted_is_given_back_where_it_is_not_on_record():
    _, reconciler, ledgers, web = await granted_without_an_answer()
    await reconciler.reconcile(web)
    assert ledgers.of("local").nodes == 0


async def test_a_problem_that_is_over_is_off_the_status_at_once():
    room = Room()
    web = room.put_deployment("web", machines=[], suspend=True)
    room.api.cut = False
    room.desk.problems[web] = NxcError("TestbedRefused", "the testbed says no", blame=Blame.TESTBED)
    reconciler, _ = room.reconciler()
    assert await reconciler.reconcile(web) == 0.0
    again = await reconciler.reconcile(web)
    assert again is not None
    assert again > 1.0


class Asked:
    """Backends that refuse whatever they are asked about, and remember it."""

    def __init__(self) -> None:
        self.about: list[tuple[str, list[str]]] = []

    async def refusal(self, flavour: str, testbed: Testbed, image: str, roles: set[str]) -> Refusal:
        self.about.append((image, sorted(roles)))
        return Refusal("VolumeRefused", "no")


async def test_only_of_roles_whose_nodes_are_yet_to_boot_an_image_is_asked_what_it_wants_of_the_host():
    asked = Asked()
    reconciler = DeploymentReconciler(cast("Any", None), cast("Any", asked), *([cast("Any", None)] * 3))

    async def refused(nodes: list[Node], **of: Any) -> Refusal | None:
        world = DeploymentWorld(make.deployment(**of), make.composition(), make.make_testbed(), nodes)
        return await reconciler._refused(world, wish(world))

    assert (await refused([])) == Refusal("VolumeRefused", "no")
    await refused([make.node(SPEC)])
    assert asked.about == [("sha256:a", ["client", "server"]), ("sha256:a", ["client"])]
    everybody = [make.node(replace(SPEC, host=host)) for host in ("server", "client1", "client2")]
    assert await refused(everybody) is None
    assert await refused([], suspend=True) is None
    assert len(asked.about) == 2
