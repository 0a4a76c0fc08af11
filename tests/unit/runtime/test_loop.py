from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from controller.kube.api import ApiError, Conflict
from controller.model.errors import UserError
from controller.model.kinds import DEPLOYMENT, Key
from controller.observe.metrics import Metrics
from controller.runtime.loop import Loop
from controller.runtime.queue import WorkQueue
from controller.runtime.store import Store

A, B = Key(DEPLOYMENT, "lab", "a"), Key(DEPLOYMENT, "lab", "b")


class Script:
    """A reconciler that does what each call is told to."""

    def __init__(self) -> None:
        self.calls: list[Key] = []
        self.then: Callable[[Key], Any] = lambda key: None

    async def reconcile(self, key: Key) -> float | None:
        self.calls.append(key)
        outcome = self.then(key)
        if isinstance(outcome, BaseException):
            raise outcome
        if asyncio.iscoroutine(outcome):
            return await outcome
        return outcome


@pytest.fixture
async def running() -> AsyncIterator[tuple[Script, WorkQueue, Metrics]]:
    script, queue, metrics = Script(), WorkQueue(random.Random(1)), Metrics()
    loop = Loop(
        queue, Store(), {DEPLOYMENT: script}, metrics, workers=2, time_limit=0.2, rng=random.Random(1)
    )
    task = asyncio.ensure_future(loop.run())
    yield script, queue, metrics
    assert not task.done(), "the workers must survive whatever a reconcile does"
    task.cancel()
    await asyncio.wait({task})
    queue.close()


async def calls(script: Script, count: int) -> None:
    async with asyncio.timeout(5):
        while len(script.calls) < count:
            await asyncio.sleep(0.01)


def result(metrics: Metrics, name: str) -> float:
    return (
        metrics.registry.get_sample_value(
            "controller_runtime_reconcile_total", {"controller": "Deployment", "result": name}
        )
        or 0.0
    )


async def test_a_reconcile_that_wants_another_look_gets_it(running):
    script, queue, metrics = running
    script.then = lambda key: 0.02 if len(script.calls) < 3 else None
    queue.add(A)
    await calls(script, 3)
    assert result(metrics, "requeue_after") == 2


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (Conflict(409, "Conflict", "changed"), "requeue"),
        (ApiError(500, "InternalError", "oops"), "error"),
        (UserError("Bad", "no such thing"), "error"),
        (RuntimeError("a bug"), "error"),
    ],
)
async def test_whatever_fails_is_tried_again(running, error, counted):
    script, queue, metrics = running
    script.then = lambda key: error if len(script.calls) == 1 else None
    queue.add(A)
    await calls(script, 2)
    assert result(metrics, counted) == 1


async def test_a_reconcile_that_hangs_is_cut_off_and_tried_again(running):
    script, queue, metrics = running
    script.then = lambda key: asyncio.sleep(60) if len(script.calls) == 1 else None
    queue.add(A)
    await calls(script, 2)
    assert metrics.registry.get_sample_value(
        "controller_runtime_reconcile_timeouts_total", {"controller": "Deployment"}
    )


async def test_one_key_that_hangs_does_not_hold_up_the_others(running):
    script, queue, _ = running
    script.then = lambda key: asyncio.sleep(0.15) if key == A else None
    queue.add(A)
    queue.add(B)
    await calls(script, 2)
    assert script.calls == [A, B]


async def test_the_server_s_retry_after_is_kept(running):
    script, queue, _ = running
    busy = ApiError(429, "TooManyRequests", "busy", retry_after=0.3)
    script.then = lambda key: busy if len(script.calls) == 1 else None
    queue.add(A)
    await calls(script, 1)
    await asyncio.sleep(0.15)
    assert len(script.calls) == 1
    await calls(script, 2)
