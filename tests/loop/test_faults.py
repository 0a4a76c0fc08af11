"""The API server at its worst: watches that end, pasts that are gone, errors, conflicts, doubled news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from controller.model.kinds import DEPLOYMENT, NAMESPACE, NODE
from tests.loop.conftest import House, end
from tests.loop.process import OperatorProcess
from tests.loop.stage import Stage, connect, crew

WATCHES = {"drop": 0.05, "expire": 0.05, "double": 0.2, "gone": 0.1}
ANSWERS = {"unavailable": 0.1, "too_many": 0.05, "conflict": 0.1}
FAULTS: dict[str, dict[str, Any]] = {
    "watches end, and the past is gone": WATCHES,
    "errors, conflicts, too many requests": ANSWERS,
    "all of it, and slow": {**WATCHES, **ANSWERS, "delay": 0.05},
}
SECONDS = 60.0
"""Some news is found by the next resync only."""


@pytest.fixture
async def rough(house: House, operator: OperatorProcess) -> AsyncIterator[Stage]:
    """A stage whose client is patient. The faults end before everything is cleared away."""
    if house.plane.kind != "local":
        pytest.skip("a real control plane has no fault switches")
    client = await connect(house.plane.kubeconfig, patient=True)
    namespace = "rough"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stage = Stage(client, namespace, house.world, house.testbed)
    try:
        yield stage
        await calm(stage)
        await end(stage)
        await stage.gone(NAMESPACE, namespace)
    finally:
        await calm(stage)
        stage.close()
        await client.aclose()


async def faults(stage: Stage, **switches: Any) -> None:
    """From now on the server does this to everybody."""
    await stage.client.request("PUT", "/nxc-faults", body=switches)


async def calm(stage: Stage) -> None:
    """No faults any more."""
    await faults(stage)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
async def test_what_is_wished_comes_true_all_the_same(rough: Stage, name: str) -> None:
    await faults(rough, seed=7, **FAULTS[name])
    await rough.composition()
    for deployment in ("one", "two", "three"):
        await rough.deployment(deployment, roles=crew(server=1, client=2))
    for deployment in ("one", "two", "three"):
        await rough.ready(deployment, nodes=3, seconds=SECONDS)
    await rough.edit(DEPLOYMENT, "one", {"roles": crew(client=4)})
    await rough.edit(DEPLOYMENT, "two", {"flavour": "simulated-fast"})
    await rough.delete(NODE, "one.client1")
    await rough.delete(DEPLOYMENT, "three")
    await rough.ready("one", nodes=4, seconds=SECONDS)
    await rough.ready("two", nodes=3, seconds=SECONDS)
    await rough.composition(text="another version")
    await asyncio.sleep(0.5)
    await rough.ready("one", nodes=4, seconds=SECONDS)
    await rough.ready("two", nodes=3, seconds=SECONDS)
    await rough.gone(DEPLOYMENT, "three", seconds=SECONDS)
    await rough.matches(SECONDS)


@pytest.mark.slow
async def test_killed_under_all_faults_at_once(rough: Stage, operator: OperatorProcess) -> None:
    await faults(rough, seed=11, **WATCHES, **ANSWERS)
    await rough.composition()
    await rough.deployment("one", roles=crew(server=1, client=3))
    for pause in (0.2, 0.5, 1.0):
        await asyncio.sleep(pause)
        operator.kill()
        await asyncio.to_thread(operator.start)
    await rough.ready("one", nodes=4, seconds=SECONDS)
    await rough.delete(DEPLOYMENT, "one")
    await asyncio.sleep(0.2)
    operator.kill()
    await asyncio.to_thread(operator.start)
    await rough.gone(DEPLOYMENT, "one", seconds=SECONDS)
    await rough.nothing_left(SECONDS)
