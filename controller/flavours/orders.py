"""Orders on their way to the record: each is taken once and whole, however many ask and however long they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from controller.boot.attempts import Attempt, Attempts
from controller.flavours.record import MachineRecord
from controller.model.machine import MachineKey
from controller.testbeds import files


async def put_on_record(attempts: Attempts, attempt: Attempt, home: Path, record: MachineRecord) -> None:
    """Have a machine on record, and answer its node from now on: both, or neither. Raises `OSError`."""
    attempts.open(attempt)
    try:
        await asyncio.to_thread(files.write_record, home, record.to_dict())
    except OSError:
        attempts.close(attempt.key)
        raise


class Orders:
    """Those of one backend."""

    def __init__(self) -> None:
        self._under_way: dict[MachineKey, asyncio.Task[None]] = {}

    async def take(self, key: MachineKey, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Do `work`, or wait for it where somebody ordered the same before; it goes on when who asks gives up."""
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._taken(key, done))
        await asyncio.shield(task)

    async def settled(self, node: str | None = None) -> None:
        """Wait until no order, of this node or of any, is under way."""
        if tasks := [task for key, task in self._under_way.items() if node in (None, key.node)]:
            await asyncio.wait(tasks)

    def _taken(self, key: MachineKey, task: asyncio.Task[None]) -> None:
        self._under_way.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited has it; if nobody did, the order comes again
