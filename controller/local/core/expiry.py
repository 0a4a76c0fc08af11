"""Events are kept for an hour, as on the real server (kube-apiserver --event-ttl)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from controller.local.core.resources import CORE_EVENTS
from controller.local.core.storage import Change, Object, Storage, Write

LIFETIME = timedelta(hours=1)


class Due(NamedTuple):
    """When an event goes, if it is still the version that was written then."""

    moment: datetime
    namespace: str
    name: str
    resource_version: str


class Expiry:
    """Deletes old events, one a step."""

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock
        self._queue: deque[Due] = deque()

    def observe(self, change: Change) -> None:
        if change.storage == CORE_EVENTS.storage and change.type != "DELETED":
            self.adopt(change.object)

    def adopt(self, event: Object) -> None:
        """Let an event live for an hour from now."""
        metadata = event["metadata"]
        self._queue.append(
            Due(
                self._clock() + LIFETIME,
                metadata.get("namespace", ""),
                metadata["name"],
                metadata["resourceVersion"],
            )
        )

    def step(self) -> bool:
        if not self._queue or self._queue[0].moment > self._clock():
            return False
        due = self._queue[0]
        event = self._storage.get(CORE_EVENTS.storage, due.namespace, due.name)
        if event is not None and event["metadata"]["resourceVersion"] == due.resource_version:
            self._storage.commit([Write.drop(CORE_EVENTS.storage, event)])
        self._queue.popleft()
        return bool(self._queue) and self._queue[0].moment <= self._clock()
