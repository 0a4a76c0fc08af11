"""Events for people, without flooding: one Event a fact, counted up when it repeats.

A fact is (object, reason, message). Its Event's name is made from it, so that a restarted operator counts
on instead of starting another. Writing is best effort: nothing waits for it, and what the API refuses is
dropped (a namespace that is going takes no events).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.kube.api import AlreadyExists, Api, ApiError
from controller.model.kinds import EVENT, Key
from controller.model.quantity import format_time

logger = logging.getLogger(__name__)

COMPONENT = "nxc-controller"
PENDING_LIMIT = 1000
REMEMBERED = 4000
REPEAT_AFTER = 300.0
"""Seconds in which a repeated fact is not written again (it is counted)."""
BURST, REFILL = 25, 300.0
"""Events an object may cause at once, and seconds until it may cause one more (client-go's spam filter)."""
MESSAGE_LIMIT = 1024


@dataclass(slots=True)
class _Fact:
    count: int
    written: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    since: float


class Recorder:
    """Collects facts and writes Events in the background."""

    def __init__(self, api: Api, clock: Callable[[], datetime]) -> None:
        self._api, self._clock = api, clock
        self._pending: asyncio.Queue[tuple[str, dict[str, Any], int]] = asyncio.Queue(PENDING_LIMIT)
        self._facts: OrderedDict[str, _Fact] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self.dropped = 0

    def record(self, key: Key, uid: str, reason: str, message: str, *, warning: bool = False) -> None:
        """State a fact about an object. Never blocks."""
        now = asyncio.get_running_loop().time()
        message = message[:MESSAGE_LIMIT]
        digest = hashlib.sha256(f"{uid}\0{reason}\0{message}".encode()).hexdigest()[:16]
        name = f"{key.name[:200]}.{digest}"
        fact = self._facts.get(name)
        if fact is not None:
            fact.count += 1
            if now - fact.written < REPEAT_AFTER:
                return
            fact.written = now
        elif not self._allowed(uid, now):
            self.dropped += 1
            return
        else:
            fact = self._facts[name] = _Fact(1, now)
            if len(self._facts) > REMEMBERED:
                self._facts.popitem(last=False)
        try:
            self._pending.put_nowait(
                (name, self._event(name, key, uid, reason, message, warning), fact.count)
            )
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Write what was recorded, until cancelled."""
        while True:
            name, event, count = await self._pending.get()
            try:
                await self._write(name, event, count)
            except ApiError as error:
                self.dropped += 1
                logger.debug("event %s not written: %s", name, error.message)

    async def _write(self, name: str, event: dict[str, Any], count: int) -> None:
        namespace = event["metadata"]["namespace"]
        if count == 1:
            try:
                await self._api.create(EVENT, event)
            except AlreadyExists:
                before = await self._api.get(EVENT, namespace, name)
                count = (before.get("count") or 1) + 1
            else:
                return
        patch = {"count": count, "lastTimestamp": event["lastTimestamp"]}
        await self._api.patch(EVENT, namespace, name, patch)

    def _allowed(self, uid: str, now: float) -> bool:
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = self._buckets[uid] = _Bucket(BURST, now)
            if len(self._buckets) > REMEMBERED:
                self._buckets.popitem(last=False)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.since) / REFILL)
        bucket.since = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _event(
        self, name: str, key: Key, uid: str, reason: str, message: str, warning: bool
    ) -> dict[str, Any]:
        now = format_time(self._clock())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            # events about cluster-scoped objects live in `default`, where kubectl looks for them
            "metadata": {"name": name, "namespace": key.namespace or "default"},
            "involvedObject": {
                "apiVersion": key.kind.api_version,
                "kind": key.kind.kind,
                "namespace": key.namespace,
                "name": key.name,
                "uid": uid,
            },
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": "",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
