"""The life of an object's metadata: what the server sets, what a write keeps, when a finalizer holds.

Source: k8s.io/apiserver `registry/rest/`.
Functions that return metadata return a fresh dict; none changes its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from controller.local.core.resources import Resource
from controller.local.core.sharing import identical
from controller.local.core.storage import Object

Metadata = dict[str, Any]
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: the API's time format."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def created(
    metadata: Metadata,
    resource: Resource,
    *,
    namespace: str,
    uid: str,
    now: str,
) -> Metadata:
    """The metadata of a new object: system fields set, whatever the client wrote there."""
    metadata = dict(metadata)
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"):
        metadata.pop(key, None)
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if resource.generations:
        metadata["generation"] = 1
    return metadata


def updated(metadata: Metadata, live: Metadata) -> Metadata:
    """The metadata of a replacement: what only the server sets is kept, an empty uid or version means any."""
    metadata = dict(metadata)
    for key in ("generation", "creationTimestamp"):
        _keep(metadata, live, key)
    if not metadata.get("uid"):
        _keep(metadata, live, "uid")
    if "deletionTimestamp" in live:
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            _keep(metadata, live, key)
    _keep(metadata, live, "namespace")
    metadata["resourceVersion"] = live["resourceVersion"]
    return metadata


def _keep(metadata: Metadata, live: Metadata, key: str) -> None:
    if key in live:
        metadata[key] = live[key]
    else:
        metadata.pop(key, None)


def spec_changed(new: Object, live: Object, resource: Resource) -> bool:
    """Whether `generation` has to grow: for anything but metadata and, where a subresource, the status."""
    for key in new.keys() | live.keys():
        if key == "metadata" or (key == "status" and resource.has_status):
            continue
        if not identical(new.get(key), live.get(key)):
            return True
    return False


def content_changed(new: Object, live: Object) -> bool:
    """Whether anything but metadata differs: only then is the schema asked again."""
    return any(
        not identical(new.get(key), live.get(key)) for key in new.keys() | live.keys() if key != "metadata"
    )


def same(new: Object, live: Object) -> bool:
    """Whether writing `new` would change nothing; the times in managedFields do not count."""
    if new.keys() != live.keys() or content_changed(new, live):
        return False
    ours, theirs = new["metadata"], live["metadata"]
    if ours.keys() != theirs.keys():
        return False
    if any(ours[key] != theirs[key] for key in ours if key not in ("managedFields", "resourceVersion")):
        return False
    return _timeless(ours.get("managedFields", ())) == _timeless(theirs.get("managedFields", ()))


def _timeless(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]


def terminating(metadata: Metadata) -> bool:
    return "deletionTimestamp" in metadata


def released(metadata: Metadata) -> bool:
    """Whether a write leaves a terminating object without finalizers, so that it goes."""
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


def marked(metadata: Metadata, now: str, finalizers: Sequence[str]) -> Metadata:
    """The metadata of an object whose deletion was asked for and has to wait for `finalizers`."""
    first = "deletionGracePeriodSeconds" not in metadata
    metadata = dict(metadata)
    metadata.setdefault("deletionTimestamp", now)
    metadata["deletionGracePeriodSeconds"] = 0
    if first and metadata.get("generation"):
        metadata["generation"] += 1
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    else:
        metadata.pop("finalizers", None)
    return metadata
