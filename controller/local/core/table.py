"""meta.k8s.io/v1 Table: what `kubectl get` prints, from printer columns or, for built-in kinds, from code.

As in the real server, ages are put into words here (`5m`), so the text is true at `now` and no longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from controller.local.core.errors import bad_request
from controller.local.core.jsonpath import Path, compile_path, print_value
from controller.local.core.resources import PrinterColumn, Resource

Object = Mapping[str, Any]
Cells = Callable[[Object, datetime], list[Any]]
"""From an object and the time to its cells."""

UNKNOWN = "<unknown>"
INVALID = "<invalid>"

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)")
_NAME = PrinterColumn(
    "Name", "string", ".metadata.name", "Name of the object, unique in its namespace.", "name"
)
_AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the server stored the object.")
_CREATED = PrinterColumn(
    "Created At", "date", ".metadata.creationTimestamp", "When the server stored the object."
)


def table(
    resource: Resource,
    shown: Object,
    *,
    now: datetime,
    include_object: str = "Metadata",
    headers: bool = True,
    version: str = "v1",
) -> dict[str, Any]:
    """The Table of `shown`: one object, or a list object.

    `include_object` is the request's includeObject: None, Metadata or Object (else ApiError 400; empty means
    Metadata). `headers=False` sends columnDefinitions as null: the edge passes it for every event of a watch
    but the first, as the real server does. `version` is the `v=` of the Accept header: v1 or v1beta1.
    A bookmark's object becomes a Table of one row like any other.
    """
    include_object = include_object or "Metadata"
    if include_object not in ("None", "Metadata", "Object"):
        raise bad_request(
            "Unable to convert to Table as requested: includeObject: Invalid value: "
            f"\"{include_object}\": must be 'Metadata', 'Object', 'None', or empty"
        )
    layout = _layout(resource)
    listed = shown.get("kind") == resource.list_kind and isinstance(shown.get("items"), list)
    metadata = shown.get("metadata") or {}
    kept = ("resourceVersion", "continue", "remainingItemCount") if listed else ("resourceVersion",)
    api_version = f"meta.k8s.io/{version}"
    return {
        "kind": "Table",
        "apiVersion": api_version,
        "metadata": {key: metadata[key] for key in kept if metadata.get(key)},
        "columnDefinitions": layout.definitions if headers else None,
        "rows": [
            {
                "cells": layout.cells(member, now),
                "object": _attached(member, include_object, api_version),
            }
            for member in (shown["items"] if listed else [shown])
        ],
    }


def human_duration(seconds: float) -> str:
    """Seconds as kubectl prints ages: `5m`, `3h12m`, `2d4h`; `<invalid>` for the future.

    Source: k8s.io/apimachinery/pkg/util/duration HumanDuration (two seconds of clock skew are forgiven).
    """
    whole = int(seconds)
    if whole < 0:
        return "0s" if whole == -1 else INVALID
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, unit: str, small: int, subunit: str) -> str:
    return f"{large}{unit}{small}{subunit}" if small else f"{large}{unit}"


@dataclass(frozen=True, slots=True)
class _Layout:
    definitions: list[dict[str, Any]]
    cells: Cells


def _layout(resource: Resource) -> _Layout:
    if resource.custom:
        return _custom_layout(resource.columns or (_AGE,))
    return _BUILTIN.get((resource.group, resource.plural), _DEFAULT)


def _attached(member: Object, include_object: str, api_version: str) -> Object | None:
    metadata = member.get("metadata") or {}
    if include_object == "Object":
        return member
    if include_object == "None" and metadata.get("name"):  # a bookmark keeps its annotations
        return None
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata}


def _definition(column: PrinterColumn) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description
        or f"Custom resource definition column (in JSONPath format): {column.json_path}",
        "priority": column.priority,
    }


# ---------------------------------------------------------------- custom resources


@lru_cache(maxsize=256)
def _custom_layout(columns: tuple[PrinterColumn, ...]) -> _Layout:
    readers = [(compile_path(column.json_path), column.type) for column in columns]

    def cells(member: Object, now: datetime) -> list[Any]:
        name = (member.get("metadata") or {}).get("name", "")
        return [name, *(_cell(path, kind, member, now) for path, kind in readers)]

    return _Layout([_definition(column) for column in (_NAME, *columns)], cells)


def _cell(path: Path, kind: str, member: Object, now: datetime) -> Any:
    """One value in the column's type, None (printed as nothing) where it is absent or of another type."""
    found = path.find(member)
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "string":
        return print_value(value)
    if kind == "date":
        return age(value, now) if isinstance(value, str) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else value


def age(timestamp: Any, now: datetime) -> str:
    """How long `timestamp` (RFC 3339) is past, as a table shows it."""
    if not timestamp:
        return UNKNOWN
    match = _RFC3339.fullmatch(timestamp)
    if match is None:
        return INVALID
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(
            f"{day}T{clock}{(fraction or '').ljust(7, '0') if fraction else ''}{zone}"
        )
    except ValueError:
        return INVALID
    return human_duration((now - moment).total_seconds())


# ---------------------------------------------------------------- built-in kinds


def _builtin(columns: Iterable[PrinterColumn], cells: Cells) -> _Layout:
    return _Layout([_definition(column) for column in columns], cells)


def _text(name: str, description: str, *, wide: bool = False, form: str = "") -> PrinterColumn:
    return PrinterColumn(name, "string", "", description, form, int(wide))


def _name(member: Object) -> str:
    name: str = (member.get("metadata") or {}).get("name", "")
    return name


def _age(member: Object, now: datetime) -> str:
    return age((member.get("metadata") or {}).get("creationTimestamp"), now)


def _created(member: Object, _: datetime) -> list[Any]:
    return [_name(member), (member.get("metadata") or {}).get("creationTimestamp", UNKNOWN)]


def _namespace(member: Object, now: datetime) -> list[Any]:
    return [_name(member), (member.get("status") or {}).get("phase", ""), _age(member, now)]


def _config_map(member: Object, now: datetime) -> list[Any]:
    count = len(member.get("data") or ()) + len(member.get("binaryData") or ())
    return [_name(member), count, _age(member, now)]


def _secret(member: Object, now: datetime) -> list[Any]:
    return [_name(member), member.get("type", ""), len(member.get("data") or ()), _age(member, now)]


def _service_account(member: Object, now: datetime) -> list[Any]:
    return [_name(member), len(member.get("secrets") or ()), _age(member, now)]


def _lease(member: Object, now: datetime) -> list[Any]:
    return [_name(member), (member.get("spec") or {}).get("holderIdentity") or "", _age(member, now)]


def _binding(member: Object, now: datetime) -> list[Any]:
    role = member.get("roleRef") or {}
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in member.get("subjects") or ():
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount" and subject.get("namespace"):
            name = f"{subject['namespace']}/{name}"
        subjects.setdefault(subject.get("kind", ""), []).append(name)
    shown = [", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [_name(member), f"{role.get('kind', '')}/{role.get('name', '')}", _age(member, now), *shown]


def _event(member: Object, now: datetime) -> list[Any]:
    """Core events, and events.k8s.io ones by their other names of the same fields."""
    target = member.get("involvedObject") or member.get("regarding") or {}
    series = member.get("series") or {}
    source = member.get("source") or member.get("deprecatedSource") or {}
    reporter = member.get("reportingComponent") or member.get("reportingController") or ""
    first = age(
        member.get("firstTimestamp") or member.get("deprecatedFirstTimestamp") or member.get("eventTime"), now
    )
    last_time = member.get("lastTimestamp") or member.get("deprecatedLastTimestamp")
    last = age(last_time, now) if last_time else first
    count = member.get("count") or member.get("deprecatedCount") or 1
    if series:
        last, count = age(series.get("lastObservedTime"), now), series.get("count", 0)
    reported = (
        source.get("component") or reporter,
        source.get("host") or member.get("reportingInstance") or "",
    )
    kind, name = (target.get("kind") or "").lower(), target.get("name") or ""
    return [
        last,
        member.get("type") or "",
        member.get("reason") or "",
        f"{kind}/{name}" if name else kind,
        target.get("fieldPath") or "",
        ", ".join(part for part in reported if part),
        (member.get("message") or member.get("note") or "").strip(),
        first,
        count,
        _name(member),
    ]


_AGE_TEXT = _text("Age", _AGE.description)
_DEFAULT = _builtin((_NAME, _CREATED), _created)
_DATA = _text("Data", "How many keys it has.")
_BINDING = _builtin(
    (
        _NAME,
        _text("Role", "The role that is given."),
        _AGE_TEXT,
        _text("Users", "Users who get it.", wide=True),
        _text("Groups", "Groups that get it.", wide=True),
        _text("ServiceAccounts", "Service accounts that get it.", wide=True),
    ),
    _binding,
)
_EVENT = _builtin(
    (
        _text("Last Seen", "Time since it last happened."),
        _text("Type", "Normal or Warning."),
        _text("Reason", "What happened, in one word."),
        _text("Object", "The object it happened to."),
        _text("Subobject", "The part of the object that is meant.", wide=True),
        _text("Source", "Who reports it.", wide=True),
        _text("Message", "What happened."),
        _text("First Seen", "Time since it first happened.", wide=True),
        _text("Count", "How often it happened.", wide=True),
        _text("Name", _NAME.description, wide=True, form="name"),
    ),
    _event,
)
_RBAC = "rbac.authorization.k8s.io"
_BUILTIN = {
    ("", "namespaces"): _builtin((_NAME, _text("Status", "Active or Terminating."), _AGE_TEXT), _namespace),
    ("", "configmaps"): _builtin((_NAME, _DATA, _AGE_TEXT), _config_map),
    ("", "secrets"): _builtin((_NAME, _text("Type", "What the secret is for."), _DATA, _AGE_TEXT), _secret),
    ("", "serviceaccounts"): _builtin(
        (_NAME, _text("Secrets", "How many secrets it names."), _AGE_TEXT), _service_account
    ),
    ("", "events"): _EVENT,
    ("events.k8s.io", "events"): _EVENT,
    ("coordination.k8s.io", "leases"): _builtin(
        (_NAME, _text("Holder", "Who holds the lease."), _AGE_TEXT), _lease
    ),
    (_RBAC, "rolebindings"): _BINDING,
    (_RBAC, "clusterrolebindings"): _BINDING,
}
"""Kinds that are not here show Name and Created At, as the real server's default does."""
