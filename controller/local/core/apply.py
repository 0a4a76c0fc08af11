"""Server-side apply and the tracking of field owners (metadata.managedFields), as pure functions.

An owner is (manager, operation, apiVersion, subresource). Objects go in whole, with metadata.managedFields; the
result is a new object whose metadata.managedFields is as the real server writes it. resourceVersion, generation
and the other system metadata are the caller's.

Source: Kubernetes, "Server-Side Apply"; KEP-555; sigs.k8s.io/structured-merge-diff/merge.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from controller.local.core import managed, typecheck, typed
from controller.local.core.equality import same
from controller.local.core.errors import ApiError, Cause, apply_conflict, bad_request
from controller.local.core.fieldset import FieldSet, Path, spell
from controller.local.core.managed import Entry, Managers, Owner
from controller.local.core.shape import Shape
from controller.local.core.typed import Comparison

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
BEFORE_FIRST_APPLY = "before-first-apply"

_NEVER_OWNED = FieldSet.of(
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                "managedFields", "resourceVersion",
            )
        ),
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Conflict:
    owner: Owner
    path: Path


class _Conflicts(Exception):
    def __init__(self, conflicts: list[_Conflict]) -> None:
        super().__init__()
        self.conflicts = conflicts


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    *,
    manager: str,
    force: bool,
    shape: Shape,
    time: str,
    subresource: str = "",
    reset: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The object after `manager` applies the configuration `applied` onto `live` (None: it does not exist yet).

    `shape` comes from `Structural.shape` or `Shape.of(openapi schema)`; `time` is RFC 3339, for new entries;
    `reset`: top-level fields that this endpoint ignores ("status" on the main endpoint of a resource with the
    status subresource, "spec" and "metadata" on /status), which are taken from `live` and not owned by the manager.

    Raises ApiError 409 Conflict (causes FieldManagerConflict) where another owner has a different value in an
    applied field and `force` is false, 400 where `applied` has metadata.managedFields set, and 500, as the real
    server, where `applied` does not fit `shape`.
    """
    if _meta(applied).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    version = str(applied.get("apiVersion", ""))
    before: dict[str, Any] = live if live is not None else _nothing(applied)
    try:
        managers = managed.read(_meta(before).get("managedFields"))
    except ValueError as error:
        raise ApiError(500, "InternalError", f"failed to decode managed fields: {error}") from error
    _check_typed(applied, shape, "patch")
    ignored = FieldSet.of((f"f:{name}",) for name in reset)
    who = managed.owner(manager, "Apply", version, subresource)
    try:
        if not managers and live is not None:
            managers = _tracked(
                _nothing(applied), before, {}, managed.owner(BEFORE_FIRST_APPLY, "Update", version, subresource),
                version=version, shape=shape, time=time, ignored=ignored,
            )  # fmt: skip
        merged, managers = _apply(before, applied, managers, who, version, force, shape, ignored)
    except typecheck.Mistyped:
        _check_typed(before, shape, "live", duplicates=True)
        raise
    except _Conflicts as found:
        allowed = _client_side_applied(before, version, shape) if manager == "kubectl" else None
        left = [each for each in found.conflicts if allowed is None or each.path not in allowed]
        if left:
            raise _conflict_error(left) from None
        merged, managers = _apply(before, applied, managers, who, version, True, shape, ignored)
    changed = not same(before, merged)
    managers = _stripped(managers, who)
    if changed and who in managers:
        managers[who] = replace(managers[who], time=time)
    if reset:
        merged = _restored(merged, live or {}, reset)
    if manager == "kubectl":
        merged = _with_last_applied(merged, applied)
    return _with_managers(merged, managers)


def track_update(
    live: dict[str, Any] | None,
    new: dict[str, Any],
    *,
    manager: str,
    shape: Shape,
    time: str,
    subresource: str = "",
    reset: frozenset[str] = frozenset(),
    blank: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`new` (result of a create, replace or patch of `live`) with metadata.managedFields brought up to date:
    `manager` owns by Update what differs from `live`, and others lose what it changed.

    managedFields written in `new` by the user replaces that of `live`; `[{}]` resets it, `[]` says nothing.
    Malformed entries of a user make the server fall back to those of `live`. `blank`: what an object of this
    kind shows before anybody sets a field; where `live` is None, only what differs from it is owned.
    """
    before: dict[str, Any] = live if live is not None else {**_nothing(new), **(blank or {})}
    known = _meta(before).get("managedFields")
    managers = _lenient(known) if subresource else _of_request(_meta(new).get("managedFields"), known)
    version = str(new.get("apiVersion", ""))
    bare = _with_managers(new, {})
    if not managers and live is not None:
        return bare  # nobody tracks this object until somebody applies to it
    ignored = FieldSet.of((f"f:{name}",) for name in reset)
    who = managed.owner(manager, "Update", version, subresource)
    try:
        managers = _tracked(
            before, bare, managers, who, version=version, shape=shape, time=time, ignored=ignored
        )
    except typecheck.Mistyped:
        # The server, too, keeps the owners it had where a value does not fit its schema; validation comes later.
        return _with_entries(new, known)
    return _with_managers(bare, managers)


def _apply(
    live: dict[str, Any],
    applied: dict[str, Any],
    managers: Managers,
    who: Owner,
    version: str,
    force: bool,
    shape: Shape,
    ignored: FieldSet,
) -> tuple[dict[str, Any], Managers]:
    managers = _reconciled(managers, shape)
    merged = typed.merge(live, applied, shape)
    last = managers.get(who)
    result = dict(managers)
    owned = typed.field_set(applied, shape).without(ignored)
    result[who] = Entry(owned, version, last.time if last is not None else "")
    if last is not None and last.fields:
        merged = _pruned(merged, result, last.fields, shape)
    result, _ = _disowned(live, merged, result, who, force, shape, ignored)
    return merged, result


def _pruned(merged: Any, managers: Managers, last: FieldSet, shape: Shape) -> Any:
    """Without what the manager applied last time and nobody owns now."""
    owned = managed.union(entry.fields for entry in managers.values())
    if not last - owned:
        return merged
    last, owned = last.with_named(shape), owned.with_named(shape)
    pruned = typed.remove(merged, last, shape)
    everything = typed.field_set(merged, shape).with_named(shape)
    pruned = typed.remove(
        merged, everything - (typed.field_set(pruned, shape).with_named(shape) | owned), shape
    )
    gone = everything - typed.field_set(pruned, shape).with_named(shape)
    return typed.remove(merged, gone & last, shape)


def _tracked(
    live: dict[str, Any],
    new: dict[str, Any],
    managers: Managers,
    who: Owner,
    *,
    version: str,
    shape: Shape,
    time: str,
    ignored: FieldSet,
) -> Managers:
    """Owners after an update of `live` to `new` by `who`."""
    actor = Owner("\0current-operation", "Update", version, who.subresource)
    result, comparison = _disowned(live, new, _reconciled(managers, shape), actor, True, shape, ignored)
    gained = (comparison.modified | comparison.added).without(ignored) - _NEVER_OWNED
    if gained:
        previous = result.get(who)
        fields = gained | previous.fields if previous is not None else gained
        result[who] = Entry(fields, version, time)
    return managed.capped(result)


def _disowned(
    live: dict[str, Any],
    new: dict[str, Any],
    managers: Managers,
    who: Owner,
    force: bool,
    shape: Shape,
    ignored: FieldSet,
) -> tuple[Managers, Comparison]:
    """Owners but `who` lose what changed. Raises _Conflicts where they must not and `force` is false."""
    comparison = typed.compare(live, new, shape).without(ignored)
    changed = comparison.modified | comparison.added
    taken = {other: entry.fields & changed for other, entry in managers.items() if other != who}
    if not force and any(taken.values()):
        ordered = sorted(taken, key=Owner.identifier)
        raise _Conflicts([
            _Conflict(_seen(other, managers[other]), path) for other in ordered for path in taken[other]
        ])  # fmt: skip
    result: Managers = {}
    for other, entry in managers.items():
        fields = entry.fields
        if other != who:
            fields = fields - taken[other] - comparison.removed
        if fields:
            result[other] = entry if fields is entry.fields else replace(entry, fields=fields)
    return result, comparison


def _seen(who: Owner, entry: Entry) -> Owner:
    return who._replace(api_version=entry.api_version) if who.operation == "Update" else who


def _reconciled(managers: Managers, shape: Shape) -> Managers:
    """Owners' fields as a changed schema sees them: what became atomic is owned as a whole."""
    result = {}
    for who, entry in managers.items():
        fields = _as_atomic(entry.fields, shape)
        result[who] = entry if fields is entry.fields else replace(entry, fields=fields)
    return result


def _as_atomic(fields: FieldSet, shape: Shape) -> FieldSet:
    if not fields.children:
        return fields
    members, children, changed = set(fields.members), {}, False
    for element, child in fields.children.items():
        inner = shape.item
        if element.startswith("f:"):
            inner = shape.of_field(element[2:])
        if inner is None or not (inner.mapped or inner.listed) or inner.scalar:
            children[element] = child  # unknown to the schema, or of no declared type
        elif (inner.mapped or "atomic") == "atomic" and (inner.listed or "atomic") == "atomic":
            members.add(element)
            changed = True
        else:
            children[element] = _as_atomic(child, inner)
            changed = changed or children[element] is not child
    return FieldSet(members, children) if changed else fields


def _stripped(managers: Managers, who: Owner) -> Managers:
    entry = managers.get(who)
    if entry is None:
        return managers
    fields = entry.fields - _NEVER_OWNED
    result = {**managers, who: replace(entry, fields=fields)}
    if not fields:
        del result[who]
    return result


def _client_side_applied(live: dict[str, Any], version: str, shape: Shape) -> FieldSet | None:
    """What `kubectl apply` without --server-side last set and nobody changed since; None where it never did."""
    text = (_meta(live).get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return None
    try:
        config = json.loads(text)
        if not isinstance(config, dict) or config.get("apiVersion") != version:
            return None
        typecheck.check_type(config, shape)
        typecheck.check_type(live, shape)
        comparison = typed.compare(config, live, shape)
        return typed.field_set(config, shape) - comparison.modified - comparison.added - comparison.removed
    except ValueError:
        return None  # an annotation that cannot be read allows nothing


def _with_last_applied(merged: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """kubectl's annotation kept in step, where there is one, so that client-side apply can take over again."""
    annotations = _meta(merged).get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return merged
    metadata = dict(_meta(applied))
    if "annotations" in metadata:
        kept = {name: text for name, text in (metadata["annotations"] or {}).items() if name != LAST_APPLIED}
        metadata.pop("annotations")
        if kept:
            metadata["annotations"] = kept
    text = json.dumps(
        {**applied, "metadata": metadata}, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    text = text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}) + "\n"
    return {**merged, "metadata": {**_meta(merged), "annotations": {**annotations, LAST_APPLIED: text}}}


def _conflict_error(conflicts: list[_Conflict]) -> ApiError:
    causes = [
        Cause("FieldManagerConflict", spell(each.path), f"conflict with {each.owner}") for each in conflicts
    ]
    if len(conflicts) == 1:
        only = conflicts[0]
        return apply_conflict(
            f"Apply failed with 1 conflict: conflict with {only.owner}: {spell(only.path)}", causes
        )
    lines = []
    for who in dict.fromkeys(each.owner for each in conflicts):
        lines.append(f"conflicts with {who}:")
        lines += [f"- {spell(each.path)}" for each in conflicts if each.owner == who]
    return apply_conflict(f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines), causes)


def _check_typed(value: dict[str, Any], shape: Shape, role: str, *, duplicates: bool = False) -> None:
    try:
        typecheck.check_type(value, shape, duplicates=duplicates)
    except typecheck.Mistyped as error:
        metadata = _meta(value)
        namespace, name = metadata.get("namespace", ""), metadata.get("name", "")
        group, _, version = str(value.get("apiVersion", "")).rpartition("/")
        kind = f"{group}/{version}, Kind={value.get('kind', '')}"
        text = f"failed to create typed {role} object ({namespace}/{name}; {kind}): {error}"
        raise ApiError(500, "", text) from error


def _meta(obj: dict[str, Any]) -> dict[str, Any]:
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _nothing(like: dict[str, Any]) -> dict[str, Any]:
    return {name: like[name] for name in ("apiVersion", "kind") if name in like}


def _restored(merged: dict[str, Any], live: dict[str, Any], reset: frozenset[str]) -> dict[str, Any]:
    result = {name: value for name, value in merged.items() if name not in reset}
    return result | {name: live[name] for name in reset if name in live}


def _lenient(entries: Any) -> Managers:
    try:
        return managed.read(entries)
    except ValueError:
        return {}  # as the server: owners that cannot be read are forgotten


def _of_request(sent: Any, known: Any) -> Managers:
    if managed.is_reset(sent):
        return {}
    try:
        managers = managed.read(sent)
    except ValueError:
        managers = {}
    return managers or _lenient(known)


def _with_managers(obj: dict[str, Any], managers: Managers) -> dict[str, Any]:
    return _with_entries(obj, managed.write(managers))


def _with_entries(obj: dict[str, Any], entries: Any) -> dict[str, Any]:
    metadata = {name: value for name, value in _meta(obj).items() if name != "managedFields"}
    if entries:
        metadata["managedFields"] = entries
    return {**obj, "metadata": metadata} if metadata or "metadata" in obj else obj
