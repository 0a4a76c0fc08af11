"""A server core in memory, with a small custom resource, and short words to speak to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from controller.local.core.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, ApiCore, Request, Result
from controller.local.core.errors import ApiError
from controller.local.core.storage import Journal
from controller.local.core.watch import Event, Watch

Object = dict[str, Any]
GROUP = "test.example"
CONTENT_TYPES = {"merge": MERGE_PATCH, "json": JSON_PATCH, "apply": APPLY_PATCH}


def widget_definition(**spec: Any) -> Object:
    """The CRD of Widget: spec {colour, size=3, parts}, status {phase}, selectable by spec.colour."""
    text = {"type": "string"}
    part = {"type": "object", "properties": {"name": text, "count": {"type": "integer"}}}
    fields = {
        "colour": text,
        "size": {"type": "integer", "default": 3},
        "parts": {"type": "array", "items": part},
    }
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": fields},
            "status": {"type": "object", "properties": {"phase": text, "note": text}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.colour"}],
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version], **spec},
    }


class Cluster:
    """An `ApiCore` with a clock that one turns by hand, and its verbs with the usual arguments filled in."""

    def __init__(self, journal: Journal | None = None, root_ca: str = "", window: int = 8192) -> None:
        numbers = count(1)
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.core = ApiCore(
            clock=lambda: self.now,
            new_uid=lambda: f"uid-{next(numbers)}",
            new_suffix=lambda: f"{next(numbers):05d}",
            journal=journal,
            root_ca=root_ca,
            window=window,
        )

    def request(self, verb: Any, plural: str, name: str = "", **query: Any) -> Request:
        resources = (
            one for one in self.core.registry if one.plural == plural and one.group != "events.k8s.io"
        )
        resource = next(resources, None)
        group = query.pop("group", resource.group if resource else GROUP)
        version = query.pop("version", "v1")
        namespace = query.pop("namespace", "default" if resource is None or resource.namespaced else "")
        return replace(Request(verb, group, version, plural, namespace=namespace, name=name), **query)

    def call(self, verb: Any, plural: str, name: str = "", **query: Any) -> Result:
        return self.core.handle(self.request(verb, plural, name, **query))

    def create(self, plural: str, body: Any, **query: Any) -> Object:
        return self.call("create", plural, body=body, **query).object

    def get(self, plural: str, name: str, **query: Any) -> Object:
        return self.call("get", plural, name, **query).object

    def names(self, plural: str, **query: Any) -> list[str]:
        items = self.call("list", plural, **query).object["items"]
        return [item["metadata"]["name"] for item in items]

    def exists(self, plural: str, name: str, **query: Any) -> bool:
        return name in self.names(plural, **query)

    def update(self, plural: str, body: Object, **query: Any) -> Object:
        return self.call(
            "update", plural, query.pop("name", body["metadata"]["name"]), body=body, **query
        ).object

    def patch(self, plural: str, name: str, body: Any, kind: str = "merge", **query: Any) -> Object:
        return self.call("patch", plural, name, body=body, patch_type=CONTENT_TYPES[kind], **query).object

    def delete(self, plural: str, name: str, **query: Any) -> Object:
        return self.call("delete", plural, name, **query).object

    def watch(self, plural: str, **query: Any) -> Watch:
        return self.core.watch(self.request("watch", plural, **query))

    def refused(self, verb: Any, plural: str, name: str = "", **query: Any) -> ApiError:
        """The error that a request is answered with."""
        with pytest.raises(ApiError) as caught:
            self.call(verb, plural, name, **query)
        return caught.value

    def settle(self) -> None:
        self.core.settle(10_000)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def widget(name: str, /, metadata: Object | None = None, status: Object | None = None, **spec: Any) -> Object:
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {"name": name, **(metadata or {})},
        "spec": spec,
    }
    return body if status is None else {**body, "status": status}


def config(name: str, metadata: Object | None = None, **data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **(metadata or {})},
        "data": data,
    }


def owner(obj: Object, **more: Any) -> Object:
    """An ownerReference to `obj`."""
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        **more,
    }


def shown(events: list[Event]) -> list[tuple[str, str]]:
    """Events as (type, name)."""
    return [(event.type, event.object.get("metadata", {}).get("name", "")) for event in events]
