"""Owner references: dependents go with their owners.

Background: the owner goes at once, its dependents after it. Foreground: the owner waits, with a finalizer,
until the dependents that block it are gone. Orphan: the dependents are cut loose and stay. An owner counts as
absent when no object of its kind, name and uid exists in the dependent's own namespace (or cluster-wide).

Source: k8s.io/kubernetes `controller/garbagecollector`; Kubernetes, "Owners and Dependents".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from controller.local.core.lifecycle import FOREGROUND, ORPHAN, terminating
from controller.local.core.removal import DeleteOptions, Remover
from controller.local.core.request import Request
from controller.local.core.resources import Registry, StorageKey
from controller.local.core.storage import Change, Object, Storage
from controller.local.core.writes import Writer

MANAGER = "kube-controller-manager"
Owners = list[dict[str, Any]]


class Place(NamedTuple):
    """Where an object is stored."""

    storage: StorageKey
    namespace: str
    name: str


class Collector:
    """Looks at one object a step: a dependent whose owners changed, or an owner that waits for dependents."""

    def __init__(self, storage: Storage, registry: Registry, writer: Writer, remover: Remover) -> None:
        self._storage = storage
        self._registry = registry
        self._writer = writer
        self._remover = remover
        self._dependents: dict[str, dict[Place, None]] = {}
        """By the owner's uid, in the order in which they came."""
        self._queue: deque[Place] = deque()
        self._waiting: set[Place] = set()

    def observe(self, change: Change) -> None:
        metadata = change.object["metadata"]
        owners = metadata.get("ownerReferences")
        before = change.previous["metadata"].get("ownerReferences") if change.previous is not None else None
        if owners is None and before is None and change.type != "DELETED" and "finalizers" not in metadata:
            return  # the common case, kept cheap
        place = Place(change.storage, change.namespace, change.name)
        if change.type == "DELETED":
            self._unlink(place, before)
            self._wake_owners(place.namespace, before)
            self._wake(self._dependents.get(metadata["uid"], ()))
            return
        if owners != before:
            self._unlink(place, before)
            for owner in owners or ():
                self._dependents.setdefault(owner["uid"], {})[place] = None
            self._wake_owners(place.namespace, before)
            self._wake((place,))
        if terminating(metadata) and self._collecting(metadata):
            if change.previous is None or not self._collecting(change.previous["metadata"]):
                self._wake(self._dependents.get(metadata["uid"], ()))
            self._wake((place,))

    def adopt(self, storage: StorageKey, obj: Object) -> None:
        """Take note of an object that was there before this collector."""
        metadata = obj["metadata"]
        self.observe(Change("ADDED", storage, metadata.get("namespace", ""), metadata["name"], obj, None, 0))

    def step(self) -> bool:
        if not self._queue:
            return False
        place = self._queue.popleft()
        self._waiting.discard(place)
        try:
            self._look(place)
        except Exception:
            self._wake((place,))  # a write was refused: this is not done
            raise
        return bool(self._queue)

    def _look(self, place: Place) -> None:
        obj = self._storage.get(*place)
        if obj is None:
            return
        metadata = obj["metadata"]
        if not terminating(metadata):
            self._judge(place, obj)
        elif ORPHAN in metadata.get("finalizers", ()):
            self._orphan(place, obj)
        elif FOREGROUND in metadata.get("finalizers", ()):
            self._await_dependents(place, obj)

    def _judge(self, place: Place, obj: Object) -> None:
        """Decide whether an object still has an owner to live for."""
        owners: Owners = obj["metadata"].get("ownerReferences", [])
        if not owners:
            return
        states = [(owner, self._state(place, owner)) for owner in owners]
        if any(state == "unknown" for _, state in states):
            return  # a kind that is not served: nobody can tell
        solid = [owner for owner, state in states if state == "solid"]
        if solid:
            if len(solid) < len(owners):
                self._amend(place, obj, ownerReferences=solid)
            return
        waiting = any(state == "waiting" for _, state in states)
        dependents = list(self._dependents.get(obj["metadata"]["uid"], ()))
        if waiting and dependents:
            # A dependent that itself waits for dependents may close a circle: stop blocking the owners.
            if any(self._is_awaiting(dependent) for dependent in dependents):
                unblocked = [{**owner, "blockOwnerDeletion": False} for owner in owners]
                self._amend(place, obj, ownerReferences=unblocked)
                obj = self._storage.get(*place) or obj
            self._delete(place, obj, "Foreground")
            return
        finalizers = obj["metadata"].get("finalizers", ())
        self._delete(
            place,
            obj,
            "Orphan" if ORPHAN in finalizers else "Foreground" if FOREGROUND in finalizers else "Background",
        )

    def _orphan(self, place: Place, obj: Object) -> None:
        """Cut one dependent loose, or let the owner go when none is left."""
        uid = obj["metadata"]["uid"]
        for dependent in list(self._dependents.get(uid, ())):
            found = self._storage.get(*dependent)
            if found is None or (dependent.namespace not in (place.namespace, "") and place.namespace):
                continue
            owners = [owner for owner in found["metadata"]["ownerReferences"] if owner["uid"] != uid]
            self._amend(dependent, found, ownerReferences=owners)
            self._wake((place,))
            return
        self._drop_finalizer(place, obj, ORPHAN)

    def _await_dependents(self, place: Place, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        blocking = list(self._blocking(uid))
        if not blocking:
            self._drop_finalizer(place, obj, FOREGROUND)
            return
        self._wake(dependent for dependent in blocking if not self._is_terminating(dependent))

    def _blocking(self, uid: str) -> Iterator[Place]:
        for dependent in self._dependents.get(uid, ()):
            found = self._storage.get(*dependent)
            if found is not None and any(
                owner["uid"] == uid and owner.get("blockOwnerDeletion")
                for owner in found["metadata"]["ownerReferences"]
            ):
                yield dependent

    def _state(self, place: Place, owner: dict[str, Any]) -> Literal["solid", "waiting", "absent", "unknown"]:
        found = self._owner_place(place.namespace, owner)
        if found is None:
            return "unknown"
        obj = self._storage.get(*found)
        if obj is None or obj["metadata"]["uid"] != owner["uid"]:
            return "absent"
        metadata = obj["metadata"]
        if terminating(metadata) and FOREGROUND in metadata.get("finalizers", ()):
            return "waiting"
        return "solid"

    def _owner_place(self, namespace: str, owner: dict[str, Any]) -> Place | None:
        """Where the owner would be; None for a kind not served, or namespaced while the dependent is not."""
        resource = self._registry.by_api_version(owner["apiVersion"], owner["kind"])
        if resource is None or (resource.namespaced and not namespace):
            return None
        return Place(resource.storage, namespace if resource.namespaced else "", owner["name"])

    def _amend(self, place: Place, obj: Object, **fields: list[Any]) -> None:
        resource = self._registry.serving(place.storage)
        if resource is None:
            return
        metadata = {**obj["metadata"], **fields}
        for field, value in fields.items():
            if not value:
                del metadata[field]
        self._writer.amend(resource, obj, {**obj, "metadata": metadata}, MANAGER)

    def _drop_finalizer(self, place: Place, obj: Object, finalizer: str) -> None:
        self._amend(
            place, obj, finalizers=[entry for entry in obj["metadata"]["finalizers"] if entry != finalizer]
        )

    def _delete(self, place: Place, obj: Object, policy: str) -> None:
        resource = self._registry.serving(place.storage)
        if resource is not None:
            self._remover.remove(
                resource, obj, DeleteOptions(Request("delete", "", "", "", propagation_policy=policy))
            )

    def _wake(self, places: Iterable[Place]) -> None:
        for place in places:
            if place not in self._waiting:
                self._waiting.add(place)
                self._queue.append(place)

    def _wake_owners(self, namespace: str, owners: Owners | None) -> None:
        """Owners that wait for dependents look again."""
        for owner in owners or ():
            place = self._owner_place(namespace, owner)
            if place is not None and self._is_awaiting(place):
                self._wake((place,))

    def _unlink(self, place: Place, owners: Owners | None) -> None:
        for owner in owners or ():
            known = self._dependents.get(owner["uid"])
            if known is not None:
                known.pop(place, None)
                if not known:
                    del self._dependents[owner["uid"]]

    def _is_terminating(self, place: Place) -> bool:
        obj = self._storage.get(*place)
        return obj is not None and terminating(obj["metadata"])

    def _is_awaiting(self, place: Place) -> bool:
        obj = self._storage.get(*place)
        return obj is not None and terminating(obj["metadata"]) and self._collecting(obj["metadata"])

    @staticmethod
    def _collecting(metadata: Object) -> bool:
        finalizers = metadata.get("finalizers", ())
        return FOREGROUND in finalizers or ORPHAN in finalizers
