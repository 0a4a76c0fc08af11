"""The numbers that /scale shows, where a definition says they stand in its objects."""

from __future__ import annotations

from typing import Any

from controller.local.core import errors
from controller.local.core.errors import Cause
from controller.local.core.resources import Resource
from controller.local.core.typecheck import go_words

_LARGEST = 2**31 - 1
_GO_TYPES = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "float64",
    list: "[]interface {}",
    type(None): "<nil>",
}


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
    for name in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"):
        path, where = parts(resource, name), resource.scale.get(name, "")
        if not path or (name.startswith("spec") and subresource == "status"):
            continue
        blank: int | str = "" if name == "labelSelectorPath" else 0
        if (barrier := _barrier(obj, path)) is not None:
            causes.append(errors.invalid_value(where, blank, barrier))
        elif blank == 0:
            causes += _number_problems(find(obj, path), where)
    return causes


def _barrier(obj: Any, path: list[str]) -> str | None:
    """What is in the way of the path: something on it that is no map."""
    for depth, part in enumerate(path):
        if obj is None:
            return None
        if not isinstance(obj, dict):
            way = "." + ".".join(path[: depth + 1])
            return f"{way} accessor error: {_told(obj)}, expected map[string]interface{{}}"
        obj = obj.get(part)
    return None


def _number_problems(value: Any, where: str) -> list[Cause]:
    if value is None:
        return []
    if type(value) is not int:
        return [errors.invalid_value(where, 0, f"{where} accessor error: {_told(value)}, expected int64")]
    if value < 0:
        return [errors.invalid_value(where, value, "should be a non-negative integer")]
    if value > _LARGEST:
        return [errors.invalid_value(where, value, f"should be less than or equal to {_LARGEST}")]
    return []


def _told(value: Any) -> str:
    kind = _GO_TYPES.get(type(value), "map[string]interface {}")
    return f"{go_words(value)} is of the type {kind}"
