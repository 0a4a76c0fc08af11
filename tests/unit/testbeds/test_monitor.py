"""QEMU's monitor, played by a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from controller.model.errors import TestbedError
from controller.testbeds import monitor

Play = Callable[[dict[str, Any]], list[dict[str, Any]]]


class Emulator:
    """Answers every command as `play` says, after an event that nobody asked for."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.play: Play = lambda command: [{"return": {}}]
        self.ended = asyncio.Event()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"QMP": {"version": {}, "capabilities": []}}\r\n')
        while line := await reader.readline():
            command = json.loads(line)
            self.heard.append(command["execute"])
            for message in [{"event": "NIC_RX_FILTER_CHANGED"}, *self.play(command)]:
                writer.write(json.dumps(message).encode() + b"\r\n")
        writer.close()
        self.ended.set()


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    emulator = Emulator()
    server = await asyncio.start_unix_server(emulator.talk, tmp_path / "monitor.sock")
    yield emulator
    server.close()
    if emulator.heard:
        await emulator.ended.wait()


async def test_events_are_not_taken_for_answers(emulator: Emulator, tmp_path: Path) -> None:
    emulator.play = lambda command: [{"return": command["execute"]}]
    assert await monitor.ask(tmp_path / "monitor.sock", [("query-status", {})]) == ["query-status"]
    assert emulator.heard == ["qmp_capabilities", "query-status"]


async def test_a_refusal_is_told_in_qemus_words(emulator: Emulator, tmp_path: Path) -> None:
    def refuse(command: dict[str, Any]) -> list[dict[str, Any]]:
        if command["execute"] == "netdev_del":
            return [{"error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}}]
        return [{"return": {}}]

    emulator.play = refuse
    with pytest.raises(TestbedError, match="netdev_del: Device 'x' not found"):
        await monitor.ask(tmp_path / "monitor.sock", [("netdev_del", {"id": "x"})])


async def test_silence_has_a_limit(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "LIMIT", 0.1)
    emulator.play = lambda command: []
    with pytest.raises(TestbedError, match="did not answer within"):
        await monitor.tell(tmp_path / "monitor.sock", "info usernet")


async def test_where_nobody_listens_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match="does not answer"):
        await monitor.tell(tmp_path / "monitor.sock", "info usernet")


async def test_a_socket_may_lie_deeper_than_its_address_may_be_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.chdir(deep)
    emulator = Emulator()
    server = await asyncio.start_unix_server(emulator.talk, "monitor.sock")
    monkeypatch.chdir("/")
    assert await monitor.ask(deep / "monitor.sock", [("query-status", {})]) == [{}]
    await emulator.ended.wait()
    server.close()
