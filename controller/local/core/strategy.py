"""What a kind does differently from the others when it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.local.core import lifecycle, names
from controller.local.core.builtin_rules import default_builtin, validate_builtin
from controller.local.core.errors import Cause
from controller.local.core.resources import RBAC, Resource, StorageKey
from controller.local.core.storage import Object


class Strategy:
    """The behaviour of ordinary kinds. Objects that methods return are fresh or unchanged arguments."""

    def name_errors(self, resource: Resource, /) -> Callable[[str], Sequence[str]]:
        return names.path_segment_errors if resource.group == RBAC else names.subdomain_errors

    def default(self, resource: Resource, obj: Object, /) -> Object:
        """`obj` as sent, with what the kind fills in."""
        return obj if resource.custom else default_builtin(resource, obj)

    def prepare_create(self, resource: Resource, obj: Object, /) -> Object:
        """`obj` without what a creator may not set."""
        if resource.has_status and "status" in obj:
            return {key: value for key, value in obj.items() if key != "status"}
        return obj

    def prepare_update(self, resource: Resource, obj: Object, live: Object, subresource: str, /) -> Object:
        """`obj` with everything taken from `live` that this endpoint does not change."""
        if subresource == "status":
            metadata = dict(live["metadata"])
            metadata.pop("managedFields", None)
            if "managedFields" in obj["metadata"]:
                metadata["managedFields"] = obj["metadata"]["managedFields"]
            return with_field({**live, "metadata": metadata}, "status", obj)
        return with_field(obj, "status", live) if resource.has_status else obj

    def validate(self, resource: Resource, obj: Object, live: Object | None, /) -> list[Cause]:
        """What is wrong with `obj` beyond its schema and metadata."""
        return [] if resource.custom else validate_builtin(resource, obj, live)

    def released(self, obj: Object) -> bool:
        """Whether a terminating object may go."""
        return lifecycle.released(obj["metadata"])

    def marked(self, obj: Object, now: str, finalizers: Sequence[str]) -> Object:
        """`obj` as terminating, waiting for `finalizers`."""
        return {**obj, "metadata": lifecycle.marked(obj["metadata"], now, finalizers)}

    def may_delete(self, _obj: Object, /) -> None:
        """Raises ApiError 403 where this object can never be deleted."""

    def holds(self, _obj: Object, /) -> bool:
        """Whether the object stays, terminating, even where it has no finalizer."""
        return False


def with_field(obj: Object, field: str, source: Object) -> Object:
    """`obj` with one top-level field as in `source`, or without it if `source` has none."""
    if obj.get(field) is source.get(field):
        return obj
    if field in source:
        return {**obj, field: source[field]}
    return {key: value for key, value in obj.items() if key != field}


Strategies = dict[StorageKey, Strategy]
ORDINARY = Strategy()
