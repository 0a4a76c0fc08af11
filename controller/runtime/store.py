"""The last known state of every watched object, parsed, with reverse references.

It is a cache of the API server and nothing else: fed by the watch, by the answers to our own writes, and
replaced by every resync. kopf's indices do none of this: after a watch gap they keep objects that
vanished (reference: kopf `continuous_watch` returns on 410 and re-yields only what is present).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.composition import Composition
from controller.model.deployment import Deployment
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED, Key, Kind
from controller.model.meta import Meta, Object
from controller.model.node import Node
from controller.model.testbed import Testbed

ANY_TESTBED = Key(TESTBED, "", "")
"""What every Deployment refers to: it may want any, and one that is refused is told which would serve it."""

TOMBSTONES = 10_000
"""How many deleted uids are remembered, so that a late answer to a write does not raise the dead."""

Parsed = Composition | Deployment | Node | Testbed

_PARSERS: Mapping[Kind, Callable[[Object], Parsed]] = {
    COMPOSITION: Composition.parse,
    DEPLOYMENT: Deployment.parse,
    NODE: Node.parse,
    TESTBED: Testbed.parse,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: parsed, and its status as the API has it. `broken` says why it could not be read."""

    meta: Meta
    parsed: Parsed | None
    status: Mapping[str, Any]
    broken: str = ""


def key_of(kind: Kind, obj: Object) -> Key:
    """The key of an object."""
    meta = obj.get("metadata") or {}
    return Key(kind, (meta.get("namespace") or "") if kind.namespaced else "", meta.get("name", ""))


def machine_key(testbed: str, machine: str) -> Key:
    """What stands for a machine of a testbed among the things that objects refer to; no object has this key."""
    return Key(TESTBED, testbed, machine)


def newer(version: str, than: str) -> bool:
    """Whether a resource version is later than another (Kubernetes: they compare as integers since 1.35).

    Versions that are no integers are taken as newer: then the order of arrival decides.
    """
    try:
        return int(version) > int(than)
    except ValueError:
        return version != than


class Store:
    """Objects by key. Not thread-safe; everything happens in the event loop between two awaits."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._by_kind: dict[Kind, dict[Key, Entry]] = {kind: {} for kind in _PARSERS}
        self._refers_to: dict[Key, frozenset[Key]] = {}
        self._users: dict[Key, dict[Key, None]] = {}
        self._buried: OrderedDict[str, None] = OrderedDict()

    def get(self, key: Key) -> Entry | None:
        """The object, if it is known."""
        return self._entries.get(key)

    def composition(self, namespace: str, name: str) -> Composition | None:
        """A Composition, if it is known and readable."""
        found = self._parsed(Key(COMPOSITION, namespace, name))
        return found if isinstance(found, Composition) else None

    def deployment(self, namespace: str, name: str) -> Deployment | None:
        """A Deployment, if it is known and readable."""
        found = self._parsed(Key(DEPLOYMENT, namespace, name))
        return found if isinstance(found, Deployment) else None

    def testbed(self, name: str) -> Testbed | None:
        """A Testbed, if it is known and readable."""
        found = self._parsed(Key(TESTBED, "", name))
        return found if isinstance(found, Testbed) else None

    def all(self, kind: Kind) -> Iterator[tuple[Key, Entry]]:
        """Every object of a kind. The store may change while the caller iterates: the view is a copy."""
        return iter(tuple(self._by_kind[kind].items()))

    def testbeds(self) -> list[Testbed]:
        """All readable testbeds."""
        return [e.parsed for e in self._by_kind[TESTBED].values() if isinstance(e.parsed, Testbed)]

    def nodes_of(self, deployment: Key) -> list[Node]:
        """The DeployedNodes that name a Deployment, by host."""
        found = [self._parsed(key) for key in self._users.get(deployment, ()) if key.kind is NODE]
        return sorted((n for n in found if isinstance(n, Node)), key=lambda node: node.spec.host)

    def nodes_on(self, testbed: str, machine: str) -> list[Node]:
        """The DeployedNodes whose place is a machine: one, but for moments of change."""
        found = (self._parsed(key) for key in self._users.get(machine_key(testbed, machine), ()))
        return [node for node in found if isinstance(node, Node)]

    def users(self, key: Key) -> tuple[Key, ...]:
        """The objects that refer to this one, in the order in which they came to."""
        return tuple(self._users.get(key, ()))

    def count(self, kind: Kind) -> int:
        """How many objects of a kind are known."""
        return len(self._by_kind[kind])

    def put(self, kind: Kind, obj: Object) -> bool:
        """Take an object in. False when it tells nothing new: older than what is known, or already buried."""
        key, meta = key_of(kind, obj), obj.get("metadata") or {}
        known = self._entries.get(key)
        if meta.get("uid", "") in self._buried:
            return False
        # most of what a watch brings are our own writes, whose answers we have taken in already
        if known is not None and not newer(meta.get("resourceVersion", ""), known.meta.resource_version):
            return False
        entry = _read(kind, obj)
        self._entries[key] = self._by_kind[kind][key] = entry
        self._refer(key, frozenset(references(entry.parsed)))
        return True

    def remove(self, kind: Kind, obj: Object) -> bool:
        """An object is gone. False when it was not known, or its name belongs to another object by now."""
        key, uid = key_of(kind, obj), (obj.get("metadata") or {}).get("uid", "")
        self._bury(uid)
        known = self._entries.get(key)
        if known is None or known.meta.uid != uid:
            return False
        self._drop(key)
        return True

    def replace(self, kind: Kind, items: Iterable[Object], resource_version: str) -> list[Key]:
        """Make a listing of a kind the truth; the keys of what changed, appeared or vanished.

        What is newer than the listing stays, though the listing may know an earlier object of its name: it was
        written or seen while the list was on its way.
        """

        def later(entry: Entry) -> bool:
            return newer(entry.meta.resource_version, resource_version)

        changed: list[Key] = []
        present: set[Key] = set()
        for obj in items:
            key = key_of(kind, obj)
            present.add(key)
            known, uid = self._entries.get(key), (obj.get("metadata") or {}).get("uid", "")
            if known is not None and known.meta.uid != uid and not later(known):
                self._bury(known.meta.uid)
                self._drop(key)
            if self.put(kind, obj):
                changed.append(key)
        for key, entry in self.all(kind):
            if key not in present and not later(entry):
                self._bury(entry.meta.uid)
                self._drop(key)
                changed.append(key)
        return changed

    def _parsed(self, key: Key) -> Parsed | None:
        entry = self._entries.get(key)
        return entry.parsed if entry is not None else None

    def _drop(self, key: Key) -> None:
        del self._entries[key], self._by_kind[key.kind][key]
        self._refer(key, frozenset())

    def _bury(self, uid: str) -> None:
        self._buried[uid] = None
        if len(self._buried) > TOMBSTONES:
            self._buried.popitem(last=False)

    def _refer(self, key: Key, targets: frozenset[Key]) -> None:
        before = self._refers_to.get(key, frozenset())
        for target in before - targets:
            users = self._users[target]
            users.pop(key, None)
            if not users:
                del self._users[target]
        for target in targets - before:
            self._users.setdefault(target, {})[key] = None
        if targets:
            self._refers_to[key] = targets
        else:
            self._refers_to.pop(key, None)


def _read(kind: Kind, obj: Object) -> Entry:
    """Parse an object. One that another version of the CRD let through, and we cannot read, is left alone."""
    status = obj.get("status") or {}
    try:
        parsed = _PARSERS[kind](obj)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Entry(Meta.of(obj), None, status, broken=f"{type(error).__name__}: {error}")
    return Entry(parsed.meta, parsed, status)


def references(parsed: Parsed | None) -> tuple[Key, ...]:
    """What an object refers to, and is woken by."""
    match parsed:
        case Deployment():
            named = parsed.testbed or parsed.status.testbed
            own = (Key(TESTBED, "", named),) if named else ()
            return (Key(COMPOSITION, parsed.meta.namespace, parsed.composition), ANY_TESTBED, *own)
        case Node():
            deployment = Key(DEPLOYMENT, parsed.meta.namespace, parsed.spec.deployment)
            spec = parsed.spec
            return (deployment, Key(TESTBED, "", spec.testbed), machine_key(spec.testbed, spec.machine))
        case _:
            return ()
