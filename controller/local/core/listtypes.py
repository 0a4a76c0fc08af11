"""Uniqueness in lists of type set and map.

Source: Kubernetes, "Merge strategy" of server-side apply (x-kubernetes-list-type), enforced on every write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from controller.local.core.errors import Cause, duplicate_value, invalid_value
from controller.local.core.structural import Node

Check = Callable[[Any, str, list[Cause]], None]


def compile_check(node: Node) -> Check | None:
    """The uniqueness check of `node` and all below; None where nothing there asks for one."""
    fields = {name: found for name, child in node.properties.items() if (found := compile_check(child))}
    rest = compile_check(node.additional) if isinstance(node.additional, Node) else None
    item = compile_check(node.items) if node.items is not None else None
    listed = node.list_type in ("set", "map")
    if not (fields or rest or item or listed):
        return None
    keys = tuple(sorted(node.list_keys))

    def check(value: Any, path: str, causes: list[Cause]) -> None:
        if isinstance(value, dict):
            if rest is not None:
                for name, each in value.items():
                    rest(each, f"{path}[{name}]", causes)
            for name, of_field in fields.items():
                if name in value:
                    of_field(value[name], f"{path}.{name}" if path else name, causes)
        elif isinstance(value, list):
            if node.list_type == "set":
                _unique(value, path, causes)
            elif node.list_type == "map":
                _unique_keys(value, keys, path, causes)
            if item is not None:
                for index, each in enumerate(value):
                    item(each, f"{path}[{index}]", causes)

    return check


def _unique_keys(items: list[Any], keys: tuple[str, ...], path: str, causes: list[Cause]) -> None:
    for index, item in enumerate(items):
        if item is not None and not isinstance(item, dict):
            text = "must be an object for an array of list-type map"
            causes.append(invalid_value(f"{path}[{index}]", item, text))
            return
    _unique([{key: item[key] for key in keys if key in item} if item else {} for item in items], path, causes)


def _unique(items: list[Any], path: str, causes: list[Cause]) -> None:
    """Report the second of equal items, and not the third: each value once."""
    seen: dict[Any, int] = {}
    for index, item in enumerate(items):
        identity = (type(item), item) if isinstance(item, (str, int, float, bool)) else _canonical(item)
        seen[identity] = seen.get(identity, 0) + 1
        if seen[identity] == 2:
            causes.append(duplicate_value(f"{path}[{index}]", item))


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
