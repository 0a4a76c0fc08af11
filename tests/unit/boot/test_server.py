"""The information server: nodes that behave, nodes that do not, and a restart in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.boot import http
from controller.boot.attempts import BURST, Attempt, Attempts
from controller.boot.http import Request, Response
from controller.boot.server import Listener
from controller.model.machine import MachineKey

KEY = MachineKey("inst", "node-1", 1)
OTHER = MachineKey("inst", "node-2", 1)
HOST_KEY = "ssh-ed25519 " + "A" * 68
REPORT = {
    "hostKey": HOST_KEY,
    "toplevel": "/nix/store/x",
    "kernel": "6.1",
    "cmdlineSha256": "a" * 64,
    "role": "r",
}


class Desk:
    """Attempts, and who was told of."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.changed: list[MachineKey] = []
        self.attempts = Attempts(directory, self.changed.append)

    def open(self, key: MachineKey = KEY) -> str:
        token = self.attempts.token(key)
        self.attempts.open(Attempt(key, token, b'{"the":"document"}', "sha256:i"))
        return token

    def report(self, token: str, **changes: str) -> Response:
        body = json.dumps(REPORT | changes).encode()
        return self.attempts.answer(Request("POST", f"/v1/report/{token}", body))

    def get(self, token: str, only: MachineKey | None = None) -> Response:
        return self.attempts.answer(Request("GET", f"/v1/info/{token}"), only)

    def restarted(self) -> Desk:
        return Desk(self.directory)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "attempts")


def test_a_node_gets_its_document_and_that_is_noticed_once(desk: Desk) -> None:
    token = desk.open()
    attempt = desk.attempts.get(KEY)
    assert attempt is not None
    assert not attempt.informed
    for _ in range(2):
        assert desk.get(token).body == b'{"the":"document"}'
    assert desk.changed == [KEY]
    attempt = desk.attempts.get(KEY)
    assert attempt is not None
    assert attempt.informed


def test_tokens_are_long_unlike_and_of_one_node(desk: Desk) -> None:
    first, second = desk.open(KEY), desk.open(OTHER)
    assert first != second
    assert len(first) >= 43
    assert desk.get(first, only=OTHER).code == 404
    assert desk.get(second, only=OTHER).code == 200
    assert desk.get("x" * 43).code == 404


def test_a_second_host_key_is_refused_and_remembered(desk: Desk) -> None:
    token = desk.open()
    assert desk.report(token).code == 200
    assert desk.report(token, hostKey="ssh-ed25519 " + "B" * 68).code == 409
    attempt = desk.attempts.get(KEY)
    assert attempt is not None
    assert attempt.report is not None
    assert attempt.report.host_key == HOST_KEY
    assert attempt.contested == "ssh-ed25519 " + "B" * 68
    assert desk.changed == [KEY, KEY]


def test_a_report_that_is_repeated_changes_nothing(desk: Desk) -> None:
    token = desk.open()
    assert [desk.report(token).code for _ in range(3)] == [200, 200, 200]
    assert desk.changed == [KEY]


def test_a_node_that_could_not_be_configured_is_not_informed(desk: Desk) -> None:
    token = desk.open()
    desk.attempts.answer(Request("POST", f"/v1/report/{token}", b'{"error": "no role"}'))
    attempt = desk.attempts.get(KEY)
    assert attempt is not None
    assert not attempt.informed


def test_a_report_that_is_none_is_remembered_with_what_is_wrong(desk: Desk) -> None:
    token = desk.open()
    assert desk.report(token, hostKey="nonsense").code == 400
    attempt = desk.restarted().attempts.get(KEY)
    assert attempt is not None
    assert attempt.refused == "hostKey is no SSH public key"
    assert attempt.report is None
    assert desk.changed == [KEY]


def test_after_a_restart_the_node_is_answered_as_before(desk: Desk) -> None:
    token = desk.open()
    desk.report(token)
    again = desk.restarted()
    assert again.get(token).code == 200
    assert again.report(token, hostKey="ssh-ed25519 " + "B" * 68).code == 409
    assert again.attempts.token(KEY) == token


def test_when_the_attempt_ends_its_token_opens_nothing(desk: Desk) -> None:
    token = desk.open()
    desk.attempts.close(KEY)
    assert desk.get(token).code == 404
    assert desk.report(token).code == 404
    assert list(desk.directory.iterdir()) == []
    assert desk.restarted().get(token).code == 404


def test_orders_that_were_never_taken_leave_no_token(desk: Desk) -> None:
    desk.open(KEY)
    token = desk.open(OTHER)
    desk.attempts.keep_only([KEY])
    assert desk.get(token).code == 404


def test_a_node_that_asks_without_end_is_slowed_down_alone(desk: Desk) -> None:
    token, other = desk.open(KEY), desk.open(OTHER)
    codes = [desk.get(token).code for _ in range(int(BURST) + 5)]
    assert codes.count(429) >= 4
    assert desk.get(other).code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1/info", "/v1/info/", "/v1//x", "/v1/secrets/x", "/v2/info/x", "/v1/info/x/y"]
)
def test_there_is_nothing_else(desk: Desk, path: str) -> None:
    assert desk.attempts.answer(Request("GET", path)).code == 404


def test_the_wrong_verb_is_told_so(desk: Desk) -> None:
    token = desk.open()
    assert desk.attempts.answer(Request("POST", f"/v1/info/{token}")).code == 405
    assert desk.attempts.answer(Request("GET", f"/v1/report/{token}")).code == 405


def test_the_files_are_nobody_elses(desk: Desk) -> None:
    desk.open()
    assert desk.directory.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in desk.directory.iterdir()] == [0o600]


class Wire:
    """A listener, and what it was asked."""

    def __init__(self, listener: Listener, path: Path) -> None:
        self.listener, self.path = listener, path
        self.asked: list[Request] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path)


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[Wire]:
    asked: list[Request] = []

    def handler(request: Request) -> Response:
        asked.append(request)
        return Response(200, b"yes")

    path = tmp_path / "door"
    listener = await Listener.unix(path, handler)
    wire = Wire(listener, path)
    wire.asked = asked
    yield wire
    await listener.aclose()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One answer, by its Content-Length: the connection stays."""
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length:")[1].split()[0])
        return int(head.split()[1]), await reader.readexactly(length)


async def test_requests_of_many_connections_come_through_one(wire: Wire) -> None:
    reader, writer = await wire.connect()
    for number in range(5):
        body = b"x" * number
        writer.write(
            b"POST /%d HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (number, number, body)
        )
        assert await answer(reader) == (200, b"yes")
    assert [(request.path, len(request.body)) for request in wire.asked] == [(f"/{n}", n) for n in range(5)]
    writer.close()


async def test_a_request_that_was_cut_off_does_not_spoil_the_next(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "STALL", 0.2)
    reader, writer = await wire.connect()
    writer.write(b"POST /cut HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly this")
    await writer.drain()
    await asyncio.sleep(1.0)
    writer.write(b"GET /whole HTTP/1.1\r\n\r\n")
    assert await answer(reader) == (200, b"yes")
    assert [request.path for request in wire.asked] == ["/whole"]
    writer.close()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: 16385\r\n\r\n", 413),
        (b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"BREW /x HTTP/1.1\r\n\r\n", 400),
        (b"GET /x\r\n\r\n", 400),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431),
    ],
)
async def test_what_cannot_be_answered_is_refused_and_forgotten(
    wire: Wire, request_: bytes, code: int
) -> None:
    reader, writer = await wire.connect()
    writer.write(request_)
    assert (await answer(reader))[0] == code
    await asyncio.sleep(0.5)  # the rest of it is read and dropped
    writer.write(b"GET /next HTTP/1.1\r\n\r\n")
    assert await answer(reader) == (200, b"yes")
    assert [request.path for request in wire.asked] == ["/next"]
    writer.close()


async def test_only_its_owner_may_knock(wire: Wire) -> None:
    assert wire.path.stat().st_mode & 0o777 == 0o600


async def test_over_tcp_one_request_a_connection() -> None:
    listener = await Listener.tcp("127.0.0.1", 0, lambda request: Response(200, request.path.encode()))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"GET /tcp HTTP/1.1\r\n\r\n")
    assert await answer(reader) == (200, b"/tcp")
    assert await reader.read() == b""
    writer.close()
    await listener.aclose()


async def test_a_silent_connection_over_tcp_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.boot.server.IDLE", 0.1)
    listener = await Listener.tcp("127.0.0.1", 0, lambda request: Response(200))
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    await listener.aclose()
