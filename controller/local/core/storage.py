"""Objects, their one global version, and the recent past.

An object in storage is never changed in place: a write puts a new dict beside the old one, which watchers and
lists may still hold. Nobody may change what they get from here. Each collection remembers its recent changes,
so that a watch can start in the past and a chunked list can be answered as of the version at which it began.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from controller.local.core import errors
from controller.local.core.resources import StorageKey

Object = dict[str, Any]
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
WINDOW = 2048
"""Changes that a collection remembers, at least; it may be up to twice as many."""


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write. The `object` of a DELETED is its last state, with the version of the deletion."""

    type: ChangeType
    storage: StorageKey
    namespace: str
    name: str
    object: Object
    previous: Object | None
    resource_version: int


class Journal(Protocol):
    """Where changes become durable.

    `append` is called before memory changes and before anybody sees the event. If it raises, nothing
    happened: an `ApiError` reaches the client as it is, anything else as an internal error.
    """

    def append(self, changes: Sequence[Change]) -> None: ...


class Listener(Protocol):
    """A watch, as storage knows it."""

    def wake(self, change: Change) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be stored: `object` None deletes. Its metadata must be fresh: the version is set in it."""

    storage: StorageKey
    namespace: str
    name: str
    object: Object | None

    @classmethod
    def put(cls, storage: StorageKey, obj: Object) -> Write:
        """Store `obj` under the name and namespace that it has."""
        obj = {**obj, "metadata": dict(obj["metadata"])}
        return cls(storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], obj)

    @classmethod
    def drop(cls, storage: StorageKey, obj: Object) -> Write:
        """Delete what is stored under the name and namespace of `obj`."""
        return cls(storage, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], None)


def object_key(namespace: str, name: str) -> str:
    """The key under which a collection keeps an object; its order is the order of lists."""
    return f"{namespace}/{name}" if namespace else name


class Collection:
    """The objects kept under one storage key, sorted, with their recent changes."""

    def __init__(self, floor: int, window: int) -> None:
        self.objects: dict[str, Object] = {}
        self.order: list[str] = []
        self.changes: list[Change] = []
        self.offset = 0
        """The position of `changes[0]` among all changes since the start."""
        self.floor = floor
        """Every change after this version is in `changes`; what came before is forgotten."""
        self.watches: list[Listener] = []
        self._window = window

    @property
    def end(self) -> int:
        """The position that the next change will have."""
        return self.offset + len(self.changes)

    def position_after(self, version: int) -> int:
        """The position of the first change later than `version`."""
        return self.offset + bisect.bisect_right(
            self.changes, version, key=lambda change: change.resource_version
        )

    def apply(self, change: Change) -> None:
        key = object_key(change.namespace, change.name)
        if change.type == "DELETED":
            del self.objects[key]
            del self.order[bisect.bisect_left(self.order, key)]
        else:
            if change.type == "ADDED":
                bisect.insort(self.order, key)
            self.objects[key] = change.object
        self.changes.append(change)
        if len(self.changes) > 2 * self._window:
            self.forget(self.changes[-self._window - 1].resource_version)

    def forget(self, version: int) -> None:
        """Drop the changes up to `version`: watches and lists from before it answer 410 from now on."""
        count = bisect.bisect_right(self.changes, version, key=lambda change: change.resource_version)
        del self.changes[:count]
        self.offset += count
        self.floor = max(self.floor, version)

    def end_watches(self) -> None:
        """Let every watch of this collection end once it has shown what happened."""
        for watch in tuple(self.watches):
            watch.stop()

    def keys(self, namespace: str = "", order: list[str] | None = None) -> list[str]:
        """The keys in order, of one namespace or of all."""
        order = self.order if order is None else order
        if not namespace:
            return order
        start = bisect.bisect_left(order, f"{namespace}/")
        return order[start : bisect.bisect_left(order, f"{namespace}0", start)]  # "0" follows "/"

    def at(self, version: int) -> tuple[dict[str, Object], list[str]]:
        """Objects and order as of a version, which must not be older than `floor`."""
        later = self.changes[self.position_after(version) - self.offset :]
        if not later:
            return self.objects, self.order
        objects = dict(self.objects)
        for change in reversed(later):
            key = object_key(change.namespace, change.name)
            if change.previous is None:
                objects.pop(key, None)
            else:
                objects[key] = change.previous
        return objects, sorted(objects)


class Storage:
    """All collections, under one version that only grows."""

    def __init__(self, journal: Journal | None = None, window: int = WINDOW) -> None:
        self.revision = 1
        self._floor = 1
        self.journal = journal
        self.observers: list[Callable[[Change], None]] = []
        self._window = window
        self._collections: dict[StorageKey, Collection] = {}

    def collection(self, storage: StorageKey) -> Collection:
        found = self._collections.get(storage)
        if found is None:
            found = self._collections[storage] = Collection(self._floor, self._window)
        return found

    def collections(self) -> Iterable[tuple[StorageKey, Collection]]:
        return self._collections.items()

    def get(self, storage: StorageKey, namespace: str, name: str) -> Object | None:
        collection = self._collections.get(storage)
        return collection.objects.get(object_key(namespace, name)) if collection else None

    def commit(self, writes: Sequence[Write]) -> list[Change]:
        """Store all of `writes` or none; observers and watchers hear of them afterwards, in order."""
        changes = [self._change(write, self.revision + 1 + count) for count, write in enumerate(writes)]
        if self.journal is not None:
            try:
                self.journal.append(changes)
            except errors.ApiError:
                raise
            except Exception as error:
                raise errors.internal(f"cannot store the change: {error}") from error
        for change in changes:
            self.revision = change.resource_version
            self.collection(change.storage).apply(change)
        for change in changes:
            for observe in self.observers:
                observe(change)
            for watch in tuple(self._collections[change.storage].watches):
                watch.wake(change)
        return changes

    def _change(self, write: Write, version: int) -> Change:
        previous = self.get(write.storage, write.namespace, write.name)
        if write.object is not None:
            obj = write.object
            kind: ChangeType = "ADDED" if previous is None else "MODIFIED"
        elif previous is not None:
            obj = {**previous, "metadata": dict(previous["metadata"])}
            kind = "DELETED"
        else:
            raise KeyError(f"{write.storage} {write.namespace}/{write.name} is not stored")
        obj["metadata"]["resourceVersion"] = str(version)
        return Change(kind, write.storage, write.namespace, write.name, obj, previous, version)

    def load(self, objects: Iterable[tuple[StorageKey, Object]], revision: int) -> None:
        """Start from what a journal kept. The past is forgotten: older watches answer 410."""
        self.revision = self._floor = max(self.revision, revision)
        self._collections = {}
        for storage, obj in objects:
            metadata = obj["metadata"]
            self.collection(storage).objects[object_key(metadata.get("namespace", ""), metadata["name"])] = (
                obj
            )
        for collection in self._collections.values():
            collection.order = sorted(collection.objects)

    def rewrite(self, storage: StorageKey, change: Callable[[Object], Object]) -> None:
        """Show the same objects in a new form, at their old versions and without an event.

        A new schema does this: the real server applies it whenever it reads an object from disk.
        """
        objects = self.collection(storage).objects
        for key, obj in objects.items():
            objects[key] = change(obj)

    def forget(self, version: int | None = None) -> None:
        """Drop the past up to a version (None: all of it), as the real server's compaction does."""
        self._floor = self.revision if version is None else version
        for collection in self._collections.values():
            collection.forget(self._floor)
