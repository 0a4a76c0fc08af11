"""Compositions and manifests that want more of the host than their Testbed grants: refused by name, nothing made."""

from __future__ import annotations

import ipaddress
import socket
from functools import partial
from typing import Any

import pytest

from controller.flavours.docker_project import PREFIX
from controller.model.kinds import DEPLOYMENT
from tests.loop.stage import condition
from tests.system.docker.conftest import Site
from tests.system.docker.stage import SECONDS, DockerStage

pytestmark = pytest.mark.slow


def root_of_the_host(manifest: dict[str, Any]) -> None:
    manifest["extraVolumes"] = {"server": ["/:/host"]}


def everything(manifest: dict[str, Any]) -> None:
    manifest["roles"]["server"]["container"] = {"privileged": True}


def every_address(manifest: dict[str, Any]) -> None:
    manifest["dockerPorts"] = {"server": ["0.0.0.0:2222:22"]}


def a_variable(manifest: dict[str, Any]) -> None:
    manifest["extraVolumes"] = {"server": ["${KUBECONFIG}:/data"]}


REFUSED = {
    "host-root": (root_of_the_host, "VolumeRefused", "'/:/host'"),
    "privileged": (everything, "PrivilegeRefused", "role 'server' wants privileged"),
    "everywhere": (every_address, "PortRefused", "spec.publishAddresses does not list 0.0.0.0"),
    "variable": (a_variable, "VolumeRefused", "'${KUBECONFIG}:/data'"),
}


async def test_what_no_testbed_granted_is_refused_by_name_and_nothing_is_made(
    site: Site, stage: DockerStage
) -> None:
    for name, (change, _, _) in REFUSED.items():
        await stage.plain(name, image=site.images.change(name, change))
    for name, (_, reason, words) in REFUSED.items():
        refused = await stage.condition(DEPLOYMENT, name, "Admitted", "False", reason=reason, seconds=SECONDS)
        assert words in (condition(refused, "Stalled") or {})["message"]
        assert not await stage.nodes(name)
    assert not stage.left(), "something was made"


async def test_what_the_testbed_grants_is_had(site: Site, stage: DockerStage) -> None:
    """Volumes and folders are kept apart from the host; a path that the administrator listed is mounted."""
    allowed = site.state / "allowed"
    allowed.mkdir(exist_ok=True)
    (allowed / "hello").write_text("from the host")

    def volumes(manifest: dict[str, Any]) -> None:
        manifest["extraVolumes"] = {
            "server": ["data:/srv/data", "./shared:/srv/shared", f"{allowed}:/srv/host:ro"],
            "client": ["./shared:/srv/shared:ro"],
        }

    await stage.plain(image=site.images.change("volumes", volumes), clients=1)
    await stage.condition(DEPLOYMENT, "web", "Admitted", "False", reason="VolumeRefused", seconds=SECONDS)
    await stage.allow(allowedHostPaths=[str(allowed)])
    await stage.up(2)
    assert await stage.ssh("cat /srv/host/hello") == "from the host"
    assert "Read-only" in await stage.ssh("touch /srv/host/x 2>&1")
    await stage.ssh("echo word > /srv/shared/file; echo kept > /srv/data/file")
    assert await stage.ssh("cat /srv/shared/file", "client") == "word\n"
    assert "Read-only" in await stage.ssh("touch /srv/shared/x 2>&1", "client")


async def test_containers_reach_no_service_of_their_host(site: Site, stage: DockerStage) -> None:
    """Neither at the network's first address, nor at that of the network of published ports."""

    def publish(manifest: dict[str, Any]) -> None:
        manifest["dockerPorts"] = {"server": ["22"]}

    await stage.plain(image=site.images.change("published", publish), clients=1)
    await stage.up(2)
    inside = (await stage.node())["status"]["address"].rpartition(":")[0]
    nodes = str(ipaddress.ip_interface(f"{inside}/{PREFIX}").network[1])
    edge = (await stage.ssh("ip route show default")).split()[2]
    for host, address in (("client", nodes), ("server", edge)):
        with socket.create_server((address, 0)) as service:
            service.setblocking(False)
            port = service.getsockname()[1]
            with socket.create_connection((address, port), 10):
                await stage.until("the host itself reaches it", partial(_accepted, service))
            await stage.ssh(f"timeout 3 nc -w 1 {address} {port} </dev/null", host)
            assert not await _accepted(service), f"{host} reached the host at {address}"


async def _accepted(service: socket.socket) -> bool:
    """Whether somebody has connected."""
    try:
        connection, _ = service.accept()
    except BlockingIOError:
        return False
    connection.close()
    return True
