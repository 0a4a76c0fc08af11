"""Many may pass, or one alone: the garbage collector waits for those who hold paths that no root names yet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """A lock for many or for one, first come, first served."""

    def __init__(self) -> None:
        self._inside = 0
        self._alone = False
        self._queue: deque[tuple[bool, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """With others."""
        await self._enter(alone=False)
        try:
            yield
        finally:
            self._leave()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """With nobody else."""
        await self._enter(alone=True)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, *, alone: bool) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((alone, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._queue.remove((alone, turn))
                self._admit()
            else:
                self._leave()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        self._alone = False
        self._admit()

    def _admit(self) -> None:
        while self._queue and not self._alone and not (self._queue[0][0] and self._inside):
            self._alone, turn = self._queue[0][0], self._queue.popleft()[1]
            self._inside += 1
            turn.set_result(None)
