"""What goes wrong with containers and their engine: it is said, and it ends well."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from controller.model.kinds import DEPLOYMENT, NODE, TESTBED
from tests.loop.stage import apply, condition
from tests.system.docker.conftest import Site
from tests.system.docker.stage import SECONDS, DockerStage, testbed

pytestmark = pytest.mark.slow


async def test_a_container_that_is_killed_is_replaced(stage: DockerStage) -> None:
    await stage.plain()
    await stage.up()
    before = stage.container()

    stage.engine.docker("kill", before)
    node = await stage.condition(NODE, "web.server", "Booted", "False", reason="MachineGone", seconds=SECONDS)
    assert "PID 1 was ended by signal 9" in (condition(node, "Booted") or {})["message"]
    await stage.up()
    assert stage.container() != before


async def test_an_engine_that_is_restarted(stage: DockerStage) -> None:
    """Containers end with their engine: testbed and deployment say that it is away, and both come back."""
    await stage.plain()
    await stage.up()
    before = stage.container()

    stage.engine.kill()
    await stage.condition(NODE, "web.server", "Ready", "Unknown", reason="EngineAway", seconds=SECONDS)
    await stage.condition(TESTBED, "docker", "Ready", "False", reason="EngineAway", seconds=SECONDS)
    await asyncio.to_thread(stage.engine.start)
    await stage.condition(TESTBED, "docker", "Ready", seconds=SECONDS)
    await stage.up()
    assert stage.container() != before


async def test_an_engine_that_is_gone_during_create_and_during_delete(stage: DockerStage) -> None:
    stage.engine.kill()
    await stage.plain()
    await stage.until("the deployment says so", lambda: _says(stage, "no Docker engine answers"), SECONDS)
    await asyncio.to_thread(stage.engine.start)
    await stage.up()

    stage.engine.kill()
    await stage.delete(DEPLOYMENT, "web")
    await stage.until("the node says so", lambda: _says(stage, "no Docker engine answers"), SECONDS)
    assert await stage.get(NODE, "web.server") is not None
    await asyncio.to_thread(stage.engine.start)
    await stage.gone(DEPLOYMENT, "web", SECONDS)


async def test_a_network_of_the_same_name(stage: DockerStage) -> None:
    """Somebody else's is not touched; when it is gone, the deployment goes on."""
    await stage.edit_capacity(0)
    made = await stage.plain()
    name = f"nxc-{made['metadata']['uid']}"
    stage.engine.docker("network", "create", "--internal", "--subnet", "10.99.0.0/24", name)
    await stage.allow()
    await stage.until("it is said", lambda: _says(stage, f"docker network rm {name}"), SECONDS)
    stage.engine.docker("network", "rm", name)
    await stage.edit(DEPLOYMENT, "web", annotations={"nxc.dev/requestedAt": "now"})
    await stage.up()


async def test_a_base_image_that_was_removed(stage: DockerStage) -> None:
    stage.engine.docker("rmi", "--force", "nxc-empty:1", check=False)
    await stage.plain()
    await stage.up()


async def test_one_bad_node_and_its_neighbours(site: Site, stage: DockerStage) -> None:
    """A port that is taken is named, and holds back nobody else."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        def publish(manifest: dict[str, Any]) -> None:
            manifest["dockerPorts"] = {"server": [f"{port}:22"]}

        await stage.plain(image=site.images.change("taken", publish), clients=2)
        for client in ("client1", "client2"):
            await stage.condition(NODE, f"web.{client}", "Ready", seconds=SECONDS)
        await stage.until("the port is named", lambda: _says(stage, "PortInUse"), SECONDS)
        node = await stage.node()
        assert node["status"]["lastFailure"]["blame"] == "User"
    await stage.up(3)
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        assert connection.recv(4) == b"SSH-"


async def test_an_engine_elsewhere_is_refused(stage: DockerStage) -> None:
    await apply(stage.client, *testbed("tcp://192.0.2.1:2375"))
    obj = await stage.condition(TESTBED, "docker", "Ready", "False", reason="RemoteEngine", seconds=SECONDS)
    assert "on this host" in (condition(obj, "Ready") or {})["message"]
    await apply(stage.client, *testbed(f"unix:///nowhere/{os.getpid()}.sock"))
    await stage.condition(TESTBED, "docker", "Ready", "False", reason="EngineAway", seconds=SECONDS)
    await stage.allow()
    await stage.condition(TESTBED, "docker", "Ready", seconds=SECONDS)


async def _says(stage: DockerStage, text: str) -> bool:
    """Whether a condition of the deployment, or of one of its nodes, has these words."""
    objects = [await stage.get(DEPLOYMENT, "web"), *(await stage.nodes()).values()]
    return any(
        text in held["message"]
        for obj in objects
        if obj
        for held in (obj.get("status") or {}).get("conditions", ())
    )
