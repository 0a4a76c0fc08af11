"""metadata.managedFields: who owns which fields, read from an object and written back.

Source: Kubernetes, ManagedFieldsEntry; apimachinery util/managedfields.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from controller.local.core.fieldset import FieldSet

MOST_UPDATERS = 10
"""Entries of operation Update; the oldest beyond that are merged into one."""
ANCIENT = "ancient-changes"


class Owner(NamedTuple):
    """Who: a manager with the operation that it did. Apply entries are one for all versions of the API."""

    manager: str
    operation: str
    api_version: str
    subresource: str

    def identifier(self) -> str:
        """The server's own key for this owner, by which conflicts are sorted."""
        parts = {
            "manager": self.manager, "operation": self.operation, "apiVersion": self.api_version,
            "subresource": self.subresource,
        }  # fmt: skip
        return json.dumps({name: part for name, part in parts.items() if part}, separators=(",", ":"))

    def __str__(self) -> str:
        text = json.dumps(self.manager, ensure_ascii=False)
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == "Update" else text


@dataclass(frozen=True, slots=True)
class Entry:
    """What an owner owns, in which version of the API, since when (RFC 3339; "" for unknown)."""

    fields: FieldSet
    api_version: str
    time: str = ""


Managers = dict[Owner, Entry]


def owner(manager: str, operation: str, api_version: str, subresource: str) -> Owner:
    """The owner that a request acts as."""
    version = "" if operation == "Apply" else api_version
    return Owner(manager or "unknown", operation, version, subresource)


def read(entries: Any) -> Managers:
    """Parse metadata.managedFields. Raises ValueError, naming the entry, for what is malformed."""
    managers: Managers = {}
    if entries is None:
        return managers
    if not isinstance(entries, list):
        raise ValueError("metadata.managedFields must be a list")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"managed fields entry {index} must be an object")
        operation, version = entry.get("operation", ""), entry.get("apiVersion", "")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if not entry.get("fieldsType"):
            raise ValueError(f"missing fieldsType in managed fields entry {index}")
        if entry["fieldsType"] != "FieldsV1":
            raise ValueError(f'invalid fieldsType "{entry["fieldsType"]}" in managed fields entry {index}')
        key = owner(str(entry.get("manager") or ""), operation, version, str(entry.get("subresource") or ""))
        if not entry.get("manager"):
            key = key._replace(manager="")
        managers[key] = Entry(
            FieldSet.from_json(entry.get("fieldsV1") or {}), version, str(entry.get("time") or "")
        )
    return managers


def write(managers: Managers) -> list[dict[str, Any]]:
    """metadata.managedFields, in the server's order: operation, time, manager, version, subresource."""
    rows = sorted(
        managers.items(),
        key=lambda row: (
            row[0].operation,
            row[1].time,
            row[0].manager,
            row[1].api_version,
            row[0].subresource,
        ),
    )
    entries = []
    for who, entry in rows:
        encoded: dict[str, Any] = {
            "manager": who.manager, "operation": who.operation, "apiVersion": entry.api_version,
            "time": entry.time, "fieldsType": "FieldsV1", "fieldsV1": entry.fields.to_json(),
            "subresource": who.subresource,
        }  # fmt: skip
        for name in ("manager", "time", "subresource"):
            if not encoded[name]:
                del encoded[name]
        entries.append(encoded)
    return entries


def is_reset(entries: Any) -> bool:
    """Whether a user's managedFields asks to forget all owners: `[{}]`. An empty list comes from clients that know
    nothing of owners, and forgets none."""
    return isinstance(entries, list) and entries == [{}]


def capped(managers: Managers) -> Managers:
    """With the oldest Update entries merged, where there are more than the server keeps."""
    updaters = [who for who in managers if who.operation == "Update"]
    if len(updaters) <= MOST_UPDATERS:
        return managers
    result = dict(managers)
    updaters.sort(key=lambda who: (managers[who].time, who.identifier()))
    length = len(updaters)
    first_of: dict[str, Owner] = {}
    for who in updaters:
        if length <= MOST_UPDATERS:
            break
        entry = managers[who]
        first = first_of.setdefault(entry.api_version, who)
        if first is who:
            continue
        bucket = Owner(ANCIENT, "Update", entry.api_version, "")
        if bucket not in result:
            result[bucket] = result.pop(first)
        merged = entry.fields | result[bucket].fields
        result.pop(who)
        result[bucket] = replace(entry, fields=merged)
        length -= 1
    return result


def union(sets: Iterable[FieldSet]) -> FieldSet:
    """All fields of `sets`."""
    result = FieldSet()
    for each in sets:
        result = result | each
    return result
