"""Fixtures of the loop tests: one operator and one world a control plane, a namespace a test."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.kube.api import NotFound
from controller.model.kinds import DEPLOYMENT, NAMESPACE, NODE, TESTBED
from tests.loop.process import OperatorProcess
from tests.loop.stage import Stage, apply, connect, install

if TYPE_CHECKING:
    from tests.local.plane import ControlPlane

TESTBED_SPEC = {"kind": "simulated", "allowedNamespaces": {"from": "All"}}
WORLD_OPTIONS = "stage=0.08&spread=0.5&ending=0.1"


@dataclass(frozen=True)
class House:
    """A control plane with our CRDs, an operator on it, and the world of its testbed."""

    plane: ControlPlane
    operator: OperatorProcess
    world: Path
    testbed: str


@pytest.fixture(scope="session")
def house(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The operator leads, and the testbed of all these tests is there."""
    directory = tmp_path_factory.mktemp(f"house-{control_plane.kind}")
    world = directory / "world"
    testbed = f"loop-{secrets.token_hex(3)}"

    async def furnish() -> None:
        client = await connect(control_plane.kubeconfig)
        await install(client)
        spec = {**TESTBED_SPEC, "endpoint": f"file://{world}?{WORLD_OPTIONS}"}
        await apply(client, TESTBED, {"metadata": {"name": testbed}, "spec": spec})
        await client.aclose()

    async def clear() -> None:
        client = await connect(control_plane.kubeconfig)
        obj = await client.get(TESTBED, "", testbed)
        await client.delete(TESTBED, "", testbed, uid=obj["metadata"]["uid"])
        await client.aclose()

    asyncio.run(furnish())
    operator = OperatorProcess(control_plane.kubeconfig, directory)
    try:
        operator.start()
        yield House(control_plane, operator, world, testbed)
        asyncio.run(clear())
        assert operator.stop() == 0, f"the operator did not end cleanly: {operator.said()[-2000:]}"
    finally:
        if operator.running:
            operator.kill()
    assert "Traceback" not in operator.said(), operator.said()


@pytest.fixture
def operator(house: House) -> OperatorProcess:
    """The operator; it runs when the test begins, and need not when it ends."""
    if not house.operator.running:
        house.operator.start()
    return house.operator


@pytest.fixture
async def stage(house: House, operator: OperatorProcess) -> AsyncIterator[Stage]:
    """A namespace of the test's own. At its end everything in it is deleted, and nothing may be left."""
    client = await connect(house.plane.kubeconfig)
    namespace = f"loop-{secrets.token_hex(3)}"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stage = Stage(client, namespace, house.world, house.testbed)
    try:
        yield stage
        if not operator.running:
            operator.start()
        await end(stage)
    finally:
        stage.close()
        await client.aclose()


async def end(stage: Stage) -> None:
    """Delete what the test left; the world must be empty of it."""
    for kind in (DEPLOYMENT, NODE):
        for item in (await stage.client.list(kind, namespace=stage.namespace)).items:
            with contextlib.suppress(NotFound):
                await stage.delete(kind, item["metadata"]["name"])
    await stage.nothing_left()
    with contextlib.suppress(NotFound):
        await stage.delete(NAMESPACE, stage.namespace)  # takes the API server some seconds more
