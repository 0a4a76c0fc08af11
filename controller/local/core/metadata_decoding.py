"""Metadata as it comes in a request: the fields that it may have, each of its type.

Source: k8s.io/apimachinery `meta/v1/types.go`, and what Go's decoder says of a wrong type.
"""

from __future__ import annotations

from typing import Any

from controller.local.core.lifecycle import Metadata


class UndecodableError(Exception):
    """A part of an object has a type from which the server cannot even read it; the text is the server's."""


_STRINGS = frozenset(
    (
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
    )
)
_MAPS = frozenset(("labels", "annotations"))
_INTEGERS = frozenset(("generation", "deletionGracePeriodSeconds"))
_OWNER_FIELDS = {
    "apiVersion": str,
    "kind": str,
    "name": str,
    "uid": str,
    "controller": bool,
    "blockOwnerDeletion": bool,
}
_JSON_TYPES = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


def decoded(metadata: Any) -> tuple[Metadata, list[str]]:
    """Metadata from a request: a fresh dict of the known fields without nulls, and the paths of the unknown.

    Raises UndecodableError where a field has the wrong type.
    """
    if metadata is None:
        return {}, []
    if not isinstance(metadata, dict):
        given = _JSON_TYPES.get(type(metadata), "null")
        raise UndecodableError(f"json: cannot unmarshal {given} into Go value of type v1.ObjectMeta")
    found: Metadata = {}
    unknown: list[str] = []
    for key, value in metadata.items():
        if value is None:
            continue
        if key in _STRINGS:
            if type(value) is not str:
                raise _mismatch(value, f"ObjectMeta.{key}", "string")
        elif key in _MAPS:
            value = _strings_by_name(key, value)
            if not value:
                continue
        elif key in _INTEGERS:
            if type(value) is not int:
                raise _mismatch(value, f"ObjectMeta.{key}", "int64")
        elif key == "finalizers":
            _check_list(key, value, str, "string")
            if not value:
                continue
        elif key == "ownerReferences":
            value, dropped = _owners(value)
            unknown += dropped
            if not value:
                continue
        elif key == "managedFields":
            _check_list(key, value, dict, "v1.ManagedFieldsEntry")
        else:
            unknown.append(f"metadata.{key}")
            continue
        found[key] = value
    found.pop("selfLink", None)
    return found, unknown


def _strings_by_name(key: str, value: Any) -> dict[str, str]:
    """Labels or annotations; null becomes the empty text, as Go decodes it."""
    if not isinstance(value, dict):
        raise _mismatch(value, f"ObjectMeta.{key}", "map[string]string")
    for entry in value.values():
        if entry is not None and type(entry) is not str:
            raise _mismatch(entry, f"ObjectMeta.{key}", "string")
    if None in value.values():
        return {name: entry or "" for name, entry in value.items()}
    return value


def _check_list(key: str, value: Any, entry_type: type, go_type: str) -> None:
    if not isinstance(value, list):
        raise _mismatch(value, f"ObjectMeta.{key}", f"[]{go_type}")
    for entry in value:
        if not isinstance(entry, entry_type):
            raise _mismatch(entry, f"ObjectMeta.{key}", go_type)


def _owners(value: Any) -> tuple[list[dict[str, Any]], list[str]]:
    _check_list("ownerReferences", value, dict, "v1.OwnerReference")
    unknown: list[str] = []
    owners = []
    for index, reference in enumerate(value):
        for key, entry in reference.items():
            expected = _OWNER_FIELDS.get(key)
            if expected is None:
                unknown.append(f"metadata.ownerReferences[{index}].{key}")
            elif entry is not None and type(entry) is not expected:
                raise _mismatch(entry, f"OwnerReference.ownerReferences.{key}", _JSON_TYPES[expected])
        owners.append(
            {key: entry for key, entry in reference.items() if key in _OWNER_FIELDS and entry is not None}
        )
    return (owners if owners != value else value), unknown


def _mismatch(value: Any, where: str, expected: str) -> UndecodableError:
    given = _JSON_TYPES.get(type(value), "null")
    return UndecodableError(f"json: cannot unmarshal {given} into Go struct field {where} of type {expected}")
