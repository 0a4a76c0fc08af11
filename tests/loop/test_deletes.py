"""What users take away, in every order, and what must be left of it: nothing."""

from __future__ import annotations

import pytest

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NAMESPACE, NODE, SECRET, TESTBED
from tests.loop.stage import Stage, crew

THREE = crew(server=1, client=2)


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
@pytest.mark.parametrize("moment", ["ready", "starting"])
async def test_a_deleted_deployment_leaves_nothing(stage: Stage, propagation: str, moment: str) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    if moment == "ready":
        await stage.ready(nodes=3)
    else:
        await stage.until("a machine is ordered", lambda: _machines(stage))
    await stage.delete(DEPLOYMENT, "web", propagation)
    await stage.gone(DEPLOYMENT, "web")
    await stage.nothing_left()


async def test_orphans_run_on_and_are_adopted_by_a_deployment_made_anew(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    before = {host: r.order.key for host, r in stage.running().items()}
    await stage.delete(DEPLOYMENT, "web", "Orphan")
    await stage.gone(DEPLOYMENT, "web")
    nodes = await stage.nodes()
    assert len(nodes) == 3
    assert not any(node["metadata"].get("ownerReferences") for node in nodes.values())
    assert {host: r.order.key for host, r in stage.running().items()} == before

    made = await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    for node in (await stage.nodes()).values():
        (owner,) = node["metadata"]["ownerReferences"]
        assert owner["uid"] == made["metadata"]["uid"]
    assert {host: r.order.key for host, r in stage.running().items()} == before
    await stage.matches()
    await stage.delete(DEPLOYMENT, "web")
    await stage.nothing_left()


async def test_orphans_can_be_deleted_by_hand(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    await stage.delete(DEPLOYMENT, "web", "Orphan")
    await stage.gone(DEPLOYMENT, "web")
    for name in await stage.nodes():
        await stage.delete(NODE, name)
    await stage.until("their machines are gone", lambda: _no_machines(stage))


async def test_a_namespace_is_deleted_whole(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment("one", roles=THREE)
    await stage.deployment("two", flavour="simulated-fast")
    await stage.ready("one")
    await stage.ready("two")
    await stage.delete(NAMESPACE, stage.namespace)
    await stage.gone(NAMESPACE, stage.namespace)
    await stage.nothing_left()


async def test_the_composition_goes_first(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    await stage.delete(COMPOSITION, "web")
    await stage.condition(DEPLOYMENT, "web", "ImageReady", "False", reason="CompositionNotFound")
    assert len(stage.running()) == 3
    await stage.delete(DEPLOYMENT, "web")
    await stage.nothing_left()


async def test_the_credentials_go_first(stage: Stage) -> None:
    obj = await stage.get(TESTBED, stage.testbed)
    assert obj is not None
    own = f"{stage.testbed}-own"
    credentials = {"mode": "PerNamespace", "secretRef": {"name": "account"}}
    await stage.create(TESTBED, own, {**obj["spec"], "credentials": credentials})
    try:
        await stage.composition()
        await stage.deployment(testbedRef={"name": own})
        await stage.condition(DEPLOYMENT, "web", "Admitted", "False", reason="CredentialsMissing")
        secret = {
            "metadata": {"name": "account", "namespace": stage.namespace},
            "stringData": {"password": "x"},
        }
        await stage.client.create(SECRET, {"apiVersion": "v1", "kind": "Secret", **secret})
        await stage.edit(DEPLOYMENT, "web", annotations={"nxc.dev/requestedAt": "the secret is there"})
        await stage.ready(nodes=1)
        await stage.delete(SECRET, "account")
        await stage.delete(DEPLOYMENT, "web")
        await stage.nothing_left()
    finally:
        await stage.delete(TESTBED, own)
        await stage.gone(TESTBED, own)


async def test_a_testbed_in_use_stays_until_its_last_node_is_gone(stage: Stage) -> None:
    obj = await stage.get(TESTBED, stage.testbed)
    assert obj is not None
    other = f"{stage.testbed}-other"
    await stage.create(TESTBED, other, obj["spec"])
    await stage.composition()
    await stage.deployment(testbedRef={"name": other}, roles=THREE)
    await stage.ready(nodes=3)

    async def held() -> bool:
        testbed = await stage.get(TESTBED, other)
        return testbed is not None and "nxc.dev/in-use" in testbed["metadata"].get("finalizers", ())

    await stage.until("the testbed is held by its finalizer", held)
    await stage.delete(TESTBED, other)
    assert await stage.get(TESTBED, other) is not None
    assert len(stage.running()) == 3
    await stage.delete(DEPLOYMENT, "web")
    await stage.gone(TESTBED, other)
    await stage.nothing_left()


async def test_a_deleted_node_is_replaced(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    before = {host: r.order.key.node for host, r in stage.running().items()}
    await stage.delete(NODE, "web.client1")

    async def replaced() -> bool:
        node = await stage.get(NODE, "web.client1")
        return node is not None and node["metadata"]["uid"] != before["client1"]

    await stage.until("another node has its name", replaced)
    await stage.ready(nodes=3)
    await stage.matches()
    after = {host: r.order.key.node for host, r in stage.running().items()}
    assert {host for host in after if after[host] != before[host]} == {"client1"}


async def test_deleted_and_made_anew_at_once(stage: Stage) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    old = {r.order.key.node for r in stage.running().values()}
    await stage.delete(DEPLOYMENT, "web")
    await stage.gone(DEPLOYMENT, "web")
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    await stage.matches()
    assert not old & {r.order.key.node for r in stage.running().values()}


async def _machines(stage: Stage) -> bool:
    return bool(stage.machines())


async def _no_machines(stage: Stage) -> bool:
    return not stage.machines()
