"""One run of Nix that builds: watched, logged, told, and cleared away if it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from controller.build import configuration, diagnosis, disk, leftovers
from controller.build.leftovers import Place
from controller.build.limits import BuildLimits, duration, size
from controller.build.log import Log, Progress
from controller.build.process import Ended, TimeIsUp
from controller.build.runner import OutOfMemory, Runner
from controller.model.errors import UserError

__all__ = ["Order", "Place", "run"]


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, where that will be written, how much it may use, and where its log goes."""

    derivations: tuple[str, ...]
    places: tuple[Place, ...]
    limits: BuildLimits
    log: Path
    arguments: tuple[str, ...] = ()


async def run(runner: Runner, order: Order, progress: Callable[[Progress], None]) -> tuple[Ended, Log]:
    """Builds; how Nix ended, and what it told.

    UserError `BuildTimeout`, `BuildMemory`, `LogTooLong`, `DiskLimit`: stopped for that. Stopped for whatever
    reason, nothing of it is left, neither processes nor files.
    """
    try:
        with order.log.open("w", encoding="utf-8", buffering=1) as file:
            return await _supervise(runner, order, progress, file)
    except BaseException:
        await _surely(asyncio.to_thread(leftovers.clear, order.places))
        raise


async def _supervise(
    runner: Runner, order: Order, progress: Callable[[Progress], None], file: TextIO
) -> tuple[Ended, Log]:
    reader, limits = Log(), order.limits
    written = [path for place in order.places for path in place]

    def take(data: bytes) -> None:
        before = reader.progress
        file.writelines(f"{line}\n" for line in reader.feed(data))
        if reader.progress != before:
            progress(reader.progress)
        if reader.size > limits.log:
            raise diagnosis.too_long(limits)

    try:
        ended = await runner.run(
            (
                "nix-store",
                "--realise",
                *order.derivations,
                "--log-format",
                "internal-json",
                "-v",
                *order.arguments,
            ),
            configuration.build(limits),
            seconds=limits.seconds,
            memory=limits.memory,
            processes=limits.processes,
            file=limits.file,
            on_error=take,
            watch=lambda work: disk.watch([work, *written], runner.state, limits),
        )
    except TimeIsUp:
        told = f"the build took longer than {duration(limits.seconds)} and was stopped"
        raise UserError("BuildTimeout", f"{told}; it was at {reader.progress} (log: {order.log})") from None
    except OutOfMemory:
        told = f"the build needs more than {size(limits.memory)} of memory"
        raise UserError("BuildMemory", f"{told}; it was at {reader.progress} (log: {order.log})") from None
    finally:
        file.writelines(f"{line}\n" for line in reader.close())
    return ended, reader


async def _surely(work: Coroutine[object, object, None]) -> None:
    """Waits for this, even if cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
