"""What a CEL rule sees of a value: its fields by their CEL names, dates and durations as such, numbers as doubles.

Handing an object to the `cel` library costs more than evaluating, so that a view is cut to the fields that are read.
Source: Kubernetes, "Validation rules", the mapping of OpenAPI types to CEL types.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.local.core.cel_types import escape
from controller.local.core.structural import META_FIELDS, Node

Fields = dict[str, Any]
"""Which fields of a value an expression reads: name -> Fields; None as a whole means all of it."""

View = Callable[[Any, "Fields | None"], Any]
"""What CEL sees of a value of one schema node, cut to the fields read."""


def compile_view(node: Node, *, root: bool = False) -> View:
    """How CEL sees values of `node`: fields by their escaped names, dates and durations as such, numbers as doubles.

    At the root of an object, only apiVersion, kind, metadata.name and metadata.generateName stand beside the schema's
    own fields.
    """
    convert = _conversion(node)
    renamed = {escaped: name for name in node.properties if (escaped := escape(name)) not in (None, name)}
    fields = {name: compile_view(child, root=child.embedded) for name, child in node.properties.items()}

    def view(value: Any, reads: Fields | None) -> Any:
        if isinstance(value, dict) and (reads is not None or root):
            wanted = (
                reads if reads is not None else dict.fromkeys([*fields, "apiVersion", "kind", "metadata"])
            )
            result = {}
            for name, below in wanted.items():
                actual = renamed.get(name, name)
                if actual not in value:
                    continue
                each = value[actual]
                if root and actual == "metadata" and isinstance(each, dict):
                    each = {key: each[key] for key in ("name", "generateName") if key in each}
                child = fields.get(actual)
                if child is not None and not (root and actual in META_FIELDS):
                    result[name] = child(each, below)
                elif below is not None and isinstance(each, dict):
                    result[name] = _cut(each, below)
                elif node.additional_node is not None and (inner := _conversion(node.additional_node)):
                    result[name] = inner(each)
                else:
                    result[name] = each
            return result
        return value if convert is None else convert(value)

    return view


def _cut(value: dict[str, Any], reads: Fields) -> dict[str, Any]:
    return {
        name: _cut(value[name], below) if below is not None and isinstance(value[name], dict) else value[name]
        for name, below in reads.items() if name in value
    }  # fmt: skip


def _conversion(node: Node) -> Callable[[Any], Any] | None:
    """The change that values of `node` need before CEL sees them; None where they need none."""
    form = node.raw.get("format", "")
    if node.type == "number":
        return lambda value: float(value) if type(value) is int else value
    if node.type == "string" and form in _PARSED:
        parse = _PARSED[form]
        return lambda value: parse(value) if isinstance(value, str) else value
    if node.items is not None:
        item = _conversion(node.items)
        if item is not None:
            return lambda value: [item(each) for each in value] if isinstance(value, list) else value
        return None
    rest = _conversion(node.additional) if isinstance(node.additional, Node) else None
    fields = {
        name: (spelled if spelled is not None else name, found)
        for name, child in node.properties.items()
        for spelled, found in [(escape(name), _conversion(child))]
        if found is not None or spelled != name
    }  # fmt: skip
    if not fields and rest is None:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = {}
        for name, each in value.items():
            spelled, found = fields.get(name, (name, None if name in node.properties else rest))
            result[spelled] = each if found is None else found(each)
        return result

    return convert


def _timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _duration(text: str) -> timedelta:
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


_PARSED: Mapping[str, Callable[[str], Any]] = {
    "date-time": _timestamp, "datetime": _timestamp, "date": _timestamp, "duration": _duration,
    "byte": base64.b64decode,
}  # fmt: skip
