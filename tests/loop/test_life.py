"""What users do to deployments that live: make, scale, move, update, pause, lease, and try again."""

from __future__ import annotations

import asyncio

import pytest

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED
from tests.loop.stage import Stage, condition, crew

TWO_ROLES = crew(server=1, client=2)


async def test_a_deployment_becomes_ready(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=TWO_ROLES)
    obj = await stage.ready(nodes=3)
    assert obj["status"]["nodes"]["summary"] == "3/3"
    assert set(stage.running()) == {"server", "client1", "client2"}
    assert {c["type"] for c in obj["status"]["conditions"]} == {
        *("Admitted", "ImageReady", "Provisioned", "UpToDate", "Ready")
    }
    assert obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
    assert set(obj["status"]["timings"]) >= {
        "requestedAt",
        "admittedAt",
        "imageReadyAt",
        "provisionedAt",
        "readyAt",
    }
    await stage.matches()


async def test_order_of_applying_does_not_matter(stage: Stage) -> None:
    await stage.deployment()
    await stage.condition(DEPLOYMENT, "web", "ImageReady", "False", reason="CompositionNotFound")
    await stage.composition()
    await stage.ready(nodes=1)


async def test_scaling_up_and_down_moves_nobody_who_stays(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(client=2))
    await stage.ready(nodes=2)
    before = {host: r.order.key for host, r in stage.running().items()}
    await stage.edit(DEPLOYMENT, "web", {"roles": crew(client=4)})
    await stage.ready(nodes=4)
    after = {host: r.order.key for host, r in stage.running().items()}
    assert before.items() <= after.items()
    await stage.edit(DEPLOYMENT, "web", {"roles": crew(client=2)})
    await stage.ready(nodes=2)
    await stage.matches()
    assert {host: r.order.key for host, r in stage.running().items()} == before


async def test_roles_come_and_go(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(server=1))
    await stage.ready(nodes=1)
    await stage.edit(DEPLOYMENT, "web", {"roles": TWO_ROLES})
    await stage.ready(nodes=3)
    await stage.edit(
        DEPLOYMENT,
        "web",
        {"roles": [{"name": "server", "count": 0}, {"name": "client", "hostnames": ["alice", "bob"]}]},
    )
    await stage.ready(nodes=2)
    await stage.matches()
    assert set(stage.running()) == {"alice", "bob"}


async def test_an_unknown_role_is_refused_by_name(stage: Stage) -> None:
    await stage.composition()
    await stage.condition(COMPOSITION, "web", "Ready")
    await stage.deployment(roles=[{"name": "database"}])
    obj = await stage.condition(DEPLOYMENT, "web", "Stalled", reason="UnknownRole")
    assert "database" in condition(obj, "Stalled")["message"]  # type: ignore[index]
    await stage.edit(DEPLOYMENT, "web", {"roles": crew(server=1)})
    await stage.ready(nodes=1)


@pytest.mark.parametrize("policy", ["Recreate", "RollingUpdate"])
async def test_a_new_image_reaches_every_node(stage: Stage, policy: str) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(client=3), update={"policy": policy})
    old = (await stage.ready(nodes=3))["status"]["image"]
    await stage.composition(text="another version")

    async def updated() -> bool:
        # one at a time is out of service, never two
        up = sum(1 for n in (await stage.nodes()).values() if condition(n, "Ready", "True"))
        assert policy != "RollingUpdate" or up >= 2
        return all(r.order.image != old for r in stage.running().values()) and len(stage.running()) == 3

    await stage.until("all nodes run the new image", updated)
    obj = await stage.ready(nodes=3)
    assert obj["status"]["image"] != old
    await stage.matches()


async def test_on_request_waits_until_it_is_asked(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(client=2), update={"policy": "OnRequest"})
    old = (await stage.ready(nodes=2))["status"]["image"]
    await stage.composition(text="another version")
    await stage.condition(DEPLOYMENT, "web", "UpToDate", "False")
    await asyncio.sleep(1.0)
    assert {r.order.image for r in stage.running().values()} == {old}
    assert condition(await stage.get(DEPLOYMENT, "web"), "Ready", "True")
    await stage.edit(DEPLOYMENT, "web", annotations={"nxc.dev/requestedAt": "now"})
    obj = await stage.ready(nodes=2)
    assert {r.order.image for r in stage.running().values()} == {obj["status"]["image"]} != {old}
    await stage.matches()


async def test_transposition_to_another_flavour(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=TWO_ROLES)
    await stage.ready(nodes=3)
    assert stage.networks()
    await stage.edit(DEPLOYMENT, "web", {"flavour": "simulated-fast"})
    await stage.ready(nodes=3)
    await stage.matches()
    assert {r.flavour for r in stage.running().values()} == {"simulated-fast"}

    async def dismantled() -> bool:
        return not stage.networks()

    await stage.until("the network of the flavour that was left is gone", dismantled)


async def test_suspend_keeps_what_runs_and_changes_nothing(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(client=2))
    await stage.ready(nodes=2)
    before = {host: r.order.key for host, r in stage.running().items()}
    await stage.edit(DEPLOYMENT, "web", {"suspend": True, "roles": crew(client=3)})
    await stage.condition(DEPLOYMENT, "web", "Admitted")
    await asyncio.sleep(1.0)
    assert {host: r.order.key for host, r in stage.running().items()} == before
    await stage.edit(DEPLOYMENT, "web", {"suspend": False})
    await stage.ready(nodes=3)
    assert before.items() <= {host: r.order.key for host, r in stage.running().items()}.items()


async def test_made_suspended_it_reserves_nothing(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(suspend=True)
    await stage.condition(DEPLOYMENT, "web", "Admitted", "False", reason="Suspended")
    await asyncio.sleep(0.5)
    assert not stage.machines()
    await stage.edit(DEPLOYMENT, "web", {"suspend": False})
    await stage.ready(nodes=1)


async def test_a_lease_ends_and_is_extended(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(lease={"duration": "3s"})
    obj = await stage.condition(DEPLOYMENT, "web", "Expired")
    assert condition(obj, "Admitted", "False")
    await stage.until("its machine is released", lambda: _no_machines(stage))
    await stage.edit(DEPLOYMENT, "web", {"lease": {"duration": "2h"}})
    obj = await stage.ready(nodes=1)
    assert condition(obj, "Expired") is None


async def test_a_node_that_fails_is_tried_again(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(kernelParameters=["sim.fail=die", "sim.fail-attempts=1"], retry={"attempts": 2})
    await stage.ready(nodes=1)
    (node,) = (await stage.nodes()).values()
    assert node["status"]["attempt"] == 2
    assert node["status"]["failures"] == 1
    assert node["status"]["lastFailure"]["blame"] == "Testbed"


async def test_a_node_that_gave_up_is_tried_again_when_asked(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(kernelParameters=["sim.fail=die", "sim.fail-attempts=1"], retry={"attempts": 1})
    await stage.condition(DEPLOYMENT, "web", "Stalled", reason="NodesFailed")
    (name,) = await stage.nodes()
    await stage.edit(NODE, name, annotations={"nxc.dev/requestedAt": "now"})
    await stage.ready(nodes=1)


async def test_a_machine_that_somebody_ends_is_booted_again(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment()
    await stage.ready(nodes=1)
    first = stage.running()["server"]
    stage.cut(first)

    async def again() -> bool:
        found = stage.running().get("server")
        return found is not None and found.order.key.attempt == first.order.key.attempt + 1

    await stage.until("another attempt runs", again)
    await stage.ready(nodes=1)
    await stage.matches()


async def test_what_does_not_fit_waits_for_its_turn(stage: Stage) -> None:
    obj = await stage.get(TESTBED, stage.testbed)
    assert obj is not None
    small = f"{stage.testbed}-small"
    await stage.create(TESTBED, small, {**obj["spec"], "capacity": {"nodes": 2}})
    try:
        await stage.composition()
        await stage.deployment("first", testbedRef={"name": small}, roles=crew(client=2))
        await stage.ready("first")
        await stage.deployment("second", testbedRef={"name": small})
        await stage.deployment("third", testbedRef={"name": small})
        await stage.condition(DEPLOYMENT, "second", "Admitted", "False", reason="WaitingForCapacity")
        await stage.condition(DEPLOYMENT, "third", "Admitted", "False", reason="WaitingForCapacity")

        async def behind() -> bool:  # a place is refreshed every 30 s
            third = await stage.get(DEPLOYMENT, "third")
            return third is not None and third["status"].get("queue") == {"position": 2}

        await stage.until("third is behind second", behind, seconds=45)
        await stage.delete(DEPLOYMENT, "first")
        await stage.ready("second")
        await stage.ready("third")
        for name in ("second", "third"):
            await stage.delete(DEPLOYMENT, name)
        await stage.nothing_left()
    finally:
        await stage.delete(TESTBED, small)
        await stage.gone(TESTBED, small)


async def _no_machines(stage: Stage) -> bool:
    return not stage.machines()
