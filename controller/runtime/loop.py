"""Workers: take a key, reconcile it, and see that it comes again when it must."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Protocol

from controller.kube.api import ApiError, Conflict, NotFound, Unreachable
from controller.model.errors import NxcError
from controller.model.kinds import Key, Kind
from controller.observe.logging import bound
from controller.observe.metrics import QUEUE, Metrics
from controller.runtime.queue import WorkQueue
from controller.runtime.store import Store

logger = logging.getLogger(__name__)


class Reconciler(Protocol):
    """Brings one object and the world together, once."""

    async def reconcile(self, key: Key) -> float | None:
        """Do what the object needs now; seconds until it wants another look, `None` when only news matter."""


class Loop:
    """A fixed pool of workers on one queue."""

    def __init__(
        self,
        queue: WorkQueue,
        store: Store,
        reconcilers: Mapping[Kind, Reconciler],
        metrics: Metrics,
        *,
        workers: int,
        time_limit: float,
        rng: random.Random,
    ) -> None:
        self._queue, self._store, self._reconcilers, self._metrics = queue, store, reconcilers, metrics
        self._workers, self._time_limit, self._random = workers, time_limit, rng
        metrics.workers.labels(QUEUE).set(workers)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                await self._reconcile(key)
            finally:
                self._queue.done(key)

    async def _reconcile(self, key: Key) -> None:
        kind = key.kind.kind
        entry = self._store.get(key)
        started = time.perf_counter()
        with bound(
            kind=kind,
            namespace=key.namespace,
            name=key.name,
            generation=entry.meta.generation if entry else 0,
            reconcileID=f"{self._random.getrandbits(32):08x}",
        ):
            try:
                async with asyncio.timeout(self._time_limit):
                    look_again = await self._reconcilers[key.kind].reconcile(key)
            except (Conflict, NotFound) as error:
                # The world moved while we decided: normal. The news is on its way; look again soon.
                logger.debug("stale: %s", error.message)
                self._again(key, "requeue")
            except Unreachable as error:
                logger.debug("%s", error.message)  # the client says it once for all keys
                self._again(key, "error")
            except ApiError as error:
                logger.warning("the API server refused: %s", error.message)
                self._again(key, "error", after=error.retry_after)
                self._metrics.errors.labels(kind).inc()
            except NxcError as error:
                logger.warning("%s (%s): %s", error.reason, error.blame, error.message)
                self._metrics.errors.labels(kind).inc()
                self._again(key, "error")
            except TimeoutError:
                logger.warning("not done after %.0f s; tried again", self._time_limit)
                self._metrics.timeouts.labels(kind).inc()
                self._again(key, "error")
            except Exception:
                logger.exception("a bug in the controller; tried again")
                self._metrics.panics.labels(kind).inc()
                self._metrics.errors.labels(kind).inc()
                self._again(key, "error")
            else:
                self._queue.forget(key)
                if look_again is not None:
                    self._queue.add_after(key, look_again)
                result = "success" if look_again is None else "requeue_after"
                self._metrics.reconciles.labels(kind, result).inc()
        took = time.perf_counter() - started
        self._metrics.seconds.labels(kind).observe(took)
        self._metrics.work_seconds.labels(QUEUE).observe(took)

    def _again(self, key: Key, result: str, *, after: float | None = None) -> None:
        self._metrics.reconciles.labels(key.kind.kind, result).inc()
        if after is not None:
            self._queue.add_after(key, after)
        else:
            self._queue.add_rate_limited(key)
