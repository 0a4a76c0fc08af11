"""What stays in the store: exactly the images in use are kept; the rest goes when the disk gets full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from controller.build.engine import Engine
from controller.build.records import Records
from controller.build.settings import BuildSettings
from controller.model.errors import NxcError
from controller.observe.metrics import Metrics

logger = logging.getLogger(__name__)

SOON = 1.0
"""Seconds by which what was let go of is no longer kept."""
LOGS = 500
LOG_BYTES = 2 * 2**30
"""How many logs, and how many bytes of them, are there at most; the newest stay."""
MEASURE = 600.0
"""Seconds between two measurements of the store: they look at every file."""


class Retention:
    """Keeps and lets go. `in_use` gives the outputs that must stay."""

    def __init__(
        self,
        engine: Engine,
        records: Records,
        settings: BuildSettings,
        metrics: Metrics,
        *,
        in_use: Callable[[], frozenset[str]],
        logs: Path,
        offload: Callable[..., Awaitable[Any]],
    ) -> None:
        self._engine, self._records, self._settings, self._metrics = engine, records, settings, metrics
        self._in_use, self._logs, self._offload = in_use, logs, offload
        self._collecting = asyncio.Lock()
        self._news = asyncio.Event()
        self._measured = float("-inf")

    def soon(self) -> None:
        """Something may have gone out of use."""
        self._news.set()

    async def run(self, tidy: Callable[[], Awaitable[None]]) -> None:
        """Put things in order at an interval, and soon after news, until cancelled; `tidy` is done as well."""
        while True:
            try:
                self.sweep()
                await tidy()
                await self._offload(_prune_logs, self._logs)
                await self._measure()
                if await self._engine.free() < self._settings.min_free:
                    await self._collect()
            except (NxcError, OSError) as error:
                logger.warning("the store could not be put in order: %s", error)
            try:
                async with asyncio.timeout(self._settings.sweep):
                    await self._news.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(SOON)
            self._news.clear()

    def sweep(self) -> None:
        """Keep what is in use, and nothing else."""
        wanted, kept = self._in_use(), self._engine.kept()
        for output in kept - wanted:
            self._engine.let_go(output)
        for output in wanted - kept:
            self._engine.keep(output)

    async def make_room(self) -> None:
        """See that there is room for a build. Raises `NxcError` `DiskFull` where that cannot be."""
        if await self._engine.free() >= self._settings.min_free:
            return
        self.sweep()
        await self._collect()
        free = await self._engine.free()
        if free < self._settings.min_free / 2:
            raise NxcError(
                "DiskFull",
                f"{free >> 20} MiB are free where the controller builds, of {self._settings.min_free >> 20} MiB "
                "that should be, and nothing can be deleted any more: make room there, or delete compositions "
                "and deployments whose images are not needed",
            )

    async def _collect(self) -> None:
        async with self._collecting:
            free = await self._engine.free()
            if free >= self._settings.min_free:
                return
            freed = await self._engine.collect(self._settings.enough_free - free)
            logger.info("%d MiB were free, %d MiB of the store were deleted", free >> 20, freed >> 20)
            self._metrics.build_collected.inc(freed)
            for record in self._records:
                if not await self._engine.valid(record.output):
                    await self._offload(self._records.remove, record)

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured >= MEASURE:
            self._measured = now
            self._metrics.build_store.set(await self._engine.used())


def _prune_logs(directory: Path) -> None:
    logs = sorted(directory.iterdir(), key=lambda log: log.stat().st_mtime, reverse=True)
    total = 0
    for number, log in enumerate(logs):
        total += log.stat().st_size
        if number >= LOGS or (total > LOG_BYTES and number):
            log.unlink(missing_ok=True)
