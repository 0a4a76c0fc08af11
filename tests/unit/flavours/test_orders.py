"""Orders are taken once and whole, and are on record with what their node is told, or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.boot.attempts import Attempt, Attempts
from controller.flavours.orders import Orders, put_on_record
from controller.flavours.record import MachineRecord, nobodys
from controller.model.machine import MachineKey
from controller.model.quantity import parse_time

KEY, OTHER = MachineKey("i", "n1", 1), MachineKey("i", "n2", 1)


async def test_an_order_is_taken_once_however_many_ask_and_goes_on_when_they_give_up() -> None:
    orders, taken, free = Orders(), [], asyncio.Event()

    async def work() -> None:
        await free.wait()
        taken.append(KEY)

    impatient = asyncio.create_task(orders.take(KEY, work))
    patient = asyncio.create_task(orders.take(KEY, work))
    await asyncio.sleep(0)
    impatient.cancel()
    await orders.settled("n2")  # nothing of another node is under way
    waiting = asyncio.create_task(orders.settled("n1"))
    await asyncio.sleep(0)
    assert not waiting.done()
    free.set()
    await asyncio.gather(patient, waiting)
    assert taken == [KEY]


async def test_an_order_that_failed_can_come_again() -> None:
    orders, tries = Orders(), []

    async def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await orders.take(KEY, work)
    await orders.take(KEY, work)
    assert tries == [0, 1]


async def test_where_the_record_cannot_be_kept_the_node_is_answered_with_nothing_old(tmp_path: Path) -> None:
    now = parse_time("2026-01-01T00:00:00Z")
    assert now is not None
    attempts = Attempts(tmp_path / "attempts", lambda _: None)
    record = MachineRecord(**nobodys(KEY, "", now))
    (tmp_path / "machines").write_text("in the way")
    with pytest.raises(OSError, match="machines"):
        await put_on_record(attempts, Attempt(KEY, "t", b"old", "1"), tmp_path / "machines" / "m", record)
    assert attempts.get(KEY) is None

    (tmp_path / "machines").unlink()
    await put_on_record(attempts, Attempt(KEY, "t", b"new", "2"), tmp_path / "machines" / "m", record)
    known = attempts.get(KEY)
    assert known is not None
    assert known.document == b"new"
    assert (tmp_path / "machines" / "m" / "record.json").exists()
