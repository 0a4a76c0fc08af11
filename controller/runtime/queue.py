"""A work queue with client-go's semantics: one worker a key, and no news lost.

A key added while it waits is there once; added while a worker has it, it comes again when the worker is
done. Delays and back-off are measured on the event loop's clock, never on the wall.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass

from controller.model.kinds import Key

BACKOFF_BASE = 0.2
"""Seconds until the first retry of a key that failed."""
BACKOFF_LIMIT = 60.0


@dataclass(slots=True)
class _Timer:
    due: float
    handle: asyncio.TimerHandle


class WorkQueue:
    """Keys that want a look. Belongs to the event loop that runs when it is made."""

    def __init__(self, rng: random.Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._random = rng
        self._ready: deque[Key] = deque()
        self._dirty: dict[Key, float] = {}  # since when; what is in `_ready` or waits for its worker
        self._processing: dict[Key, float] = {}
        self._timers: dict[Key, _Timer] = {}
        self._failures: dict[Key, int] = {}
        self._news = asyncio.Event()
        self.adds = 0
        self.retries = 0

    def add(self, key: Key) -> None:
        """Have the key looked at."""
        self.adds += 1
        if key in self._dirty:
            return
        self._dirty[key] = self._loop.time()
        if key not in self._processing:
            self._ready.append(key)
            self._news.set()

    def add_after(self, key: Key, delay: float) -> None:
        """Have it looked at in `delay` seconds, or earlier if that was asked for already."""
        if delay <= 0:
            self.add(key)
            return
        due = self._loop.time() + delay
        timer = self._timers.get(key)
        if timer is not None:
            if timer.due <= due:
                return
            timer.handle.cancel()
        self._timers[key] = _Timer(due, self._loop.call_at(due, self._fire, key))

    def add_rate_limited(self, key: Key) -> float:
        """Have it looked at again after a failure; the delay in seconds: doubled each time, with jitter."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        delay = min(BACKOFF_BASE * (1 << min(failures, 20)), BACKOFF_LIMIT) * self._random.uniform(0.75, 1.25)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """It went well: the next failure starts from the shortest delay."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key; it is the caller's until `done`."""
        while not self._ready:
            self._news.clear()
            await self._news.wait()
        key = self._ready.popleft()
        del self._dirty[key]
        self._processing[key] = self._loop.time()
        return key

    def done(self, key: Key) -> None:
        """The worker is through; what was added meanwhile comes again."""
        del self._processing[key]
        if key in self._dirty:
            self._ready.append(key)
            self._news.set()

    def close(self) -> None:
        """Drop all timers."""
        for timer in self._timers.values():
            timer.handle.cancel()
        self._timers.clear()

    @property
    def depth(self) -> int:
        """Keys that wait."""
        return len(self._ready)

    @property
    def busy(self) -> int:
        """Keys that a worker has."""
        return len(self._processing)

    def oldest_wait(self) -> float:
        """Seconds since the key that waits longest was added."""
        now = self._loop.time()
        return max((now - self._dirty[key] for key in self._ready), default=0.0)

    def longest_running(self) -> float:
        """Seconds that the slowest worker has had its key."""
        now = self._loop.time()
        return max((now - since for since in self._processing.values()), default=0.0)

    def unfinished(self) -> float:
        """Seconds that keys in work have been in work, added up."""
        now = self._loop.time()
        return sum(now - since for since in self._processing.values())

    def waited(self, key: Key) -> float:
        """Seconds since the key was added; 0 when it does not wait."""
        return self._loop.time() - self._dirty[key] if key in self._dirty else 0.0

    def _fire(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)
