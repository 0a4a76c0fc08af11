"""A bounded number of works at a time, each namespace in its turn (`controller.plan.build`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.build.work import Work
from controller.plan.build import Waiting, turns


class Slots:
    """Places for works that run."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: dict[Work, asyncio.Future[str]] = {}
        self._running: Counter[str] = Counter()
        self._served: dict[str, int] = {}
        self._turn = 0
        self._places: dict[Work, int] | None = None

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many run."""
        return self._running.total()

    @asynccontextmanager
    async def slot(self, work: Work) -> AsyncIterator[None]:
        """Wait for the work's turn, and hold a place."""
        turn: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[work] = turn
        self.changed()
        try:
            namespace = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(turn.result())
            self._waiting.pop(work, None)
            self.changed()
            raise
        try:
            yield
        finally:
            self._leave(namespace)

    def place(self, work: Work) -> int | None:
        """Its place among those who wait, from 1; `None` where it does not."""
        if self._places is None:
            self._places = {item: index for index, item in enumerate(self._order(), 1)}
        return self._places.get(work)

    def changed(self) -> None:
        """Somebody came, left, or joined: whose turn it is may have changed."""
        self._places = None
        while self._free and (order := self._order()):
            work, namespace = next(iter(order.items()))
            self._free -= 1
            self._turn += 1
            self._running[namespace] += 1
            self._served[namespace] = self._turn
            self._waiting.pop(work).set_result(namespace)

    def _order(self) -> dict[Work, str]:
        waiting = [Waiting(work, work.arrival, work.namespaces) for work in self._waiting]
        return {turn.work: turn.namespace for turn in turns(waiting, self._running, self._served)}

    def _leave(self, namespace: str) -> None:
        self._free += 1
        self._running[namespace] -= 1
        if not self._running[namespace]:
            del self._running[namespace]
        if len(self._served) > 10_000:  # namespaces come and go
            self._served = {name: turn for name, turn in self._served.items() if name in self._running}
        self.changed()
