"""The numbers that /scale shows, where a definition says they stand in its objects."""

from __future__ import annotations

from typing import Any

from controller.local.core import errors
from controller.local.core.errors import Cause
from controller.local.core.resources import Resource
from controller.local.core.typecheck import go_words

_LARGEST = 2**31 - 1
_GO_TYPES = {str: "string", bool: "bool", float: "float64", list: "[]interface {}", type(None): "<nil>"}


def parts(resource: Resource, name: str) -> list[str]:
    """`.spec.replicas` as its parts; none where the definition leaves it out. `name`: specReplicasPath, ..."""
    return [part for part in (resource.scale or {}).get(name, "").split(".") if part]


def find(obj: Any, path: list[str]) -> Any:
    """What stands at a path; None where nothing does."""
    if not path:
        return None
    for part in path:
        if not isinstance(obj, dict) or part not in obj:
            return None
        obj = obj[part]
    return obj


def problems(obj: Any, resource: Resource, subresource: str = "") -> list[Cause]:
    """What /scale could not show. On /status only what stands in the status is looked at."""
    if resource.scale is None:
        return []
    causes: list[Cause] = []
    for name in ("specReplicasPath", "statusReplicasPath"):
        if name.startswith("spec") and subresource == "status":
            continue
        path = parts(resource, name)
        value, where = find(obj, path), resource.scale.get(name, "")
        if value is None:
            continue
        if type(value) is not int:
            kind = _GO_TYPES.get(type(value), "map[string]interface {}")
            text = f"{where} accessor error: {go_words(value)} is of the type {kind}, expected int64"
            causes.append(errors.invalid_value(where, 0, text))
        elif value < 0:
            causes.append(errors.invalid_value(where, value, "should be a non-negative integer"))
        elif value > _LARGEST:
            causes.append(errors.invalid_value(where, value, f"should be less than or equal to {_LARGEST}"))
    return causes
