"""Which containers of ours an engine has, kept up to date from its events; and whether it answers at all."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from controller.model.errors import NxcError
from controller.testbeds.engine import Container, Engine

logger = logging.getLogger(__name__)

AGAIN = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds until an engine that is away is asked again."""
SETTLE = (0.05, 0.2, 1.0)
"""Seconds after an event until the engine is asked: events gather, and one of an end comes before the list has it."""


class Census:
    """`changed(while_away)` is awaited after each count; `lost` is called when the engine stops answering."""

    def __init__(
        self,
        engine: Engine,
        labels: Mapping[str, str],
        changed: Callable[[bool], Awaitable[None]],
        lost: Callable[[], None],
    ) -> None:
        self.found: Mapping[str, Container] = {}
        self.away: NxcError | None = None
        self._engine, self._labels = engine, labels
        self._changed, self._lost = changed, lost
        self._guard = asyncio.Lock()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._counted = asyncio.Event()

    def begin(self) -> None:
        """Count until `aclose`."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._keep_counting())]
        for task in self._tasks:
            task.add_done_callback(_told)

    async def first(self) -> None:
        """Return after the first count, or when it is known that there can be none."""
        await self._counted.wait()

    async def count(self, *, while_away: bool = False) -> None:
        """Ask the engine now. Raises `TestbedError` where it does not answer."""
        async with self._guard:
            try:
                found = await self._engine.containers(self._labels)
            except NxcError as error:
                self._is_away(error)
                raise
            while_away = while_away or self.away is not None
            self.found, self.away = {item.id: item for item in found}, None
            self._counted.set()
            await self._changed(while_away)

    async def aclose(self) -> None:
        """Count no more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)

    def _is_away(self, error: NxcError) -> None:
        first, self.away = self.away is None, error
        self._counted.set()
        if first:
            logger.warning("%s", error.message)
            self._lost()

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async with contextlib.aclosing(self._engine.events(self._labels)) as events:
                    opened = True
                    async for _ in events:
                        failures = 0
                        if opened:  # what happened before the stream stood is in the count alone
                            opened = False
                            await self.count(while_away=self.away is not None)
                        else:
                            self._news.set()
            except NxcError as error:
                self._is_away(error)
                await asyncio.sleep(AGAIN[min(failures, len(AGAIN) - 1)])
                failures += 1

    async def _keep_counting(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            for pause in SETTLE:
                await asyncio.sleep(pause)
                with contextlib.suppress(NxcError):  # `_is_away` has it, and `_listen` asks again
                    await self.count()
                if self._news.is_set():
                    break


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("containers are not counted any more: %s", error, exc_info=error)
