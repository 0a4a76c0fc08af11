"""How many requests a second an API server answers, and how fast its news reach twenty watchers.

The client is one Python process: it is measured along, and on two cores it is a good part of what is seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.kube.client import Client, path
from controller.model.kinds import DEPLOYMENT, NAMESPACE
from tests.bench.fleet import watch
from tests.loop.stage import apply, connect, install

NAME = "traffic"
OBJECTS = 1000
SIDE_BY_SIDE = 16
SECONDS = 4.0
WATCHERS = 20
NEWS = 200


@dataclass
class Rates:
    """Requests a second; for the watchers, events a second that arrived at all of them together."""

    create: float
    get: float
    list: float
    patch: float
    fan_out: float


async def measure(kubeconfig: Path) -> Rates:
    """Measure an API server with no operator at work. Leaves nothing behind."""
    client = await connect(kubeconfig)
    try:
        await install(client)
        await apply(client, NAMESPACE, {"metadata": {"name": NAME}})
        begin = time.monotonic()
        await _all(_create(client), range(OBJECTS))
        create = OBJECTS / (time.monotonic() - begin)
        get = await _rate(lambda index: client.get(DEPLOYMENT, NAME, _name(index)))
        whole = await _rate(lambda _: client.request("GET", path(DEPLOYMENT, NAME)), at_a_time=1)
        patch = await _rate(lambda index: _patch(client, index, index))
        return Rates(create, get, whole, patch, await _fan_out(client))
    finally:
        await client.request("DELETE", path(NAMESPACE, "", NAME))
        await client.aclose()


def _name(index: int) -> str:
    return f"t{index % OBJECTS:04}"


def _create(client: Client) -> Callable[[int], Awaitable[Any]]:
    spec = {
        "compositionRef": {"name": "none"},
        "flavour": "none",
        "roles": [{"name": "node"}],
        "suspend": True,
    }
    common = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "spec": spec}

    async def create(index: int) -> None:
        await client.create(DEPLOYMENT, {**common, "metadata": {"name": _name(index), "namespace": NAME}})

    return create


async def _patch(client: Client, index: int, number: int) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "Measured", "message": f"for the {number}th time"}
    stamped = {**ready, "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    await client.patch(
        DEPLOYMENT, NAME, _name(index), {"status": {"conditions": [stamped]}}, subresource="status"
    )


async def _all(call: Callable[[int], Awaitable[Any]], indices: range) -> None:
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(index: int) -> None:
        async with gate:
            await call(index)

    await asyncio.gather(*(one(index) for index in indices))


async def _rate(call: Callable[[int], Awaitable[Any]], *, at_a_time: int = SIDE_BY_SIDE) -> float:
    """Calls a second, so many at a time, for a few seconds."""
    count = 0
    begin = time.monotonic()

    async def worker() -> None:
        nonlocal count
        while time.monotonic() < begin + SECONDS:
            count += 1
            await call(count)

    await asyncio.gather(*(worker() for _ in range(at_a_time)))
    return count / (time.monotonic() - begin)


async def _fan_out(client: Client) -> float:
    version = (await client.list(DEPLOYMENT, namespace=NAME)).resource_version

    async def watcher() -> None:
        seen = 0
        async for _ in watch(client, path(DEPLOYMENT, NAME), version):
            seen += 1
            if seen == NEWS:
                return

    watching = [asyncio.create_task(watcher()) for _ in range(WATCHERS)]
    await asyncio.sleep(1.0)
    begin = time.monotonic()
    await _all(lambda index: _patch(client, index, -1), range(NEWS))
    await asyncio.gather(*watching)
    return WATCHERS * NEWS / (time.monotonic() - begin)
