from __future__ import annotations

import asyncio
import random

import pytest

from controller.model.kinds import DEPLOYMENT, Key
from controller.runtime.queue import BACKOFF_LIMIT, WorkQueue

A, B = Key(DEPLOYMENT, "lab", "a"), Key(DEPLOYMENT, "lab", "b")


@pytest.fixture
async def queue():
    made = WorkQueue(random.Random(1))
    yield made
    made.close()


async def test_a_key_waits_once_however_often_it_is_added(queue):
    queue.add(A)
    queue.add(A)
    assert queue.depth == 1
    assert await queue.get() == A
    assert queue.depth == 0


async def test_a_key_added_while_it_is_worked_on_comes_again_and_to_one_worker_at_a_time(queue):
    queue.add(A)
    await queue.get()
    queue.add(A)
    queue.add(A)
    assert queue.depth == 0
    queue.done(A)
    assert queue.depth == 1
    assert await queue.get() == A
    queue.done(A)
    assert queue.depth == 0


async def test_keys_come_in_the_order_in_which_they_were_added(queue):
    queue.add(B)
    queue.add(A)
    assert [await queue.get(), await queue.get()] == [B, A]


async def test_a_worker_that_waits_gets_the_next_key(queue):
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add(A)
    assert await asyncio.wait_for(waiting, 1) == A


async def test_the_earliest_of_several_delays_counts(queue):
    queue.add_after(A, 60)
    queue.add_after(A, 0.01)
    queue.add_after(A, 30)
    assert await asyncio.wait_for(queue.get(), 1) == A


async def test_failures_wait_longer_each_time_with_jitter_and_never_longer_than_the_limit(queue):
    delays = [queue.add_rate_limited(A) for _ in range(20)]
    growing = delays[:8]
    assert growing == sorted(growing)
    assert max(delays) <= BACKOFF_LIMIT * 1.25
    queue.forget(A)
    assert queue.add_rate_limited(A) < 1


async def test_the_age_of_the_oldest_key_is_known(queue):
    assert queue.oldest_wait() == queue.longest_running() == 0
    queue.add(A)
    await asyncio.sleep(0.02)
    assert queue.oldest_wait() >= 0.02
    await queue.get()
    await asyncio.sleep(0.02)
    assert queue.longest_running() >= 0.02
    assert queue.oldest_wait() == 0
