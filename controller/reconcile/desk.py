"""What all reconcilers share: reading the store, writing a status once, and doing it safely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.kube.api import Api, ApiError, Conflict, NotFound, Unreachable
from controller.model.errors import NxcError
from controller.model.information import Information
from controller.model.kinds import Key, Kind
from controller.model.meta import Object
from controller.observe.metrics import Metrics
from controller.runtime.feed import Feed
from controller.runtime.recorder import Recorder
from controller.runtime.store import Entry, Store, key_of

FIELD_MANAGER = "nxc-controller"


@dataclass(slots=True)
class Desk:
    """The tools on a reconciler's desk."""

    api: Api
    feed: Feed
    recorder: Recorder
    metrics: Metrics
    clock: Callable[[], datetime]
    installation: str
    wake: Callable[[Key, float], None]
    problems: dict[Key, NxcError] = field(default_factory=dict)
    """What went wrong with the last action for a key, until one goes well; shown in its status."""
    information: dict[Key, Information] = field(default_factory=dict)
    """What the nodes of each Deployment are told, as last decided."""

    @property
    def store(self) -> Store:
        """The last known state."""
        return self.feed.store

    async def write_status(self, key: Key, entry: Entry, status: Mapping[str, Any]) -> Entry:
        """Write the status if it differs from what the API has; the entry as it stands then.

        Guarded by the resource version: a decision made from an old reading is refused (`Conflict`), never
        written over a newer one.
        """
        difference = merge_diff(entry.status, status)
        if not difference:
            return entry
        patch = {"metadata": {"resourceVersion": entry.meta.resource_version}, "status": difference}
        return await self.patch(key, patch, subresource="status") or entry

    async def patch(self, key: Key, patch: Mapping[str, Any], *, subresource: str = "") -> Entry | None:
        """Patch an object and take the answer into the store; wakes those whom it concerns, not the key.

        After `Conflict` or `NotFound` the object is read anew: the news that we lack may have been lost.
        """
        try:
            obj = await self.api.patch(key.kind, key.namespace, key.name, patch, subresource=subresource)
        except (Conflict, NotFound):
            with suppress(ApiError):
                await self.read(key)
            raise
        self.metrics.writes.labels(key.kind.kind, f"patch/{subresource}" if subresource else "patch").inc()
        self.feed.accept(key.kind, obj, wake_self=False)
        return self.store.get(key)

    async def create(self, kind: Kind, obj: Object) -> None:
        """Create an object and take the answer into the store."""
        try:
            made = await self.api.create(kind, obj)
        except Unreachable:
            with suppress(ApiError):
                await self.read(key_of(kind, obj))  # it may have been made all the same
            raise
        self.metrics.writes.labels(kind.kind, "create").inc()
        self.feed.accept(kind, made)

    async def delete(self, key: Key, uid: str) -> None:
        """Ask for an object to go, if it is still this one."""
        try:
            await self.api.delete(key.kind, key.namespace, key.name, uid=uid)
        except NotFound:
            entry = self.store.get(key)
            if entry is not None and entry.meta.uid == uid:
                self.feed.gone(key.kind, _reference(key, uid))
        self.metrics.writes.labels(key.kind.kind, "delete").inc()

    async def set_finalizer(self, key: Key, entry: Entry, finalizer: str, *, present: bool) -> None:
        """Add or remove a finalizer of ours, guarded by the resource version."""
        names = [name for name in entry.meta.finalizers if name != finalizer]
        if present:
            names.append(finalizer)
        patch = {"metadata": {"resourceVersion": entry.meta.resource_version, "finalizers": names}}
        await self.patch(key, patch)

    async def read(self, key: Key) -> Object | None:
        """Read an object anew and take it into the store; `None` where there is none."""
        known = self.store.get(key)
        try:
            obj = await self.api.get(key.kind, key.namespace, key.name)
        except NotFound:
            if known is not None:
                self.feed.gone(key.kind, _reference(key, known.meta.uid))
            return None
        self.feed.accept(key.kind, obj)
        return obj

    async def fresh(self, key: Key, uid: str) -> bool:
        """Whether the object is still there, by a read of its own: before anything costly is done for it."""
        meta = (await self.read(key) or {}).get("metadata") or {}
        return meta.get("uid") == uid and not meta.get("deletionTimestamp")


def _reference(key: Key, uid: str) -> Object:
    return {"metadata": {"name": key.name, "namespace": key.namespace, "uid": uid}}


def merge_diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes `after` of `before`; empty when they are equal."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            if inner := merge_diff(old, value):
                patch[name] = inner
        elif old != value:
            patch[name] = value
    return patch
