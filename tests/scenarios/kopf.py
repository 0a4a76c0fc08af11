"""Plays kopf: watches every kind and hands events on, with all that can go wrong on the way.

As kopf does it: list, hand on each object with no type, watch from there; after a break go on from the
last version seen; after 410 list anew, and say nothing of what vanished meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from controller.model.kinds import Kind
from tests.scenarios.clock import Life
from tests.scenarios.server import Cluster
from tests.scenarios.weather import Dice

OnEvent = Callable[[Kind, str | None, Any], None]


class Watcher:
    """One kind's stream of events to one process."""

    def __init__(self, cluster: Cluster, kind: Kind, on_event: OnEvent, life: Life, dice: Dice) -> None:
        self._cluster, self._kind, self._on_event = cluster, kind, on_event
        self._life, self._dice = life, dice
        self._version = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._list()
            while await self._follow():
                await asyncio.sleep(self._dice.random.expovariate(1.0))

    async def _list(self) -> None:
        await self._dice.half_a_call()
        found = self._cluster.do(self._life.name, "list", self._kind)
        await self._dice.half_a_call()
        self._version = found["metadata"]["resourceVersion"]
        for obj in found["items"]:
            self._on_event(self._kind, None, obj)

    async def _follow(self) -> bool:
        """One connection; False when the past that it wants is forgotten."""
        loop = asyncio.get_running_loop()
        watch = self._cluster.watch(self._kind, self._version)
        news = asyncio.Event()
        watch.on_ready = news.set
        self._life.mourners.append(watch.close)
        try:
            while True:
                news.clear()
                for event in watch.take():
                    if event.type == "ERROR":
                        return False
                    if late := self._dice.late():
                        await asyncio.sleep(late)
                    self._version = str(event.resource_version)
                    if self._dice.falls(self._dice.weather.gap):
                        self._cluster.trace(self._life.name, "watch of {} breaks off", self._kind.plural)
                        await asyncio.sleep(self._dice.random.expovariate(0.1))
                        return self._dice.falls(0.5)
                    if self._dice.falls(self._dice.weather.lost):
                        continue
                    self._on_event(self._kind, event.type, event.object)
                    if self._dice.falls(self._dice.weather.doubled):
                        again = self._dice.random.expovariate(0.5)
                        loop.call_later(again, self._on_event, self._kind, event.type, event.object)
                await news.wait()
        finally:
            self._life.mourners.remove(watch.close)
            watch.close()
