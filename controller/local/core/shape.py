"""What server-side apply needs to know of a type: which lists are maps, sets or atomic, which maps are atomic."""

from __future__ import annotations

from typing import Any


class Shape:
    """The merge structure of a value, derived from an OpenAPI schema with x-kubernetes-list-type, -list-map-keys
    and -map-type. Where a schema says nothing, maps merge by field and lists are atomic."""

    @classmethod
    def of(cls, schema: dict[str, Any] | None) -> Shape:
        """The shape of a whole object (apiVersion, kind, metadata included) with OpenAPI `schema`; None: unknown
        fields all over (deduced from the value). `metadata` always has ObjectMeta's shape."""
        raise NotImplementedError
