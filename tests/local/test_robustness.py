"""Bad input, full disks and signals: a clear message or a Status each, and the server stays up, or ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from controller.local.server import Server, Settings
from controller.local.state_file import DATABASE
from tests.local.plane import ControlPlane, LocalProcess, LocalThread, address, http, status, tls

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def api(local_control_plane: ControlPlane) -> Iterator[httpx.Client]:
    with http(local_control_plane.kubeconfig) as client:
        yield client
        assert client.get("/readyz").text == "ok", "the server did not survive"


def configmap(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def test_nobody_in_particular_may_see_the_version_and_little_else(local_control_plane: ControlPlane) -> None:
    with http(local_control_plane.kubeconfig, identity=False) as client:
        for path in ("/version", "/healthz", "/livez", "/readyz"):
            assert client.get(path).status_code == 200, path
        for path in (
            "/",
            "/api",
            "/apis",
            "/openapi/v3",
            "/metrics",
            "/nxc-faults",
            "/api/v1/secrets",
            "/nowhere",
        ):
            assert 'User "system:anonymous" cannot' in status(client.get(path), 403)["message"], path
        bad = {"Authorization": "Bearer rubbish"}
        assert status(client.get("/version", headers=bad), 401)["reason"] == "Unauthorized"


# ---------------------------------------------------------------- requests


def test_a_body_of_4_mb(api: httpx.Client) -> None:
    answer = api.post(CONFIGMAPS, json=configmap("big", x="y" * (4 << 20)))
    assert "3145728" in status(answer, 413)["message"]


def test_a_chunked_body_without_end(api: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 65536

    with contextlib.suppress(httpx.WriteError):  # the server may close while we still write
        assert status(api.post(CONFIGMAPS, content=chunks()), 413)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "application/json"),
        (b"[" * 1_000_000, "application/json"),
        (b"- " * 50_000, "application/yaml"),
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b"3", "application/json"),
        (b'"x"', "application/json"),
        (b"null", "application/json"),
        (b"{}", "application/json"),
        (b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": 3}', "application/json"),
        (b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ["a"]}}', "application/json"),
        (b'{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}', "application/json"),
        (b'{"apiVersion": ["v1"], "kind": {}, "metadata": {"name": "a"}}', "application/json"),
        (b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "\\ud800"}}', "application/json"),
        (b"k8s\x00rubbish", "application/vnd.kubernetes.protobuf"),
    ],
)
def test_a_body_that_is_no_object(api: httpx.Client, body: bytes, kind: str) -> None:
    answer = api.post(CONFIGMAPS, content=body, headers={"Content-Type": kind})
    document = answer.json()
    assert answer.status_code in (400, 422), answer.text
    assert document["kind"] == "Status"
    assert len(document["message"]) > 20


@pytest.mark.parametrize(
    "kind",
    [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"3",
        b"{",
        b"[3]",
        b'{"metadata": 3}',
        b'[{"op": "fly"}]',
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"metadata": {"labels": []}}',
    ],
)
def test_a_patch_that_is_none(api: httpx.Client, kind: str, body: bytes) -> None:
    api.post(CONFIGMAPS, json=configmap("patched", a="b"))
    before = api.get(f"{CONFIGMAPS}/patched").json()
    answer = api.patch(
        f"{CONFIGMAPS}/patched", content=body, params={"fieldManager": "m"}, headers={"Content-Type": kind}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["kind"] == "Status"
    assert api.get(f"{CONFIGMAPS}/patched").json() == before


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/unicorns", 404),
        ("GET", "/apis/example.org/v1", 404),
        ("GET", "/apis/example.org/v1/unicorns", 404),
        ("GET", "/api/v1/namespaces/default/configmaps/none", 404),
        ("GET", "/api/v1/namespaces/default/configmaps/none/status", 404),
        ("GET", "/api/v1/namespaces/default/configmaps/a/b/c/d", 404),
        ("GET", "/openapi/v3/apis/example.org/v1", 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/api/v1/configmaps?limit=many", 400),
        ("GET", "/api/v1/configmaps?labelSelector=a%3D%3D%3Db%2C%2C(", 400),
        ("GET", "/api/v1/configmaps?fieldSelector=spec.colour%3Dred", 400),
        ("GET", "/api/v1/configmaps?continue=rubbish", 400),
        ("GET", "/api/v1/configmaps?resourceVersion=yesterday", 400),
        ("PUT", "/api/v1/namespaces/default/configmaps", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps", 405),
        ("POST", "/api/v1/namespaces/default/configmaps/a", 405),
        ("OPTIONS", "/api/v1/namespaces/default/configmaps", 405),
        ("DELETE", "/apis", 405),
        ("POST", "/version", 405),
        ("PATCH", "/api/v1/namespaces/default/configmaps/a", 415),
    ],
)
def test_every_refusal_is_a_status(api: httpx.Client, method: str, path: str, code: int) -> None:
    body = {} if method in ("PUT", "PATCH", "POST") else None
    status(api.request(method, path, json=body), code)


def test_who_takes_only_protobuf_hears_406(api: httpx.Client) -> None:
    status(api.get("/api/v1/secrets", headers={"Accept": "application/vnd.kubernetes.protobuf"}), 406)


def test_names_with_strange_characters_stay_names(api: httpx.Client) -> None:
    for name in ("a/b", "%00", "a b", "é", "x" * 3000):
        answer = api.get(f"{CONFIGMAPS}/{httpx.URL('').copy_with(path='/' + name).raw_path.decode()[1:]}")
        assert answer.status_code in (400, 404), name
        assert answer.json()["kind"] == "Status"


# ---------------------------------------------------------------- watches


async def open_watch(
    context: ssl.SSLContext, url: str, query: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
    """One raw watch; its status code once the headers are read."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context, limit=1 << 20)
    writer.write(f"GET /api/v1/configmaps?watch=1{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return reader, writer, int(head.split()[1])


async def test_past_the_limit_of_watches_comes_429(tmp_path: Path) -> None:
    server = await Server.start(Settings(tmp_path / "state", tmp_path / "config", max_watches=20))
    context = tls(tmp_path / "config")
    opened = []
    try:
        opened += [await open_watch(context, server.url) for _ in range(25)]
        assert [code for _, _, code in opened] == [200] * 20 + [429] * 5
        async with httpx.AsyncClient(base_url=server.url, verify=context) as client:
            refusal = await client.get("/api/v1/configmaps?watch=1")
            assert int(refusal.headers["Retry-After"]) > 0
            assert "20 watches at most" in status(refusal, 429)["message"]
            opened[0][1].transport.abort()
            for _ in range(50):  # the place of one who went is free again
                again = await open_watch(context, server.url)
                opened.append(again)
                if again[2] == 200:
                    break
                await asyncio.sleep(0.1)
            assert again[2] == 200
    finally:
        for _, writer, _ in opened:
            writer.transport.abort()
        await server.stop()


@pytest.mark.slow
async def test_ten_thousand_watches(tmp_path: Path, local_server_process: LocalProcess) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(10_000, hard - 500)
    local_server_process.start()
    context = tls(local_server_process.kubeconfig)
    url = address(local_server_process.kubeconfig)
    opened: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, int]] = []
    try:
        for _ in range(0, count, 50):
            opened += await asyncio.gather(*(open_watch(context, url) for _ in range(50)))
        codes = [code for _, _, code in opened]
        assert set(codes) <= {200, 429}
        assert codes.count(200) >= min(1000, count // 4)
        with http(local_server_process.kubeconfig) as client:
            started = time.monotonic()
            client.post(CONFIGMAPS, json=configmap("news")).raise_for_status()
            assert time.monotonic() - started < 10
        seen = 0
        async with asyncio.timeout(60):
            for reader, _, code in opened:
                if code == 200:
                    while b'"news"' not in await reader.readline():
                        pass
                    seen += 1
        assert seen == codes.count(200)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for _, writer, _ in opened:
            writer.transport.abort()


async def test_a_slow_reader_is_cut_off_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.local.watching.STALL", 1.0)
    server = await Server.start(Settings(tmp_path / "state", tmp_path / "config"))
    context = tls(tmp_path / "config")
    slow = await open_watch(context, server.url)
    slow[1].transport.pause_reading()  # type: ignore[attr-defined]  # every socket transport has it
    quick = await open_watch(context, server.url)
    try:
        async with httpx.AsyncClient(base_url=server.url, verify=context, timeout=30) as client:
            for number in range(100):
                body = configmap(f"n{number}", x="y" * 200_000)
                (await client.post(CONFIGMAPS, json=body)).raise_for_status()
                async with asyncio.timeout(30):
                    while f'"n{number}"'.encode() not in await quick[0].readuntil(b"\n"):
                        pass
            async with asyncio.timeout(20):
                while len(server.watches) > 1:
                    await asyncio.sleep(0.1)
            assert (await client.get("/readyz")).text == "ok"
    finally:
        slow[1].transport.abort()
        quick[1].transport.abort()
        await server.stop()


async def test_a_reader_that_falls_behind_the_window_hears_410(tmp_path: Path) -> None:
    server = await Server.start(Settings(tmp_path / "state", tmp_path / "config"))
    context = tls(tmp_path / "config")
    try:
        version = server.core.resource_version
        async with httpx.AsyncClient(base_url=server.url, verify=context) as client:
            (await client.post(CONFIGMAPS, json=configmap("a"))).raise_for_status()
        server.core.storage.forget()
        reader, writer, code = await open_watch(context, server.url, f"&resourceVersion={version}")
        body = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 10)
        writer.transport.abort()
        assert code == 200
        assert b'"type":"ERROR"' in body
        assert b'"code":410' in body
        assert b'"reason":"Expired"' in body
    finally:
        await server.stop()


# ---------------------------------------------------------------- the disk and the kernel


def test_a_full_disk_refuses_writes_and_nothing_else(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    with http(process.kubeconfig) as client:
        client.post(CONFIGMAPS, json=configmap("before")).raise_for_status()
        version = client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]
        log = process.state / f"{DATABASE}-wal"
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        for _ in range(3):
            refusal = client.post(CONFIGMAPS, json=configmap("during", x="y" * 100_000))
            assert refusal.status_code in (500, 507)
            assert str(process.state / DATABASE) in refusal.json()["message"]
            assert "nothing was changed" in refusal.json()["message"]
        assert client.get(f"{CONFIGMAPS}/before").status_code == 200
        assert client.get(f"{CONFIGMAPS}/during").status_code == 404
        assert client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"] == version
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        client.post(CONFIGMAPS, json=configmap("after")).raise_for_status()
    process.kill()
    process.start()
    with http(process.kubeconfig) as client:
        names = {item["metadata"]["name"] for item in client.get(CONFIGMAPS).json()["items"]}
    assert {"before", "after"} <= names
    assert "during" not in names


def test_kill_9_loses_nothing_that_was_acknowledged(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    acknowledged: dict[str, str] = {}
    newest = 0
    for generation in range(4):
        with http(process.kubeconfig) as client, contextlib.suppress(httpx.TransportError):
            for number in range(60):
                name = f"n{number % 7}"
                if name in acknowledged:
                    answer = client.delete(f"{CONFIGMAPS}/{name}")
                    assert answer.status_code == 200
                    del acknowledged[name]
                    continue
                answer = client.post(CONFIGMAPS, json=configmap(name, round=f"{generation}-{number}"))
                assert answer.status_code == 201, answer.text
                acknowledged[name] = answer.json()["metadata"]["uid"]
                newest = int(answer.json()["metadata"]["resourceVersion"])
                if number == 40 + generation:
                    os.kill(process.pid, signal.SIGKILL)
        process.kill()
        process.start()
        with http(process.kubeconfig) as client:
            answer = client.get(CONFIGMAPS)
            kept = {item["metadata"]["name"]: item["metadata"]["uid"] for item in answer.json()["items"]}
            assert int(answer.json()["metadata"]["resourceVersion"]) >= newest
        for name, uid in acknowledged.items():
            assert kept.get(name) == uid
        acknowledged = {name: uid for name, uid in kept.items() if name.startswith("n")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(local_server_process: LocalProcess, number: int) -> None:
    process = local_server_process.start()
    started = time.monotonic()
    assert process.stop(number) == 0
    assert time.monotonic() - started < 10
    assert "Traceback" not in process.log.read_text()
    assert not (process.state / f"{DATABASE}-wal").exists()


async def test_a_watch_does_not_hold_up_the_stop(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    _, writer, code = await open_watch(tls(process.kubeconfig), address(process.kubeconfig))
    assert code == 200
    started = time.monotonic()
    assert await asyncio.to_thread(process.stop) == 0
    assert time.monotonic() - started < 10
    writer.transport.abort()


def test_the_state_comes_back_after_a_stop(local_server_process: LocalProcess) -> None:
    process = local_server_process.start()
    with http(process.kubeconfig) as client:
        made = client.post(CONFIGMAPS, json=configmap("kept", a="b")).json()
        version = int(client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"])
    process.stop()
    process.start()
    with http(process.kubeconfig) as client:
        assert client.get(f"{CONFIGMAPS}/kept").json() == made
        assert int(client.get(CONFIGMAPS).json()["metadata"]["resourceVersion"]) >= version


def test_a_server_in_a_thread_leaves_nothing_behind(tmp_path: Path) -> None:
    thread = LocalThread(Settings(tmp_path / "state", tmp_path / "config"))
    thread.start()
    thread.stop()
    assert (tmp_path / "state" / "lock").read_bytes() == b""
