"""One client's view of one collection's changes.

A watch holds no buffer: it is a position in the collection's recent past, so that a thousand watchers cost
no more memory than one. A reader so far behind that its position is forgotten gets 410 and lists anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from controller.local.core import errors
from controller.local.core.storage import Change, Collection, Object, Storage

EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
Match = Callable[[Object], bool]


@dataclass(frozen=True, slots=True)
class Event:
    """What the client reads. Watchers of one version share `object`: one serialisation does for all."""

    type: EventType
    object: Object
    resource_version: int


class Watch:
    """Pull-style: `take` what is there; `on_ready` is called once when there is more after `take` ran dry."""

    def __init__(
        self,
        storage: Storage,
        collection: Collection,
        *,
        api_version: str,
        kind: str,
        since: int,
        namespace: str = "",
        match: Match | None = None,
        convert: Callable[[Object], Object] | None = None,
        initial: Sequence[Object] = (),
        announce_end: bool = False,
    ) -> None:
        """`since`: the version after which changes are wanted. `initial`: objects to show as ADDED first;
        `announce_end`: follow these with a bookmark that says so. `match` and `convert` see stored objects.
        """
        self.on_ready: Callable[[], None] | None = None
        self.closed = False
        self._storage = storage
        self._collection = collection
        self._api_version = api_version
        self._kind = kind
        self._namespace = namespace
        self._match = match
        self._convert = convert
        self._initial = list(initial)
        self._initial.reverse()
        self._announce_end = announce_end
        self._version = since
        self._position = collection.position_after(since)
        self._expired = since < collection.floor
        self._since = since
        self._ending: errors.ApiError | None = None
        self._stopped = False
        self._dry = False
        collection.watches.append(self)

    def take(self, limit: int = 1000) -> list[Event]:
        """Up to `limit` events, none when nothing waits. After an ERROR event the watch is closed."""
        if self.closed:
            return []
        events: list[Event] = []
        while self._initial and len(events) < limit:
            obj = self._initial.pop()
            events.append(Event("ADDED", self._shown(obj), int(obj["metadata"]["resourceVersion"])))
        if self._initial:
            return events
        if self._announce_end and len(events) < limit:
            self._announce_end = False
            events.append(self._bookmark({INITIAL_EVENTS_END: "true"}))
        collection = self._collection
        if self._expired or self._position < collection.offset:
            error = errors.expired(f"too old resource version: {self._version} ({collection.floor + 1})")
            return [*events, self._fail(error)]
        while len(events) < limit and self._position < collection.end:
            change = collection.changes[self._position - collection.offset]
            self._position += 1
            if change.resource_version <= self._since:
                continue
            self._version = change.resource_version
            event = self._event(change)
            if event is not None:
                events.append(event)
        if self._position == collection.end and len(events) < limit:
            self._dry = True
            if self._ending is not None:
                events.append(self._fail(self._ending))
            elif self._stopped:
                self._close()
        return events

    def bookmark(self) -> Event:
        """How far this watch has seen, for a client that asked for bookmarks."""
        return self._bookmark(None)

    def stop(self, error: errors.ApiError | None = None) -> None:
        """End the watch once all that happened so far is taken, with an ERROR event if one is given."""
        self._stopped = True
        self._ending = error
        self._ready()

    def close(self) -> None:
        """The client has gone."""
        self._close()

    def _event(self, change: Change) -> Event | None:
        if self._namespace and change.namespace != self._namespace:
            return None
        kind: EventType = change.type
        obj = change.object
        if self._match is not None:
            now = kind != "DELETED" and self._match(obj)
            before = change.previous is not None and self._match(change.previous)
            if now:
                kind = "MODIFIED" if before else "ADDED"
            elif not before:
                return None
            elif kind != "DELETED":
                # It left the selector: to this client it is gone, in the state in which it last matched.
                kind = "DELETED"
                assert change.previous is not None
                obj = {
                    **change.previous,
                    "metadata": {
                        **change.previous["metadata"],
                        "resourceVersion": str(change.resource_version),
                    },
                }
        return Event(kind, self._shown(obj), change.resource_version)

    def _shown(self, obj: Object) -> Object:
        return self._convert(obj) if self._convert is not None else obj

    def _bookmark(self, annotations: dict[str, str] | None) -> Event:
        if self._position == self._collection.end and not self._initial:
            self._version = max(self._version, self._storage.revision)
        metadata: dict[str, Any] = {"resourceVersion": str(self._version)}
        if annotations:
            metadata["annotations"] = annotations
        obj = {"kind": self._kind, "apiVersion": self._api_version, "metadata": metadata}
        return Event("BOOKMARK", obj, self._version)

    def _fail(self, error: errors.ApiError) -> Event:
        self._close()
        return Event("ERROR", error.status(), self._version)

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            self._initial = []
            self._collection.watches.remove(self)

    def wake(self, change: Change) -> None:
        """Storage has a new change."""
        if not self._namespace or change.namespace == self._namespace:
            self._ready()

    def _ready(self) -> None:
        if self._dry:
            self._dry = False
            if self.on_ready is not None:
                self.on_ready()
