"""Strategic merge patch for the built-in kinds that the local control plane serves.

Source: Kubernetes, "Update API Objects in Place Using kubectl patch"; apimachinery util/strategicpatch, whose results
and texts these are. Custom resources have no strategic merge patch.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from controller.local.core.errors import ApiError, bad_request, unsupported_media_type

ACCEPTED = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
"""What a resource without strategic merge patch takes."""

_PATCH, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


@dataclass(frozen=True, slots=True)
class Strategy:
    """How the lists in a map are patched: those in `keys` merge, by that key ("" for lists of scalars), all others
    are replaced. `fields` leads to the maps below."""

    keys: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Strategy] = field(default_factory=dict)


_NONE = Strategy()
_METADATA = Strategy(keys={"ownerReferences": "uid", "finalizers": ""})
_PLAIN = Strategy(fields={"metadata": _METADATA})
_STRATEGIES: dict[tuple[str, str], Strategy] = {
    ("", "Namespace"): Strategy(
        fields={"metadata": _METADATA, "status": Strategy(keys={"conditions": "type"})}
    ),
    ("", "ServiceAccount"): Strategy(keys={"secrets": "name"}, fields={"metadata": _METADATA}),
    **dict.fromkeys((("", "ConfigMap"), ("", "Secret"), ("", "Event"), ("events.k8s.io", "Event")), _PLAIN),
    ("coordination.k8s.io", "Lease"): _PLAIN,
    **{
        ("rbac.authorization.k8s.io", kind): _PLAIN
        for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    },
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _PLAIN,
}


def strategic_merge(document: dict[str, Any], patch: Any, *, group: str, kind: str) -> dict[str, Any]:
    """`document` (a built-in of `group`, "" for core, and `kind`) after the strategic merge `patch`.

    Honours the kinds' merge keys and the directives $patch, $setElementOrder/x, $deleteFromPrimitiveList/x and
    $retainKeys. Raises ApiError 415 for a kind that is not built in and 400 for a malformed directive.
    """
    strategy = _STRATEGIES.get((group, kind))
    if strategy is None:
        raise unsupported_media_type(ACCEPTED)
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a strategic merge patch is an object")
    return _map(document, patch, strategy)


def _malformed(text: str) -> ApiError:
    return ApiError(500, "", text)


def _go(value: Any) -> str:
    """A value as Go's %v prints it, for the texts."""
    match value:
        case dict():
            return "map[" + " ".join(f"{name}:{_go(value[name])}" for name in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(_go, value)) + "]"
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case _:
            return str(value)


def _map(original: dict[str, Any], patch: dict[str, Any], strategy: Strategy) -> dict[str, Any]:
    directive = patch.get(_PATCH)
    if _PATCH in patch:
        if directive == "replace":
            return {name: value for name, value in patch.items() if name != _PATCH}
        if directive == "delete":
            return {}
        raise _malformed(f"unknown patch type: {directive} in map: {_go(patch)}")
    result = dict(original)
    patch = _retained(result, dict(patch))
    for name in [name for name in patch if name.startswith(_ORDER)]:
        target = name[len(_ORDER) :]
        _ordered(result, patch.pop(name), target, patch, strategy)
        patch.pop(target, None)
    for name, value in patch.items():
        if name.startswith(_DELETE):
            target = name[len(_DELETE) :]
            if isinstance(result.get(target), list) and isinstance(value, list):
                result[target] = [item for item in result[target] if item not in value]
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = _map(result[name], value, strategy.fields.get(name, _NONE))
        elif isinstance(value, list) and isinstance(result.get(name), list) and name in strategy.keys:
            result[name] = _list(result[name], value, strategy.keys[name], strategy.fields.get(name, _NONE))
        else:
            kept = _without_directives(value)
            if kept is _GONE:
                result.pop(name, None)
            else:
                result[name] = kept
    return result


def _retained(original: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Drop from `original` what $retainKeys does not list."""
    if _RETAIN not in patch:
        return patch
    keys = patch.pop(_RETAIN)
    given = [
        name for name, value in patch.items() if value is not None and not name.startswith((_ORDER, _DELETE))
    ]
    if not isinstance(keys, list) or any(name not in keys for name in given):
        raise bad_request("invalid patch format of retainKeys")
    for name in [name for name in original if name not in keys]:
        del original[name]
    return patch


_GONE: Any = object()


def _without_directives(value: Any) -> Any:
    """A patch's value for a field that was not there: without nulls and directives; _GONE where that is all."""
    if isinstance(value, dict):
        if value.get(_PATCH) == "delete":
            return _GONE
        kept = {
            name: _without_directives(each)
            for name, each in value.items()
            if each is not None and name not in (_PATCH, _RETAIN) and not name.startswith((_ORDER, _DELETE))
        }
        return {name: each for name, each in kept.items() if each is not _GONE}
    if isinstance(value, list):
        return [kept for each in value if (kept := _without_directives(each)) is not _GONE]
    return value


def _ordered(
    original: dict[str, Any], order: Any, name: str, patch: dict[str, Any], strategy: Strategy
) -> None:
    """Patch the list `name` and put its items into the `order` that the client saw."""
    if not isinstance(order, list):
        raise _malformed(f"expected a list in {_ORDER}{name}")
    key = strategy.keys.get(name, "")
    before, given = original.get(name), patch.get(name)
    if given is not None and isinstance(given, list):
        _check_order(given, order, key)
    if before is None and given is None:
        return
    if given is None:
        merged = before
    elif before is None:
        merged = _without_directives(given)
    elif name in strategy.keys:
        merged = _list(before, given, key, strategy.fields.get(name, _NONE))
    else:
        merged = given
    if isinstance(merged, list):
        original[name] = _in_order(merged, order, before or [], key)


def _check_order(given: list[Any], order: list[Any], key: str) -> None:
    listed = [_identity(item, key) for item in order]
    wanted = [
        _identity(item, key)
        for item in given
        if not (isinstance(item, dict) and item.get(_PATCH) in ("delete", "replace"))
    ]
    positions = [listed.index(item) if item in listed else -1 for item in wanted]
    if -1 in positions or positions != sorted(positions):
        raise _malformed(
            f"The order in patch list:\n{_go(given)}\n doesn't match $setElementOrder list:\n{_go(order)}\n"
        )


def _list(original: list[Any], patch: list[Any], key: str, strategy: Strategy) -> list[Any]:
    if not key:
        merged: list[Any] = []
        for item in [*original, *patch]:
            if item not in merged:
                merged.append(item)
        return _in_order(merged, patch, original, key)
    items = [item for item in patch if not (isinstance(item, dict) and _PATCH in item)]
    kept = list(original)
    for item in patch:
        if not isinstance(item, dict):
            raise _malformed(f"expected a map with merge key {key}, got {_go(item)}")
        match item.get(_PATCH):
            case None:
                continue
            case "delete":
                gone = _identity(item, key)
                kept = [each for each in kept if _identity(each, key) != gone]
            case "replace":
                return items
            case "merge":
                raise _malformed("merging lists cannot yet be specified in the patch")
            case other:
                raise _malformed(f"unknown patch type: {other} in map: {_go(item)}")
    for item in items:
        wanted = _identity(item, key)
        found = next((index for index, each in enumerate(kept) if _identity(each, key) == wanted), None)
        if found is None:
            kept.append(copy.deepcopy(item))
        else:
            kept[found] = _map(kept[found], item, strategy)
    return _in_order(kept, items, original, key)


def _identity(item: Any, key: str) -> Any:
    if not key:
        return item
    if not isinstance(item, dict) or key not in item:
        raise _malformed(f"map: {_go(item)} does not contain declared merge key: {key}")
    return item[key]


def _in_order(merged: list[Any], order: list[Any], original: list[Any], key: str) -> list[Any]:
    """Items of `order` in that order; those of the server alone before the first they preceded in `original`."""
    wanted = [_identity(item, key) for item in order]
    before = [_identity(item, key) for item in original]
    theirs = sorted(
        (item for item in merged if _identity(item, key) in wanted),
        key=lambda item: wanted.index(_identity(item, key)),
    )
    mine = [item for item in merged if _identity(item, key) not in wanted]
    result = []
    while mine and theirs:
        left, right = _identity(mine[0], key), _identity(theirs[0], key)
        first = left in before and right in before and before.index(left) < before.index(right)
        result.append((mine if first else theirs).pop(0))
    return [*result, *theirs, *mine]
