"""The rules of metadata: what the server sets, what a client may change, when a finalizer holds.

Source: k8s.io/apimachinery `api/validation/objectmeta.go`, k8s.io/apiserver `registry/rest/`.
Functions that return metadata return a fresh dict; none changes its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from controller.local.core import errors, names
from controller.local.core.errors import Cause
from controller.local.core.resources import Resource
from controller.local.core.sharing import identical
from controller.local.core.storage import Object

Metadata = dict[str, Any]
FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
_STANDARD_FINALIZERS = frozenset((FOREGROUND, ORPHAN, "kubernetes"))
ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all annotations of one object together."""


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
_IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
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


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds: the API's time format."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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


def created(
    metadata: Metadata,
    resource: Resource,
    *,
    namespace: str,
    uid: str,
    now: str,
) -> Metadata:
    """The metadata of a new object: system fields set, whatever the client wrote there."""
    metadata = dict(metadata)
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"):
        metadata.pop(key, None)
    if namespace:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if resource.generations:
        metadata["generation"] = 1
    return metadata


def updated(metadata: Metadata, live: Metadata) -> Metadata:
    """The metadata of a replacement: what only the server sets is kept, an empty uid or version means any."""
    metadata = dict(metadata)
    for key in ("generation", "creationTimestamp"):
        _keep(metadata, live, key)
    if not metadata.get("uid"):
        _keep(metadata, live, "uid")
    if "deletionTimestamp" in live:
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds"):
            _keep(metadata, live, key)
    _keep(metadata, live, "namespace")
    metadata["resourceVersion"] = live["resourceVersion"]
    return metadata


def _keep(metadata: Metadata, live: Metadata, key: str) -> None:
    if key in live:
        metadata[key] = live[key]
    else:
        metadata.pop(key, None)


def spec_changed(new: Object, live: Object, resource: Resource) -> bool:
    """Whether `generation` has to grow: for anything but metadata and, where a subresource, the status."""
    for key in new.keys() | live.keys():
        if key == "metadata" or (key == "status" and resource.has_status):
            continue
        if not identical(new.get(key), live.get(key)):
            return True
    return False


def content_changed(new: Object, live: Object) -> bool:
    """Whether anything but metadata differs: only then is the schema asked again."""
    return any(
        not identical(new.get(key), live.get(key)) for key in new.keys() | live.keys() if key != "metadata"
    )


def same(new: Object, live: Object) -> bool:
    """Whether writing `new` would change nothing; the times in managedFields do not count."""
    if new.keys() != live.keys() or content_changed(new, live):
        return False
    ours, theirs = new["metadata"], live["metadata"]
    if ours.keys() != theirs.keys():
        return False
    if any(ours[key] != theirs[key] for key in ours if key not in ("managedFields", "resourceVersion")):
        return False
    return _timeless(ours.get("managedFields", ())) == _timeless(theirs.get("managedFields", ()))


def _timeless(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]


def terminating(metadata: Metadata) -> bool:
    return "deletionTimestamp" in metadata


def released(metadata: Metadata) -> bool:
    """Whether a write leaves a terminating object without finalizers, so that it goes."""
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
    )


def marked(metadata: Metadata, now: str, finalizers: Sequence[str]) -> Metadata:
    """The metadata of an object whose deletion was asked for and has to wait for `finalizers`."""
    first = "deletionGracePeriodSeconds" not in metadata
    metadata = dict(metadata)
    metadata.setdefault("deletionTimestamp", now)
    metadata["deletionGracePeriodSeconds"] = 0
    if first and metadata.get("generation"):
        metadata["generation"] += 1
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    else:
        metadata.pop("finalizers", None)
    return metadata


def validate(
    metadata: Metadata,
    live: Metadata | None,
    *,
    name_errors: Callable[[str], Sequence[str]],
) -> list[Cause]:
    """What is wrong with the metadata of an object to be created (`live` None) or replaced.

    What equals the live object is not looked at again: it was valid when it came.
    """
    causes: list[Cause] = []
    if live is None:
        causes += _name_causes(metadata, name_errors)
    else:
        causes += _immutable_causes(metadata, live)
    for key, check in (
        ("ownerReferences", _owner_causes),
        ("labels", _label_causes),
        ("annotations", _annotation_causes),
        ("finalizers", _finalizer_causes),
    ):
        value = metadata.get(key)
        if value and (live is None or value != live.get(key)):
            causes += check(value)
    return causes


def _name_causes(metadata: Metadata, name_errors: Callable[[str], Sequence[str]]) -> list[Cause]:
    causes = []
    prefix, name = metadata.get("generateName", ""), metadata.get("name", "")
    if prefix:
        checked = prefix[:-1] + "a" if prefix.endswith("-") else prefix
        causes += [
            errors.invalid_value("metadata.generateName", prefix, text) for text in name_errors(checked)
        ]
    if not name:
        causes.append(errors.required("metadata.name", "name or generateName is required"))
    else:
        causes += [errors.invalid_value("metadata.name", name, text) for text in name_errors(name)]
    return causes


def _immutable_causes(metadata: Metadata, live: Metadata) -> list[Cause]:
    causes = [
        errors.invalid_value(f"metadata.{key}", metadata.get(key), "field is immutable")
        for key in _IMMUTABLE
        if metadata.get(key) != live.get(key)
    ]
    if "deletionTimestamp" in live:
        known = live.get("finalizers", ())
        added = [finalizer for finalizer in metadata.get("finalizers", ()) if finalizer not in known]
        if added:
            shown = ", ".join(errors.quoted(finalizer) for finalizer in added)
            detail = (
                "no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{shown}}}"
            )
            causes.append(errors.forbidden_value("metadata.finalizers", detail))
    return causes


def _owner_causes(owners: list[dict[str, Any]]) -> list[Cause]:
    causes = []
    controller: dict[str, Any] | None = None
    for owner in owners:
        version = owner.get("apiVersion", "")
        if not version.rpartition("/")[2]:
            detail = "version must not be empty"
            causes.append(errors.invalid_value("metadata.ownerReferences.apiVersion", version, detail))
        causes += [
            errors.invalid_value(f"metadata.ownerReferences.{key}", "", "must not be empty")
            for key in ("kind", "name", "uid")
            if not owner.get(key)
        ]
        if version == "v1" and owner.get("kind") == "Event":
            detail = "/v1, Kind=Event is disallowed from being an owner"
            causes.append(errors.invalid_value("metadata.ownerReferences", owner, detail))
        if owner.get("controller"):
            if controller is not None:
                both = " and ".join(f"{one.get('kind')}/{one.get('name')}" for one in (controller, owner))
                detail = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {both}'
                )
                causes.append(errors.invalid_value("metadata.ownerReferences", owners, detail))
                break
            controller = owner
    return causes


def _label_causes(labels: dict[str, str]) -> list[Cause]:
    causes = []
    for key, value in labels.items():
        causes += [errors.invalid_value("metadata.labels", key, text) for text in names.qualified_errors(key)]
        causes += [
            errors.invalid_value("metadata.labels", value, text) for text in names.label_value_errors(value)
        ]
    return causes


def _annotation_causes(annotations: dict[str, str]) -> list[Cause]:
    causes = [
        errors.invalid_value("metadata.annotations", key, text)
        for key in annotations
        for text in names.qualified_errors(key.lower())
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        causes.append(errors.too_long("metadata.annotations", ANNOTATIONS_LIMIT))
    return causes


def core_finalizer_causes(metadata: Metadata) -> list[Cause]:
    """The kinds of the core and of RBAC take only finalizers of somebody's domain, or the standard ones."""
    text = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        errors.invalid_value(f"metadata.finalizers[{index}]", finalizer, text)
        for index, finalizer in enumerate(metadata.get("finalizers", ()))
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def finalizer_warnings(metadata: Metadata, live: Metadata | None) -> list[str]:
    """What the server says of new finalizers of custom resources whose name belongs to nobody's domain."""
    known = (live or {}).get("finalizers", ())
    return [
        f"metadata.finalizers: {errors.quoted(finalizer)}: prefer a domain-qualified finalizer name to avoid "
        "accidental conflicts with other finalizer writers"
        for finalizer in sorted(set(metadata.get("finalizers", ())) - set(known))
        if "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS
    ]


def _finalizer_causes(finalizers: list[str]) -> list[Cause]:
    causes = [
        errors.invalid_value("metadata.finalizers", finalizer, text)
        for finalizer in finalizers
        for text in names.qualified_errors(finalizer)
    ]
    if FOREGROUND in finalizers and ORPHAN in finalizers:
        detail = f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set"
        causes.append(errors.invalid_value("metadata.finalizers", finalizers, detail))
    return causes
