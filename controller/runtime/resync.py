"""Listing everything anew from time to time, so that what a watch lost is found.

kopf re-lists after `410 Gone` but never tells of objects that vanished in the gap; and no watch tells of
machines. A resync replaces the store and has every object looked at.
"""

from __future__ import annotations

import asyncio
import logging
import random

from controller.kube.api import Api, ApiError
from controller.model.kinds import WATCHED, Kind
from controller.observe.metrics import Metrics
from controller.runtime.feed import Feed

logger = logging.getLogger(__name__)

RETRY = 5.0
SPREAD = 30.0
"""Seconds over which the looks at unchanged objects are spread."""


class Resync:
    """Keeps the store honest."""

    def __init__(
        self, api: Api, feed: Feed, metrics: Metrics, *, interval: float, rng: random.Random
    ) -> None:
        self._api, self._feed, self._metrics = api, feed, metrics
        self._interval, self._random = interval, rng

    async def fill(self) -> None:
        """The first listing; tried until the API server gives it."""
        for kind in WATCHED:
            while not await self._try(kind, everything=False):
                await asyncio.sleep(RETRY)

    async def run(self) -> None:
        """Resync at the interval, jittered by a quarter, until cancelled."""
        while True:
            await asyncio.sleep(self._interval * self._random.uniform(0.75, 1.25))
            for kind in WATCHED:
                await self._try(kind, everything=True)
            self._metrics.resyncs.inc()

    async def _try(self, kind: Kind, *, everything: bool) -> bool:
        try:
            listing = await self._api.list(kind)
        except ApiError as error:
            logger.warning("cannot list %s: %s", kind.plural, error.message)
            return False
        changed = set(self._feed.replace(kind, listing.items, listing.resource_version))
        self._metrics.objects.labels(kind.kind).set(self._feed.store.count(kind))
        if everything:
            self._metrics.resync_found.labels(kind.kind).inc(len(changed))
            if (wake := self._feed.wake) is not None:
                for key, _ in self._feed.store.all(kind):
                    if key not in changed:
                        wake(key, self._random.uniform(0.01, SPREAD))
        return True
