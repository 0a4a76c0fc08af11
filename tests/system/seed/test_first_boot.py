"""How a node learns what it is, and that it does nothing where it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio
from aiohttp import web

from tests.system.seed.machine import MANAGEMENT, Image, Machine, information, inline

pytestmark = pytest.mark.slow

URL = "http://10.0.2.100/v1/information/token"
REPORT = "http://10.0.2.100/v1/report/token"
NET = f"nxc.net={MANAGEMENT},10.0.2.15/24"


@dataclass
class Server:
    """What a controller answers, and what it was told."""

    document: bytes = b"{}"
    port: int = 0
    reports: list[dict[str, object]] = field(default_factory=list)

    async def give(self, request: web.Request) -> web.Response:
        return web.Response(body=self.document)

    async def take(self, request: web.Request) -> web.Response:
        self.reports.append(json.loads(await request.read()))
        return web.Response(status=204)

    async def told(self) -> None:
        """Returns once there is a report."""
        async with asyncio.timeout(60):
            while not self.reports:
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Server]:
    held = Server()
    app = web.Application()
    app.add_routes([web.get("/v1/information/token", held.give), web.post("/v1/report/token", held.take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    held.port = runner.addresses[0][1]
    try:
        yield held
    finally:
        await runner.cleanup()


Boot = Callable[..., Machine]


@pytest_asyncio.fixture
async def boot(
    supervision: Image, client_key: asyncssh.SSHKey, server: Server, tmp_path: Path
) -> AsyncIterator[Boot]:
    started: list[Machine] = []

    def start(*parameters: str) -> Machine:
        machine = Machine(supervision, tmp_path / "node", parameters, client_key, server_port=server.port)
        started.append(machine)
        machine.boot()
        return machine

    yield start
    for machine in started:
        await machine.off()


async def test_a_node_fetches_its_information_and_reports(
    boot: Boot, server: Server, public_key: str
) -> None:
    server.document = json.dumps(information("client", public_key, report=REPORT)).encode()
    digest = hashlib.sha256(server.document).hexdigest()
    machine = boot(f"nxc.url={URL}", f"nxc.sha256={digest}", NET)
    await machine.says("the role client is up")
    assert await machine.succeed("hostname") == "client\n"
    await server.told()
    connection = await machine.connection()
    key = connection.get_server_host_key()
    assert key is not None
    (report,) = server.reports
    line = (await machine.succeed("cat /proc/cmdline")).strip()
    assert report["hostKey"] == key.export_public_key().decode().strip()
    assert report["role"] == "client"
    assert report["toplevel"] == machine.image.manifest["roles"]["client"]["toplevel"]
    assert report["kernel"] == machine.image.manifest["kernelVersion"]
    assert report["cmdlineSha256"] == hashlib.sha256(line.encode()).hexdigest()
    timings = report["timings"]
    assert isinstance(timings, dict)
    assert 0 < timings["information"] < timings["files"]


async def test_what_has_another_digest_is_refused(boot: Boot, server: Server, public_key: str) -> None:
    server.document = json.dumps(information("client", public_key, report=REPORT)).encode()
    machine = boot(f"nxc.url={URL}", f"nxc.sha256={'0' * 64}", NET)
    console = await machine.says("NOT CONFIGURED")
    assert "has the SHA-256" in console
    assert "is up" not in console
    assert server.reports == []


async def test_a_role_that_the_image_lacks_is_reported(boot: Boot, server: Server, public_key: str) -> None:
    machine = boot(inline(information("database", public_key, report=REPORT)))
    console = await machine.says("NOT CONFIGURED")
    assert 'this image has no role "database", only client, server' in console
    await server.told()
    assert "has no role" in str(server.reports[0]["error"])


async def test_without_information_a_node_stays_unconfigured(boot: Boot) -> None:
    machine = boot()
    console = await machine.says("NOT CONFIGURED")
    assert "neither nxc.info nor nxc.url" in console
    assert "is up" not in console
