"""Dropping what a schema does not know, and filling in what it defaults.

Copy on write: what does not change is shared with the argument. Each function takes the `old` value too, which went
through all three before: what the new value shares with it is left alone.
Source: Kubernetes, "Field pruning" and "Defaulting" of CustomResourceDefinitions.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from controller.local.core.structural import META_FIELDS, Node

_NOTHING: Mapping[str, Any] = {}


def prune(
    value: Any,
    node: Node | None,
    dropped: list[str],
    path: str = "",
    *,
    old: Any = None,
    embedded: bool = False,
    keep: bool = False,
) -> Any:
    """`value` without unknown fields, whose paths go to `dropped`.

    `embedded`: a whole object stands here, whose apiVersion, kind and metadata always stay. `keep`: unknown fields
    stay too, in this object (not below), as in the items of a list that preserves unknown fields.
    """
    if value is old:
        return value
    keep = keep or (node is not None and node.preserve)
    if isinstance(value, dict):
        return _prune_object(value, node, dropped, path, old, embedded, keep)
    if isinstance(value, list):
        item = node.items if node is not None else None
        if item is None and keep:
            return value
        inside = item is not None and item.embedded
        return _each(value, [
            prune(each, item, dropped, f"{path}[{index}]", old=before, embedded=inside, keep=keep)
            for index, (each, before) in enumerate(_paired(value, old))
        ])  # fmt: skip
    return value


def _prune_object(
    value: dict[str, Any],
    node: Node | None,
    dropped: list[str],
    path: str,
    old: Any,
    embedded: bool,
    keep: bool,
) -> dict[str, Any]:
    before = old if isinstance(old, dict) else _NOTHING
    changed: dict[str, Any] = {}
    gone: list[str] = []
    prefix = f"{path}." if path else ""
    for name, each in value.items():
        if embedded and name in META_FIELDS:
            continue
        child = node.of_field(name) if node is not None else None
        if child is not None:
            kept = prune(each, child, dropped, prefix + name, old=before.get(name), embedded=child.embedded)
        elif node is not None and node.additional is not None:  # false, too: validation speaks of it
            kept = prune(each, None, dropped, prefix + name, old=before.get(name))
        elif keep:
            continue
        else:
            gone.append(name)
            dropped.append(prefix + name)
            continue
        if kept is not each:
            changed[name] = kept
    if not changed and not gone:
        return value
    return {name: changed.get(name, each) for name, each in value.items() if name not in gone}


def drop_nulls(value: Any, node: Node | None, old: Any = None) -> Any:
    """`value` without the nulls that are neither allowed nor defaulted by the schema."""
    if value is old:
        return value
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else _NOTHING
        result: dict[str, Any] | None = None
        for name, each in value.items():
            child = node.of_field(name) if node is not None else None
            if each is None:
                if child is not None and not child.nullable and not _defaults(child):
                    result = dict(value) if result is None else result
                    del result[name]
            elif type(each) is dict or type(each) is list:
                kept = drop_nulls(each, child, before.get(name))
                if kept is not each:
                    result = dict(value) if result is None else result
                    result[name] = kept
        return value if result is None else result
    if isinstance(value, list):
        item = node.items if node is not None else None
        return _each(value, [drop_nulls(each, item, before) for each, before in _paired(value, old)])
    return value


def default(value: Any, node: Node, old: Any = None) -> Any:
    """`value` with defaults where a field is missing, or null in a field that may not be."""
    if value is old:
        return value
    if isinstance(value, dict):
        before = old if isinstance(old, dict) else _NOTHING
        changed: dict[str, Any] = {}
        for name, child in node.properties.items():
            if name not in value:
                if _defaults(child):
                    changed[name] = default(copy.deepcopy(child.default), child)
                continue
            each = value[name]
            if each is None:
                if not child.nullable and _defaults(child):
                    changed[name] = default(copy.deepcopy(child.default), child)
            elif type(each) is dict or type(each) is list:
                filled = default(each, child, before.get(name))
                if filled is not each:
                    changed[name] = filled
        rest = node.additional_node
        if rest is not None:
            for name, each in value.items():
                if name not in node.properties:
                    filled = _element(each, rest, before.get(name))
                    if filled is not each:
                        changed[name] = filled
        return {**value, **changed} if changed else value
    if isinstance(value, list) and node.items is not None:
        return _each(value, [_element(each, node.items, before) for each, before in _paired(value, old)])
    return value


def _element(value: Any, node: Node, old: Any) -> Any:
    if value is None and not node.nullable and _defaults(node):
        value = copy.deepcopy(node.default)
    return default(value, node, old)


def _defaults(node: Node) -> bool:
    return node.has_default and node.default is not None


def _paired(value: list[Any], old: Any) -> Iterable[tuple[Any, Any]]:
    """Items with the old items in their places."""
    before = old if isinstance(old, list) else []
    return zip(value, [*before[: len(value)], *[None] * (len(value) - len(before))], strict=True)


def _each(before: list[Any], after: list[Any]) -> list[Any]:
    return before if all(new is old for new, old in zip(after, before, strict=True)) else after
