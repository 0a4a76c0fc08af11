"""The stored form of built-in kinds: as a typed server would read an object and write it out again.

Nulls and empty values vanish where the kind's Go type has `omitempty`, times are rewritten in UTC, defaults
and write-only fields (a Secret's stringData) are folded in. Sources: k8s.io/api types, pkg/apis/*/v1/defaults.go.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from controller.local.core.builtin_schemas import typed_schema
from controller.local.core.builtin_terms import Schema
from controller.local.core.metadata_decoding import UndecodableError
from controller.local.core.resources import EVENTS, RBAC, Resource

Object = Mapping[str, Any]

_MICRO = frozenset({"eventTime", "lastObservedTime", "acquireTime", "renewTime"})
"""Fields of type MicroTime: exactly six decimals. (All other times have none when they are stored.)"""
_POINTERS = frozenset({"holderIdentity"})
"""Texts that may be stored empty, because empty says something else than absent."""
_ZEROES = frozenset({"count", "deprecatedCount", "priority", "deprecated", "preserveUnknownFields"})
"""Numbers and flags that are left out when they are 0 or false."""
_METADATA = "metadata"

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)")


def default_builtin(resource: Resource, obj: Object) -> dict[str, Any]:
    """`obj`, already pruned, in its stored form; metadata as it is.

    Raises UndecodableError for text that is not in the form its field has (base64, times): the message names the
    field. A request with such a body is a 400."""
    schema = typed_schema(resource.group, resource.version, resource.kind)
    if schema is None:
        return dict(obj)
    fields = schema["properties"]
    found = {
        key: value if key == _METADATA or key not in fields else _tidy(value, fields[key], key)
        for key, value in obj.items()
    }
    found = {
        key: value for key, value in found.items() if key == _METADATA or not _omitted(key, value, fields)
    }
    complete = _DEFAULTS.get((resource.group, resource.kind))
    return complete(found) if complete else found


def blank_builtin(resource: Resource) -> dict[str, Any]:
    """What an object of this kind shows before anybody sets a field, apiVersion, kind and metadata apart.

    The creator of an object owns, in managedFields, only what differs from this."""
    return dict(_BLANKS.get((resource.group, resource.kind), {}))


def _tidy(value: Any, schema: Schema, path: str) -> Any:
    if value is None:
        return None
    if schema.get("type") == "string" and isinstance(value, str):
        if schema.get("format") == "byte":
            return _bytes(value, path)
        return _time(value, path) if schema.get("format") == "date-time" else value
    if isinstance(value, list) and "items" in schema:
        items = schema["items"]
        return [_zero(items) if each is None else _tidy(each, items, path) for each in value]
    if not isinstance(value, dict):
        return value
    if "additionalProperties" in schema:
        values = schema["additionalProperties"]
        return {
            key: _zero(values) if each is None else _tidy(each, values, f"{path}[{key}]")
            for key, each in value.items()
        }
    fields = schema.get("properties")
    if not fields:
        return value
    found = {key: _tidy(each, fields.get(key, {}), f"{path}.{key}") for key, each in value.items()}
    return {key: each for key, each in found.items() if not _omitted(key, each, fields)}


def _omitted(key: str, value: Any, fields: Schema) -> bool:
    """Whether the field is left out: it is null, or empty and not a struct (which shows itself as `{}`)."""
    if value is None:
        return True
    if value == "" or value == []:
        return key not in _POINTERS
    if value == {}:
        return "additionalProperties" in fields.get(key, {})
    return key in _ZEROES and not value


def _zero(schema: Schema) -> Any:
    """What null stands for inside a list or map."""
    return {"string": "", "array": [], "boolean": False, "integer": 0}.get(schema.get("type", ""), {})


def _bytes(text: str, path: str) -> str:
    """Base64 as it is stored: without line breaks."""
    joined = text.replace("\n", "").replace("\r", "")
    try:
        base64.b64decode(joined, validate=True)
    except binascii.Error as error:
        raise UndecodableError(f"{path}: illegal base64 data: {error}") from None
    return joined


def _time(text: str, path: str) -> str:
    micro = path.rpartition(".")[2] in _MICRO
    layout = "2006-01-02T15:04:05.000000Z07:00" if micro else "2006-01-02T15:04:05Z07:00"
    match = _TIME.fullmatch(text)
    try:
        if match is None or (micro and len(match[2] or "") != 6):
            raise ValueError
        moment = datetime.fromisoformat(f"{match[1]}.{(match[2] or '')[:6]:0<6}{match[3]}").astimezone(UTC)
    except ValueError:
        raise UndecodableError(f'{path}: parsing time "{text}" as "{layout}": cannot parse it') from None
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


# ---------------------------------------------------------------- what each kind fills in


def _secret(obj: dict[str, Any]) -> dict[str, Any]:
    plain = obj.pop("stringData", None)
    if plain:
        coded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
        obj["data"] = {**obj.get("data", {}), **coded}
    return {**obj, "type": obj.get("type") or "Opaque"}


def _binding(obj: dict[str, Any]) -> dict[str, Any]:
    found = {**obj, "roleRef": {"apiGroup": RBAC, **obj.get("roleRef", {})}}
    if "subjects" in obj:
        found["subjects"] = [
            {"apiGroup": RBAC, **subject} if subject.get("kind") in ("User", "Group") else subject
            for subject in obj["subjects"]
        ]
    return found


def _lease(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "spec": obj.get("spec", {})}


_CORE_EVENT: dict[str, Any] = {
    "source": {},
    "firstTimestamp": None,
    "lastTimestamp": None,
    "eventTime": None,
    "reportingComponent": "",
    "reportingInstance": "",
}
_NEW_EVENT: dict[str, Any] = {
    "eventTime": None,
    "deprecatedSource": {},
    "deprecatedFirstTimestamp": None,
    "deprecatedLastTimestamp": None,
}

_BLANKS: dict[tuple[str, str], dict[str, Any]] = {
    ("", "Event"): _CORE_EVENT,
    (EVENTS, "Event"): _NEW_EVENT,
    ("coordination.k8s.io", "Lease"): {"spec": {}},
}

_DEFAULTS: dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("", "Secret"): _secret,
    ("", "Event"): lambda obj: {**_CORE_EVENT, **obj},
    (EVENTS, "Event"): lambda obj: {**_NEW_EVENT, **obj},
    ("coordination.k8s.io", "Lease"): _lease,
    (RBAC, "RoleBinding"): _binding,
    (RBAC, "ClusterRoleBinding"): _binding,
}
