"""One stored object in the dress of each version that is served.

Custom resources have conversion strategy None: versions differ in `apiVersion`, and show only what their own schemas
have. Events are kept as core
events and shown as events.k8s.io events, whose fields have other names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.local.core.resources import EVENTS, Resource
from controller.local.core.storage import Object

_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
_EVENT_FIELDS_BACK = {new: old for old, new in _EVENT_FIELDS.items()}


def shown(obj: Object, resource: Resource) -> Object:
    """A stored object as clients of `resource` see it; the same object where the forms agree."""
    if obj["apiVersion"] == resource.api_version:
        return obj
    if resource.group == EVENTS:
        return _renamed(obj, _EVENT_FIELDS, resource.api_version)
    other = {**obj, "apiVersion": resource.api_version}
    return resource.schema.prune(other)[0] if resource.schema is not None else other


def stored(obj: Object, resource: Resource) -> Object:
    """What to store for an object that came through `resource`."""
    if resource.api_version == resource.storage_version:
        return obj
    if resource.group == EVENTS:
        return _renamed(obj, _EVENT_FIELDS_BACK, resource.storage_version)
    return {**obj, "apiVersion": resource.storage_version}


def converter(resource: Resource) -> Callable[[Object], Object]:
    return lambda obj: shown(obj, resource)


def _renamed(obj: Object, fields: dict[str, str], api_version: str) -> dict[str, Any]:
    return {**{fields.get(key, key): value for key, value in obj.items()}, "apiVersion": api_version}
