from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.kube.api import AlreadyExists, Forbidden
from controller.model.kinds import DEPLOYMENT, TESTBED, Key
from controller.runtime.recorder import BURST, Recorder

WEB = Key(DEPLOYMENT, "lab", "web")


class Server:
    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.forbidden = False

    async def create(self, kind: Any, obj: Any) -> Any:
        self.writes += 1
        if self.forbidden:
            raise Forbidden(403, "Forbidden", "namespace is terminating")
        if obj["metadata"]["name"] in self.events:
            raise AlreadyExists(409, "AlreadyExists", "there")
        self.events[obj["metadata"]["name"]] = dict(obj)
        return obj

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        return self.events[name]

    async def patch(self, kind: Any, namespace: str, name: str, patch: Any) -> Any:
        self.writes += 1
        self.events[name] |= patch
        return self.events[name]


@pytest.fixture
async def running():
    server = Server()
    recorder = Recorder(server, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    task = asyncio.ensure_future(recorder.run())
    yield server, recorder
    task.cancel()
    await asyncio.wait({task})


async def written(server: Server) -> list[dict[str, Any]]:
    for _ in range(10):
        await asyncio.sleep(0)
    return list(server.events.values())


async def test_a_fact_becomes_an_event_about_its_object(running):
    server, recorder = running
    recorder.record(WEB, "u1", "Ready", "3 of 3 nodes are ready")
    (event,) = await written(server)
    assert event["involvedObject"]["kind"] == "Deployment"
    assert event["metadata"]["namespace"] == "lab"
    assert (event["reason"], event["type"], event["count"]) == ("Ready", "Normal", 1)


async def test_a_fact_that_repeats_is_written_once(running):
    server, recorder = running
    for _ in range(50):
        recorder.record(WEB, "u1", "LeaseEnding", "soon", warning=True)
    assert len(await written(server)) == 1
    assert server.writes == 1


async def test_a_restarted_operator_counts_on(running):
    server, recorder = running
    recorder.record(WEB, "u1", "Ready", "now")
    await written(server)
    again = Recorder(server, lambda: datetime.now(UTC))  # type: ignore[arg-type]
    task = asyncio.ensure_future(again.run())
    again.record(WEB, "u1", "Ready", "now")
    (event,) = await written(server)
    assert event["count"] == 2
    task.cancel()
    await asyncio.wait({task})


async def test_an_object_that_raves_is_cut_short(running):
    server, recorder = running
    for number in range(200):
        recorder.record(WEB, "u1", "Odd", f"fact {number}")
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(server.events) == BURST
    assert recorder.dropped == 200 - BURST


async def test_a_namespace_that_is_going_takes_no_events_and_nothing_breaks(running):
    server, recorder = running
    server.forbidden = True
    recorder.record(WEB, "u1", "Ready", "now")
    await written(server)
    server.forbidden = False
    recorder.record(Key(TESTBED, "", "local"), "u2", "Ready", "now")
    (event,) = await written(server)
    assert event["metadata"]["namespace"] == "default"
