"""What scenarios found, as small stories: one each, named for what a user sees."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from controller.kube.api import Unreachable
from controller.local.core.api import MERGE_PATCH
from controller.model.kinds import (
    COMPOSITION,
    DEPLOYMENT,
    IN_USE_FINALIZER,
    NODE,
    RESERVATION_FINALIZER,
    TESTBED,
    Key,
)
from tests.scenarios.stage import NAMESPACE_NAME, Script, Stage

ALONE = [{"name": "server"}, {"name": "client", "count": 0}]
PAIR = [{"name": "server"}, {"name": "client"}]
CUT_OFF = Unreachable("the connection was cut")


def perform(script: Script) -> Stage:
    stage = Stage(script)
    result = stage.perform()
    assert not result.violations, "\n".join([*stage.told, *map(str, result.violations)])
    return stage


def test_an_orphan_that_boots_again_is_on_its_old_network():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=PAIR)
        await stage.until_ready()
        stage.delete(DEPLOYMENT, "web", "Orphan")
        await stage.until_gone(DEPLOYMENT, "web")
        first = {record.order.deployment for record in stage.world.records()}
        await asyncio.sleep(200.0)
        for record in stage.world.records():
            stage.world.cut(record.order.key, "power cut")
        attempts = lambda: [record.order.key.attempt for record in stage.world.records()]  # noqa: E731
        await stage.until("they run again", lambda: attempts() == [2, 2])
        assert {record.order.deployment for record in stage.world.records()} == first

    perform(story)


def test_a_deployment_that_somebody_holds_gives_its_machines_back_on_record():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 1})
        stage.composition()
        stage.deployment("one", roles=ALONE)
        await stage.until_ready("one")
        finalizers = [RESERVATION_FINALIZER, "example.org/hold"]
        stage.patch(DEPLOYMENT, "one", {"metadata": {"finalizers": finalizers}})
        stage.deployment("two", roles=ALONE)
        stage.delete(DEPLOYMENT, "one")
        await stage.until_ready("two")
        one = stage.get(DEPLOYMENT, "one")
        assert one is not None
        assert "reservation" not in one["status"]

    perform(story)


def test_a_testbed_in_use_has_the_finalizer_before_anything_stands_on_it():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)

        def admitted() -> bool:
            found = stage.get(DEPLOYMENT, "web") or {}
            return "reservation" in (found.get("status") or {})

        while not admitted():
            await asyncio.sleep(0.001)
        testbed = stage.get(TESTBED, "local")
        assert testbed is not None
        assert IN_USE_FINALIZER in testbed["metadata"]["finalizers"]

    perform(story)


def test_a_testbed_goes_only_when_the_last_machine_has_left():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        await asyncio.sleep(5.0)
        # Somebody removes every finalizer by hand: only the sweep knows of the machine from then on.
        stage.delete(TESTBED, "local")
        stage.delete(DEPLOYMENT, "web", "Foreground")
        for kind, name in ((DEPLOYMENT, "web"), (NODE, "web.server")):
            stage.patch(kind, name, {"metadata": {"finalizers": None}})
        await stage.until_gone(TESTBED, "local")
        assert stage.world.records() == ()
        assert stage.world.networks() == ()

    perform(story)


def test_a_machine_is_swept_up_though_its_testbed_serves_its_flavour_no_more():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        stage.edit(TESTBED, "local", flavours=["simulated-fast"])
        await asyncio.sleep(5.0)
        # Somebody removes every finalizer by hand: only the sweep knows of the machine from then on.
        stage.delete(DEPLOYMENT, "web", "Foreground")
        for kind, name in ((DEPLOYMENT, "web"), (NODE, "web.server")):
            stage.patch(kind, name, {"metadata": {"finalizers": None}})
        await asyncio.sleep(200.0)
        assert stage.world.records() == ()
        assert stage.world.networks() == ()

    perform(story)


def test_a_machine_whose_record_was_lost_stays_with_its_node_and_goes_with_it():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        (record,) = stage.world.records()
        nobody = replace(record.order, owner=Key(NODE, "", ""))
        stage.world._set(replace(record, order=nobody))
        await asyncio.sleep(200.0)  # several sweeps
        assert [record.order for record in stage.world.records()] == [nobody]
        stage.delete(DEPLOYMENT, "web", "Foreground")
        for kind, name in ((DEPLOYMENT, "web"), (NODE, "web.server")):
            stage.patch(kind, name, {"metadata": {"finalizers": None}})
        await asyncio.sleep(200.0)
        assert stage.world.records() == ()

    perform(story)


def test_a_node_made_by_a_call_without_answer_does_not_boot_on_anothers_machine():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 1})
        stage.composition()
        stage.weather.lag = 20.0  # news of the nodes comes late
        stage.fault("create DeployedNode lab/web.server", "after", CUT_OFF)
        stage.fault("get DeployedNode lab/web.server", "before", CUT_OFF)
        stage.deployment(roles=ALONE)
        await stage.until("it was created", lambda: stage.get(NODE, "web.server") is not None)
        stage.edit(DEPLOYMENT, "web", roles=[{"name": "client"}, {"name": "server", "count": 0}])
        await stage.until_ready()
        await asyncio.sleep(100.0)
        assert [record.order.host for record in stage.world.records()] == ["client"]

    perform(story)


def test_what_is_refused_as_stale_is_read_anew_though_the_watch_is_silent():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        stage.weather.lost = 1.0  # no event comes through any more
        body = {"status": {"observedGeneration": 1}}
        stage.cluster.do(
            "user", "patch", DEPLOYMENT, NAMESPACE_NAME, "web",
            body=body, patch_type=MERGE_PATCH, subresource="status",
        )  # fmt: skip
        stage.edit(DEPLOYMENT, "web", authorizedKeys=["ssh-ed25519 AAAA ann"])
        stage.world.cut(stage.world.records()[0].order.key, "power cut")
        told = len(stage.told)
        await stage.until(
            "the deployment was seen",
            lambda: (stage.get(DEPLOYMENT, "web") or {})["status"]["observedGeneration"] == 2,
            within=200.0,
        )
        assert stage.told[told:]

    perform(story)


def test_a_composition_that_nobody_uses_any_more_says_so():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        stage.delete(DEPLOYMENT, "web")
        await stage.until_gone(DEPLOYMENT, "web")
        reason = lambda: stage.condition(COMPOSITION, "site", "Ready").get("reason")  # noqa: E731
        await stage.until("it has no use", lambda: reason() == "NothingAsked", within=5.0)

    perform(story)


def test_the_machine_of_an_orphan_is_not_given_to_another_while_its_name_is_taken_again():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 1})
        stage.composition()
        stage.deployment("one", roles=ALONE)
        await stage.until_ready("one")
        stage.delete(DEPLOYMENT, "one", "Orphan")
        await stage.until_gone(DEPLOYMENT, "one")
        stage.deployment("one", compositionRef={"name": "none-yet"}, roles=ALONE)
        stage.deployment("two", roles=ALONE)
        await asyncio.sleep(60.0)
        assert stage.condition(DEPLOYMENT, "two", "Admitted")["reason"] == "WaitingForCapacity"
        assert stage.get(NODE, "two.server") is None

    perform(story)


def test_orphans_are_taken_up_though_their_testbed_has_become_smaller():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 2})
        stage.composition()
        stage.deployment(roles=PAIR)
        await stage.until_ready()
        stage.delete(DEPLOYMENT, "web", "Orphan")
        await stage.until_gone(DEPLOYMENT, "web")
        stage.edit(TESTBED, "local", capacity={"nodes": 1})
        await asyncio.sleep(300.0)
        nodes = {node["metadata"]["uid"] for node in stage.cluster.all(NODE)}
        stage.deployment(roles=PAIR)
        await stage.until_ready()
        assert {node["metadata"]["uid"] for node in stage.cluster.all(NODE)} == nodes

    perform(story)


def test_a_lease_that_is_taken_away_after_its_end_is_off_the_record():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 1})
        stage.composition()
        stage.deployment("one", roles=ALONE, lease={"duration": "30s"})
        await stage.until_ready("one")
        stage.deployment("two", roles=ALONE)
        await stage.until_ready("two")  # when the lease of the first has ended
        stage.edit(DEPLOYMENT, "one", lease=None)
        await asyncio.sleep(60.0)
        one = stage.get(DEPLOYMENT, "one")
        assert one is not None
        assert stage.condition(DEPLOYMENT, "one", "Admitted")["reason"] == "WaitingForCapacity"
        assert "lease" not in one["status"]

    perform(story)


def test_a_lease_that_ends_before_the_orphans_were_adopted_ends_them_too():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 1})
        stage.composition()
        stage.deployment(roles=ALONE)
        await stage.until_ready()
        stage.delete(DEPLOYMENT, "web", "Orphan")
        await stage.until_gone(DEPLOYMENT, "web")
        for _ in range(60):
            stage.fault("patch DeployedNode lab/web.server", "before", CUT_OFF)
        stage.deployment(roles=ALONE, lease={"duration": "30s"})
        await asyncio.sleep(40.0)
        assert stage.cluster.faults, "it was adopted"
        stage.cluster.faults.clear()
        await asyncio.sleep(60.0)
        web = stage.get(DEPLOYMENT, "web")
        assert web is not None
        assert "reservation" not in web["status"]
        assert (stage.cluster.all(NODE), stage.world.records()) == ([], ())

    perform(story)


def test_orphans_are_spared_though_the_news_that_they_are_orphans_comes_late():
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=PAIR)
        await stage.until_ready()
        stage.weather.lost = 1.0  # the watch tells nothing; what the operator reads itself is right
        stage.delete(DEPLOYMENT, "web", "Orphan")
        await stage.until(
            "the garbage collector has taken the owner off",
            lambda: not any(n["metadata"].get("ownerReferences") for n in stage.cluster.all(NODE)),
        )
        stage.touch(DEPLOYMENT, "web")  # the operator hears of the deployment alone
        await stage.until_gone(DEPLOYMENT, "web")
        stage.weather.lost = 0.0
        await asyncio.sleep(600.0)
        nodes = stage.cluster.all(NODE)
        assert len(nodes) == 2
        assert not any(n["metadata"].get("deletionTimestamp") for n in nodes)

    perform(story)


def test_a_node_that_keeps_its_size_until_asked_leaves_room_for_another():
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"memory": "4Gi"})
        stage.composition()
        large = {"name": "client", "hostnames": ["ann"], "resources": {"memory": "512Mi"}}
        none = {"name": "server", "count": 0}
        stage.deployment(roles=[large, none], update={"policy": "OnRequest"})
        await stage.until_ready()
        small = {"name": "client", "hostnames": ["ann", "ben"], "resources": {"memory": "256Mi"}}
        stage.edit(DEPLOYMENT, "web", roles=[small, none])
        await stage.until("the second is made", lambda: stage.get(NODE, "web.ben") is not None, within=60.0)

    perform(story)
