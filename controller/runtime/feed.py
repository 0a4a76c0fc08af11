"""News from the API server: into the store, and on to everybody whom it concerns.

The one place that knows who must be woken by what.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED, Key, Kind
from controller.model.meta import Object
from controller.model.node import Node
from controller.model.testbed import Testbed
from controller.runtime.store import ANY_TESTBED, Entry, Store, key_of, references

logger = logging.getLogger(__name__)

NODE_NEWS, NODE_PROGRESS = 0.1, 1.0
"""Seconds by which news of nodes reach their Deployment: a burst of them costs one look and one write. What only
tells how far a node is on its way may come later than what makes it ready, or no longer so."""
TESTBED_NEWS = 1.0
"""The same for a Testbed's count of what it carries."""

Wake = Callable[[Key, float], None]
"""Have a key looked at after so many seconds."""


class Feed:
    """Takes objects in and wakes keys. `wake` is set while somebody works on the queue."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.wake: Wake | None = None

    def on_event(self, kind: Kind, type: str | None, obj: Object) -> None:
        """An event of the watch, as kopf gives it: ADDED, MODIFIED, DELETED, or None for the first listing.

        Never raises: an exception here would stop kopf's watch.
        """
        try:
            if type == "DELETED":
                self.gone(kind, obj)
            else:
                self.accept(kind, obj)
        except Exception:
            logger.exception("could not take in an event of a %s; the next resync will", kind.kind)

    def accept(self, kind: Kind, obj: Object, *, wake_self: bool = True) -> None:
        """An object as it stands now; from the watch, a read, or the answer to a write of ours."""
        key = key_of(kind, obj)
        before = self.store.get(key)
        if self.store.put(kind, obj):
            self._announce(key, before, self.store.get(key), wake_self=wake_self)

    def gone(self, kind: Kind, obj: Object) -> None:
        """An object was deleted."""
        key = key_of(kind, obj)
        before = self.store.get(key)
        if self.store.remove(kind, obj):
            self._announce(key, before, None, wake_self=True)

    def replace(self, kind: Kind, items: tuple[Object, ...], resource_version: str) -> list[Key]:
        """A listing of a kind; the keys it changed, all of which are woken."""
        before = dict(self.store.all(kind))
        changed = self.store.replace(kind, items, resource_version)
        for key in changed:
            self._announce(key, before.get(key), self.store.get(key), wake_self=True)
        return changed

    def _announce(self, key: Key, before: Entry | None, after: Entry | None, *, wake_self: bool) -> None:
        if self.wake is None:
            return
        if wake_self:
            self.wake(key, 0)
        if after is not None and after.broken:
            logger.warning("%s cannot be read and is left alone: %s", key, after.broken)
        for other, delay in self._concerned(key, before, after):
            self.wake(other, delay)

    def _concerned(self, key: Key, before: Entry | None, after: Entry | None) -> list[tuple[Key, float]]:
        entry = after or before
        if entry is None:
            return []
        if key.kind is NODE:
            return self._around_node(entry, before, after)
        if key.kind is DEPLOYMENT and _respecified(before, after):
            return self._around_deployment(key, (before, after))
        if key.kind is COMPOSITION:
            return [(user, 0) for user in self.store.users(key)]
        if key.kind is TESTBED:
            return self._around_testbed(key, before, after)
        return []

    def _around_node(
        self, entry: Entry, before: Entry | None, after: Entry | None
    ) -> list[tuple[Key, float]]:
        if not isinstance(entry.parsed, Node):
            return []
        spec = entry.parsed.spec
        delay = NODE_PROGRESS if _on_its_way(before, after) else NODE_NEWS
        concerned = [(Key(DEPLOYMENT, entry.meta.namespace, spec.deployment), delay)]
        if before is None or after is None:
            concerned.append((Key(TESTBED, "", spec.testbed), TESTBED_NEWS))
        return concerned

    def _around_deployment(
        self, key: Key, sides: tuple[Entry | None, Entry | None]
    ) -> list[tuple[Key, float]]:
        concerned: list[tuple[Key, float]] = [(user, 0) for user in self.store.users(key)]
        targets = [target for entry in sides if entry is not None for target in references(entry.parsed)]
        concerned += [
            (target, 0 if target.kind is COMPOSITION else TESTBED_NEWS)
            for target in dict.fromkeys(targets)
            if target != ANY_TESTBED
        ]
        return concerned

    def _around_testbed(self, key: Key, before: Entry | None, after: Entry | None) -> list[tuple[Key, float]]:
        concerned: tuple[Key, ...] = ()
        if _respecified(before, after):
            concerned = (*self.store.users(key), *self.store.users(ANY_TESTBED))
        elif _testbed_turned(before, after):
            concerned = self.store.users(key)
        return [(user, 0) for user in dict.fromkeys(concerned)]


def _on_its_way(before: Entry | None, after: Entry | None) -> bool:
    """Whether a node has only come a step further, or back, and is not ready as it was not before."""
    if before is None or after is None:
        return False
    one, other = before.parsed, after.parsed
    if not isinstance(one, Node) or not isinstance(other, Node) or one.spec != other.spec:
        return False
    if before.meta.deleting != after.meta.deleting or one.status.failures != other.status.failures:
        return False
    return not any(
        node.status.conditions.is_true(type) for node in (one, other) for type in ("Ready", "Stalled")
    )


def _respecified(before: Entry | None, after: Entry | None) -> bool:
    """Whether an object appeared, vanished, began to go, or was given another spec."""
    if before is None or after is None:
        return True
    return (before.meta.generation, before.meta.deleting, before.meta.uid) != (
        after.meta.generation,
        after.meta.deleting,
        after.meta.uid,
    )


def _testbed_turned(before: Entry | None, after: Entry | None) -> bool:
    """Whether a testbed answers again, or no longer: of its counters nobody must hear."""
    old, new = before and before.parsed, after and after.parsed
    if not isinstance(old, Testbed) or not isinstance(new, Testbed):
        return True
    return old.conditions.is_true("Ready") != new.conditions.is_true("Ready")
