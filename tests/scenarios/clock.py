"""Simulated time: an event loop that never waits, and a wall clock that may jump.

When nothing is ready the loop jumps to its next timer. What is ready at the same moment runs in an order
that the seed decides, so that every interleaving that asyncio permits can happen, and happens again.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable
from contextvars import Context, ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
BUSY_LIMIT = 50_000
"""Callbacks at one moment of virtual time; more is a loop that does not wait."""


class Stuck(AssertionError):
    """Nothing is ready and no timer runs: everybody waits for somebody."""


class Busy(AssertionError):
    """Somebody spins: virtual time does not go on."""


class Life:
    """One run of one process. Once `dead`, nothing of it runs any more: no callback, no `finally`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.cut_off_until = 0.0
        """Until when it cannot reach the API server, though it runs."""
        self.mourners: list[Callable[[], None]] = []
        """Called when it dies: those parts of the outside that a dead process lets go of."""

    def kill(self) -> None:
        """Stop it between two instructions."""
        if not self.dead:
            self.dead = True
            for mourn in self.mourners:
                mourn()

    def __repr__(self) -> str:
        return self.name


LIFE: ContextVar[Life | None] = ContextVar("LIFE", default=None)
"""Whose code is running; tasks and callbacks inherit it from where they were made."""


class _Timer(asyncio.TimerHandle):
    """A timer; of two that are due at the same moment the one with the lower number comes first."""

    number = 0

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        return (self.when(), self.number) < (other.when(), other.number)


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without a selector, whose time is a number."""

    def __init__(self, rng: random.Random | None) -> None:
        """`rng` shuffles what is ready at one moment; without one, first come is first served."""
        super().__init__()
        self._random = rng
        self._now = 0.0
        self._busy = 0
        self.callbacks = 0
        """How many callbacks have run."""
        self.burial = False
        """Run what belongs to the dead too, so that their tasks can be ended."""
        self._timers = 0
        self._left: list[asyncio.Handle] = []
        """Those of the dead; without them the garbage collector would end their tasks, whenever it likes."""

    def time(self) -> float:
        return self._now

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Timer(when, callback, args, self, context)
        if self._random is None:
            self._timers += 1
            timer.number = self._timers
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def _run_once(self) -> None:
        ready: Any = self._ready  # type: ignore[attr-defined]
        if self.burial:
            ready.extend(self._left)
            self._left.clear()
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        while timers and (_cancelled(timers[0]) or timers[0].when() <= self._now):
            timer = heapq.heappop(timers)
            timer._scheduled = False  # type: ignore[attr-defined]
            if not _cancelled(timer):
                ready.append(timer)
        if not ready:
            if not timers:
                raise Stuck("nothing will ever happen again")
            self._now = timers[0].when()
            self._busy = 0
            return
        batch = list(ready)
        ready.clear()
        if len(batch) > 1 and self._random is not None:
            self._random.shuffle(batch)
        self._busy += len(batch)
        self.callbacks += len(batch)
        if self._busy > BUSY_LIMIT:
            raise Busy(f"more than {BUSY_LIMIT} callbacks at {self._now:.3f} s, the next {batch[0]!r}")
        for handle in batch:
            if not self.burial and _orphaned(handle):
                self._left.append(handle)
            elif not _cancelled(handle):
                handle._run()

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers stay in the heap until they are due."""

    def _write_to_self(self) -> None:
        raise RuntimeError("a thread has no place in virtual time")

    def run_in_executor(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("a thread has no place in virtual time")

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""


def _cancelled(handle: asyncio.Handle) -> bool:
    return handle._cancelled


def _orphaned(handle: asyncio.Handle) -> bool:
    context: Context = handle._context  # type: ignore[attr-defined]
    life = context.get(LIFE)
    return life is not None and life.dead


class Wall:
    """A wall clock: it goes with the loop's time, until somebody sets it."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time()) + self._offset

    def jump(self, seconds: float) -> None:
        """Set the clock forward, or (negative) back."""
        self._offset += timedelta(seconds=seconds)

    def set_right(self) -> None:
        """Undo every jump."""
        self._offset = timedelta(0)
