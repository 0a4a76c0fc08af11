"""The watch over one node: logged in to, asked, lost, and logged in to again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from controller.boot.ssh import Answer
from controller.flavours import watch as module
from controller.flavours.watch import Target, Watch
from controller.model.errors import TestbedError
from controller.model.machine import Signal

GOOD = "nxc-health:units\nnxc-health:ports\nnxc-health:end\n"
FAILED = "nxc-health:units\nweb.service loaded failed failed web\nnxc-health:ports\nnxc-health:end\n"
TARGET = Target("127.0.0.1", 2222, "ssh-ed25519 KEY", (), ())


class Node:
    """A node that the test plays, in place of SSH."""

    def __init__(self) -> None:
        self.refuses: TestbedError | None = None
        self.says = GOOD
        self.lost = asyncio.Event()
        self.logins = 0
        self.commands: list[tuple[str, str]] = []
        self.status = 0

    async def open(self, address: str, port: int, *, host_key: str, client_key: str) -> Node:
        assert (address, port, host_key, client_key) == ("127.0.0.1", 2222, "ssh-ed25519 KEY", "PEM")
        if self.refuses is not None:
            raise self.refuses
        self.logins += 1
        self.lost = asyncio.Event()
        return self

    async def run(self, command: str, *, seconds: float, stdin: str = "") -> Answer:
        self.commands.append((command, stdin))
        return Answer(self.status, self.says, "no" if self.status else "")

    async def closed(self) -> None:
        await self.lost.wait()

    async def aclose(self) -> None:
        self.lost.set()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    node = Node()
    monkeypatch.setattr(module, "Session", node)
    monkeypatch.setattr(module, "AGAIN_FIRST", 0.01)
    monkeypatch.setattr(module, "AGAIN_LAST", 0.02)
    monkeypatch.setattr(module, "UNHEALTHY_FIRST", 0.01)
    monkeypatch.setattr(module, "HEALTHY_EVERY", 0.05)
    return node


class Watched:
    """A watch that runs, and how often it called."""

    def __init__(self) -> None:
        self.calls = 0
        self.watch = Watch(TARGET, self._key, self._changed)

    async def _key(self) -> str:
        return "PEM"

    def _changed(self) -> None:
        self.calls += 1

    async def until(self, reachable: bool | None, healthy: bool | None) -> tuple[Signal, Signal]:
        async with asyncio.timeout(5):
            while (self.watch.reachable.ok, self.watch.healthy.ok) != (reachable, healthy):
                await asyncio.sleep(0.005)
        return self.watch.reachable, self.watch.healthy


@pytest.fixture
async def watched(node: Node) -> AsyncIterator[Watched]:
    watched = Watched()
    task = asyncio.create_task(watched.watch.run())
    yield watched
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_good_node_is_reachable_and_healthy_and_that_is_told_once(
    node: Node, watched: Watched
) -> None:
    await watched.until(True, True)
    await asyncio.sleep(0.2)
    assert watched.calls == 2
    assert len(node.commands) > 1
    assert node.logins == 1


async def test_a_unit_that_fails_later_is_seen(node: Node, watched: Watched) -> None:
    await watched.until(True, True)
    node.says = FAILED
    _, healthy = await watched.until(True, False)
    assert healthy.message == "failed: web.service"
    node.says = GOOD
    await watched.until(True, True)


async def test_a_node_that_takes_no_key_says_so(node: Node, watched: Watched) -> None:
    node.refuses = TestbedError("LoginRefused", "it does not take the deployment's key")
    node.lost.set()
    reachable, _ = await watched.until(False, None)
    assert reachable.reason == "LoginRefused"
    node.refuses = None
    await watched.until(True, True)


async def test_an_ssh_server_that_is_a_moment_late_is_no_news(
    node: Node, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.until(True, True)
    monkeypatch.setattr(module, "MISSES_AT_FIRST", 1000)
    node.refuses = TestbedError("NotAnswering", "connection reset by peer")
    node.lost.set()
    await watched.until(None, True)
    await asyncio.sleep(0.1)
    assert watched.watch.reachable.ok is None
    monkeypatch.setattr(module, "MISSES_AT_FIRST", 4)
    reachable, _ = await watched.until(False, None)
    assert reachable.message == "connection reset by peer"


async def test_a_session_that_ends_is_renewed_without_alarm(node: Node, watched: Watched) -> None:
    await watched.until(True, True)
    node.lost.set()
    async with asyncio.timeout(5):
        while node.logins < 2:
            await asyncio.sleep(0.005)
    await watched.until(True, True)


async def test_a_node_that_is_lost_is_neither_reachable_nor_healthy(node: Node, watched: Watched) -> None:
    await watched.until(True, True)
    node.refuses = TestbedError("NotAnswering", "no SSH session within 10 s")
    node.lost.set()
    reachable, _ = await watched.until(False, None)
    assert reachable.reason == "NotAnswering"


async def test_what_is_pushed_goes_through_the_session(node: Node, watched: Watched) -> None:
    await watched.until(True, True)
    await watched.watch.push("nxc-inform", "{}", seconds=5)
    assert ("nxc-inform", "{}") in node.commands
    node.status = 1
    with pytest.raises(TestbedError, match="nxc-inform on the node ended with 1: no"):
        await watched.watch.push("nxc-inform", "{}", seconds=5)


async def test_nothing_is_pushed_to_a_node_that_cannot_be_reached() -> None:
    with pytest.raises(TestbedError, match="no SSH session"):
        await Watched().watch.push("nxc-inform", "{}", seconds=5)
