"""What every Kubernetes object has: its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from controller.model.kinds import REQUESTED_AT, Kind
from controller.model.quantity import parse_time

Object = Mapping[str, Any]
"""A Kubernetes object as JSON gives it. Never changed in place."""


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """An owner of an object; garbage collection follows it by `uid`."""

    kind: str
    name: str
    uid: str
    controller: bool = False


@dataclass(frozen=True, slots=True)
class Meta:
    """ObjectMeta, as far as decisions need it."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    created: datetime | None = None
    deleted: datetime | None = None
    finalizers: tuple[str, ...] = ()
    owners: tuple[OwnerReference, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def deleting(self) -> bool:
        """Whether somebody asked for the object to go."""
        return self.deleted is not None

    @property
    def requested_at(self) -> str:
        """The value of the annotation that asks for another look; empty without one."""
        return self.annotations.get(REQUESTED_AT, "")[:1024]  # what status.lastHandledReconcileAt holds

    def owned_by(self, uid: str) -> bool:
        """Whether the object with this uid is an owner."""
        return any(owner.uid == uid for owner in self.owners)

    def owner_reference(self, kind: Kind) -> dict[str, Any]:
        """What an object of which this one, of that kind, is the controller has in `metadata.ownerReferences`."""
        return {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    @classmethod
    def of(cls, obj: Object) -> Meta:
        """Read the metadata of an object."""
        meta = obj.get("metadata") or {}
        return cls(
            name=meta.get("name", ""),
            namespace=meta.get("namespace") or "",
            uid=meta.get("uid", ""),
            resource_version=meta.get("resourceVersion", ""),
            generation=meta.get("generation", 0),
            created=parse_time(meta.get("creationTimestamp")),
            deleted=parse_time(meta.get("deletionTimestamp")),
            finalizers=tuple(meta.get("finalizers") or ()),
            owners=tuple(
                OwnerReference(
                    ref.get("kind", ""),
                    ref.get("name", ""),
                    ref.get("uid", ""),
                    bool(ref.get("controller")),
                )
                for ref in meta.get("ownerReferences") or ()
            ),
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
        )
