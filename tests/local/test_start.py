"""Starting in bad surroundings, and with certificates of every kind: it works, or says why not in one line."""

from __future__ import annotations

import os
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from controller.local import kubeconfig
from controller.local.certificates import LEAF_LIFE, Authority
from controller.local.errors import LocalError
from controller.local.server import Server, Settings
from controller.local.state_file import DATABASE
from tests.local.plane import ControlPlane, LocalProcess, http, status, tls


async def fails(settings: Settings) -> str:
    with pytest.raises(LocalError) as refusal:
        await Server.start(settings)
    return str(refusal.value)


# ---------------------------------------------------------------- at start


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = await fails(Settings(tmp_path, tmp_path / "config", port=port))
    assert f"127.0.0.1:{port} is taken" in message
    assert "--port" in message


async def test_an_address_of_another_machine(tmp_path: Path) -> None:
    message = await fails(Settings(tmp_path, tmp_path / "config", bind="192.0.2.1"))
    assert "192.0.2.1" in message
    assert "--bind" in message


async def test_a_second_up_on_one_state(tmp_path: Path) -> None:
    server = await Server.start(Settings(tmp_path, tmp_path / "config"))
    try:
        message = await fails(Settings(tmp_path, tmp_path / "other"))
        assert f"process {os.getpid()}" in message
        assert server.url in message
    finally:
        await server.stop()


async def test_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = await fails(Settings(tmp_path / "file" / "state", tmp_path / "config"))
    assert str(tmp_path / "file" / "state") in message


async def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"Dear diary, " * 100)
    assert "not a state of nxc-controller" in await fails(Settings(tmp_path, tmp_path / "config"))
    assert (tmp_path / DATABASE).read_bytes() == b"Dear diary, " * 100


async def test_a_truncated_database(tmp_path: Path) -> None:
    server = await Server.start(Settings(tmp_path, tmp_path / "config"))
    await server.stop()
    os.truncate(tmp_path / DATABASE, (tmp_path / DATABASE).stat().st_size // 2)
    message = await fails(Settings(tmp_path, tmp_path / "config"))
    assert str(tmp_path / DATABASE) in message
    assert "restore it from a backup" in message


async def test_a_kubeconfig_of_another_cluster_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: [{name: production}]")
    message = await fails(Settings(tmp_path / "state", path))
    assert str(path) in message
    assert path.read_text() == "clusters: [{name: production}]"


async def test_after_a_start_that_failed_the_next_one_works(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("clusters: [{name: production}]")
    await fails(Settings(tmp_path / "state", path))
    path.unlink()
    server = await Server.start(Settings(tmp_path / "state", path))
    await server.stop()


def test_the_command_says_it_in_one_line(tmp_path: Path, local_server_process: LocalProcess) -> None:
    local_server_process.state.write_text("a file")
    process = local_server_process.spawn()
    assert process.wait(30) == 1
    said = local_server_process.log.read_text()
    assert said.startswith("nxc-controller up: ")
    assert len(said.splitlines()) == 1


# ---------------------------------------------------------------- certificates


def rewrite(path: Path, target: Path, authority: Authority, issued: datetime, life: timedelta) -> None:
    access = kubeconfig.read(path)
    identity = authority.client("alice", ["system:masters"], issued, life)
    kubeconfig.write(target, kubeconfig.Access(access.server, access.authority, identity, "alice", "default"))


def test_an_expired_client_certificate_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, local_control_plane: ControlPlane
) -> None:
    state = local_control_plane.kubeconfig.parent / "state"
    target = tmp_path / "expired"
    then = datetime.now(UTC) - timedelta(days=10)
    rewrite(local_control_plane.kubeconfig, target, Authority.load(state), then, timedelta(days=1))
    with http(target) as client:
        message = status(client.get("/api/v1/secrets"), 401)["message"]
    assert "alice expired at" in message
    assert "nxc-controller user add" in message
    assert "alice expired at" in caplog.text  # who looks after the server reads it as well


def test_a_certificate_of_another_authority_is_refused(
    tmp_path: Path, local_control_plane: ControlPlane
) -> None:
    other = Authority.load_or_create(tmp_path, datetime.now(UTC))
    target = tmp_path / "foreign"
    rewrite(local_control_plane.kubeconfig, target, other, datetime.now(UTC), LEAF_LIFE)
    with http(target) as client, pytest.raises(httpx.TransportError):
        client.get("/api/v1/secrets")


async def test_certificates_that_end_soon_are_renewed_at_start(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "state", tmp_path / "config")
    await (await Server.start(settings)).stop()
    old = kubeconfig.read(settings.kubeconfig)
    authority = Authority.load(settings.state)
    long_ago = datetime.now(UTC) - timedelta(days=400)
    (settings.state / "server.crt").unlink()
    authority.server(settings.state, ["127.0.0.1"], long_ago)
    identity = authority.client(old.user, ["system:masters"], long_ago)
    kubeconfig.write(
        settings.kubeconfig, kubeconfig.Access(old.server, old.authority, identity, old.user, "default")
    )
    server = await Server.start(settings)
    try:
        async with httpx.AsyncClient(base_url=server.url, verify=tls(settings.kubeconfig)) as client:
            assert (await client.get("/api/v1/secrets")).status_code == 200
    finally:
        await server.stop()
    assert stat.S_IMODE(settings.kubeconfig.stat().st_mode) == 0o600


async def test_the_kubeconfig_stays_good_over_restarts(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "state", tmp_path / "config")
    server = await Server.start(settings)
    first = kubeconfig.read(settings.kubeconfig).identity
    await server.stop()
    server = await Server.start(settings)
    await server.stop()
    assert kubeconfig.read(settings.kubeconfig).identity == first
