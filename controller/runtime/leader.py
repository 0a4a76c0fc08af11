"""One operator acts at a time: a Lease (coordination.k8s.io) as client-go uses it.

`kubernetes.aio.leaderelection` was looked at and not taken: it compares wall clocks, so that a clock
that jumps makes two leaders; an error that is no ApiException ends it while its work goes on; and it
neither releases the lease nor counts transitions. Here expiry is measured on the loop's own clock, from
the moment a change of the lease was seen (as client-go does), and work ends before the lease could.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.kube.api import AlreadyExists, Api, ApiError, Conflict, NotFound, Unreachable
from controller.model.kinds import LEASE
from controller.model.meta import Object
from controller.model.quantity import format_precise

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds, as client-go has them: a lease lasts `duration`; its holder gives up `deadline` after the
    last renewal; everybody tries every `retry`."""

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True)
class Observation:
    """A lease as it was seen, and when it was last seen to change (loop time)."""

    lease: Object
    since: float


def observe(before: Observation | None, lease: Object, now: float) -> Observation:
    """Take a fresh reading; its age counts from the last change, not from the times written in it."""
    version = lease["metadata"].get("resourceVersion")
    if before is not None and before.lease["metadata"].get("resourceVersion") == version:
        return before
    return Observation(lease, now)


def may_take(observation: Observation, identity: str, now: float) -> bool:
    """Whether the lease is ours to take: nobody's, already ours, or not renewed for as long as it lasts."""
    spec = observation.lease.get("spec") or {}
    holder = spec.get("holderIdentity") or ""
    if not holder or holder == identity:
        return True
    return now - observation.since > float(spec.get("leaseDurationSeconds") or 0)


class Leadership:
    """Runs work while it holds the lease."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        rng: random.Random,
        times: LeaseTimes = LeaseTimes(),
    ) -> None:
        self._api = api
        self._namespace, self._name, self._identity = namespace, name, identity
        self._clock, self._random, self._times = clock, rng, times
        self._seen: Observation | None = None
        self._complaint = ""
        self.leading = False

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Until cancelled: wait for the lease, do the work, and start over when the lease is lost.

        When `work` ends or raises by itself, so does this.
        """
        while True:
            await self._acquire()
            logger.info("leading as %s", self._identity)
            self.leading = True
            try:
                await self._lead(work)
            finally:
                self.leading = False
            logger.warning("lost the lease %s/%s; waiting for it", self._namespace, self._name)

    async def _lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the lease is lost; then return."""
        job = asyncio.ensure_future(work())
        renewal = asyncio.ensure_future(self._renew_until_lost())
        try:
            await asyncio.wait({job, renewal}, return_when=asyncio.FIRST_COMPLETED)
            if job.done():
                job.result()  # raises what ended it
                raise RuntimeError("the work of the leader ended by itself")
            renewal.result()
        finally:
            lost = renewal.done() and not renewal.cancelled()
            renewal.cancel()
            job.cancel()
            await asyncio.wait({job, renewal})
            if not lost:
                await self._release()

    async def _acquire(self) -> None:
        while not await self._try():
            await asyncio.sleep(self._times.retry * self._random.uniform(1.0, 1.2))

    async def _renew_until_lost(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(
                min(self._times.retry, max(0.0, renewed + self._times.deadline - loop.time()))
            )
            left = renewed + self._times.deadline - loop.time()
            if left <= 0:
                return
            asked = loop.time()
            try:
                async with asyncio.timeout(left):
                    if await self._try():
                        renewed = asked  # counted from when it was asked: the answer may have been slow
                    elif self._held_by_other():
                        return
            except TimeoutError:
                return

    def _held_by_other(self) -> bool:
        spec = (self._seen.lease.get("spec") or {}) if self._seen is not None else {}
        return bool(spec.get("holderIdentity")) and spec["holderIdentity"] != self._identity

    async def _try(self) -> bool:
        """Take or renew the lease; False when it is somebody else's, or the API did not let us."""
        loop = asyncio.get_running_loop()
        try:
            try:
                lease = await self._api.get(LEASE, self._namespace, self._name)
            except NotFound:
                made = await self._api.create(LEASE, self._new())
                self._seen = Observation(made, loop.time())
                return True
            self._seen = observe(self._seen, lease, loop.time())
            if not may_take(self._seen, self._identity, loop.time()):
                return False
            taken = await self._api.patch(LEASE, self._namespace, self._name, self._claim(lease))
            self._seen = Observation(taken, loop.time())
            self._complaint = ""
            return True
        except (Conflict, AlreadyExists):
            return False
        except ApiError as error:
            self._complain(error)
            return False

    def _complain(self, error: ApiError) -> None:
        """Say why the lease cannot be had, once until that changes; that nobody answers, the client says."""
        if error.message != self._complaint and not isinstance(error, Unreachable):
            logger.warning(
                "cannot take or renew the lease %s/%s: %s", self._namespace, self._name, error.message
            )
        self._complaint = error.message

    async def _release(self) -> None:
        """Leave the lease to the next one at once; without this it would wait until it expires."""
        if self._seen is None or self._held_by_other():
            return
        version = self._seen.lease["metadata"].get("resourceVersion")
        patch = {
            "metadata": {"resourceVersion": version},
            "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
        }
        try:
            async with asyncio.timeout(self._times.retry):
                await self._api.patch(LEASE, self._namespace, self._name, patch)
        except (ApiError, TimeoutError):
            logger.info("could not release the lease; it expires by itself")

    def _new(self) -> dict[str, Any]:
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": {**self._spec(), "leaseTransitions": 0},
        }

    def _spec(self) -> dict[str, Any]:
        now = format_precise(self._clock())
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "acquireTime": now,
            "renewTime": now,
        }

    def _claim(self, lease: Object) -> dict[str, Any]:
        held = lease.get("spec") or {}
        spec = self._spec()
        if held.get("holderIdentity") == self._identity:
            del spec["acquireTime"]
        else:
            spec["leaseTransitions"] = (held.get("leaseTransitions") or 0) + 1
        return {"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": spec}
