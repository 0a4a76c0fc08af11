"""A Docker engine as its API has it: what it refuses, what is gone already, and when nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from controller.model.errors import TestbedError
from controller.testbeds.engine import Engine, EngineError


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[tuple[Engine, dict[str, web.Response]]]:
    """An engine, and what it answers by method and path; 404 to anything else."""
    answers: dict[str, web.Response] = {}

    async def answer(request: web.Request) -> web.StreamResponse:
        found = answers.get(f"{request.method} {request.path.removeprefix('/v1.41')}")
        return found or web.json_response({"message": "No such thing"}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "d.sock")).start()
    engine = Engine(f"unix://{tmp_path}/d.sock")
    yield engine, answers
    await engine.aclose()
    await runner.cleanup()


async def test_an_engine_elsewhere_is_refused() -> None:
    for endpoint in ("tcp://192.0.2.1:2375", "ssh://lab", "unix://relative.sock"):
        with pytest.raises(TestbedError, match="on this host") as caught:
            Engine(endpoint)
        assert caught.value.reason == "RemoteEngine"


async def test_nobody_answers(tmp_path: Path) -> None:
    engine = Engine(f"unix://{tmp_path}/none.sock")
    with pytest.raises(TestbedError, match=r"none\.sock") as caught:
        await engine.containers({})
    assert caught.value.reason == "EngineAway"
    with pytest.raises(TestbedError):
        await anext(engine.events({}))
    await engine.aclose()


async def test_one_that_is_too_old_says_so(engine: tuple[Engine, dict[str, web.Response]]) -> None:
    speaking, answers = engine
    answers["GET /version"] = web.json_response({"ApiVersion": "1.40"})
    with pytest.raises(TestbedError, match=r"20\.10") as caught:
        await speaking.information()
    assert caught.value.reason == "EngineTooOld"


async def test_what_is_gone_already_is_removed(engine: tuple[Engine, dict[str, web.Response]]) -> None:
    speaking, answers = engine
    await speaking.remove_container("a")
    await speaking.remove_network("a")
    await speaking.remove_volume("a")
    said = {"message": "volume is in use"}
    answers["DELETE /volumes/b"] = web.json_response(said, status=409)
    with pytest.raises(EngineError, match="volume is in use"):
        await speaking.remove_volume("b")


async def test_events_begin_with_the_stream(engine: tuple[Engine, dict[str, web.Response]]) -> None:
    speaking, answers = engine
    answers["GET /events"] = web.Response(text='{"Action":"die"}\n{"Action":"destroy"}\n')
    async with asyncio.timeout(10):
        assert len([None async for _ in speaking.events({"a": "b"})]) == 3
