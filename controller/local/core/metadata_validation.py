"""What may stand in metadata, and what of it may change.

Source: k8s.io/apimachinery `api/validation/objectmeta.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from controller.local.core import errors, names
from controller.local.core.errors import Cause
from controller.local.core.lifecycle import FOREGROUND, ORPHAN, Metadata

_STANDARD_FINALIZERS = frozenset((FOREGROUND, ORPHAN, "kubernetes"))
ANNOTATIONS_LIMIT = 256 * 1024
"""Bytes of all annotations of one object together."""
_IMMUTABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


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
