"""The fields that a schema inside a CustomResourceDefinition may have.

A schema nests in itself, so it cannot be described as a structural schema; this is its pruning instead.
Source: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/v1 JSONSchemaProps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]

_NAMES = """
id $schema $ref description type format title default maximum exclusiveMaximum minimum exclusiveMinimum maxLength
minLength pattern maxItems minItems uniqueItems multipleOf enum maxProperties minProperties required example
nullable x-kubernetes-preserve-unknown-fields x-kubernetes-embedded-resource x-kubernetes-int-or-string
x-kubernetes-list-map-keys x-kubernetes-list-type x-kubernetes-map-type
"""
_PLAIN = frozenset(_NAMES.split())
"""Fields whose value has no declared fields of its own."""
_SCHEMA = frozenset({"not"})
_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf"})
_NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "definitions"})
_MIXED = frozenset({"items", "additionalProperties", "additionalItems", "dependencies"})
"""Schemas, or something else: the real server drops unknown fields in them and never says so."""
_RECORDS = {
    "externalDocs": frozenset({"description", "url"}),
    "x-kubernetes-validations": frozenset(
        {"rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"}
    ),
}


def prune_definition(definition: Object) -> tuple[dict[str, Any], list[str]]:
    """A CustomResourceDefinition whose schemas have known fields alone, and the paths of the dropped ones that
    the real server names (`spec.versions[0].schema.openAPIV3Schema.maxlength`), sorted.

    Parts of the wrong type are left for decoding to refuse."""
    spec = definition.get("spec")
    versions = spec.get("versions") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(versions, list):
        return dict(definition), []
    dropped: list[str] = []
    found = [_version(each, f"spec.versions[{index}]", dropped) for index, each in enumerate(versions)]
    return {**definition, "spec": {**spec, "versions": found}}, sorted(dropped)


def _version(version: Any, path: str, dropped: list[str]) -> Any:
    validation = version.get("schema") if isinstance(version, dict) else None
    if not isinstance(validation, dict) or "openAPIV3Schema" not in validation:
        return version
    key = "openAPIV3Schema"
    schema = _schema(validation[key], f"{path}.schema.{key}", dropped)
    return {**version, "schema": {**validation, key: schema}}


def _schema(schema: Any, path: str, dropped: list[str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        below = f"{path}.{key}"
        if key in _PLAIN:
            found[key] = value
        elif key in _SCHEMA:
            found[key] = _schema(value, below, dropped)
        elif key in _SCHEMAS:
            found[key] = _listed(value, below, dropped)
        elif key in _NAMED_SCHEMAS:
            found[key] = _named(value, below, dropped)
        elif key in _MIXED:
            found[key] = _mixed(key, value)
        elif key in _RECORDS:
            found[key] = _record(value, below, _RECORDS[key], dropped)
        else:
            dropped.append(below)
    return found


def _listed(value: Any, path: str, dropped: list[str]) -> Any:
    if not isinstance(value, list):
        return value
    return [_schema(each, f"{path}[{index}]", dropped) for index, each in enumerate(value)]


def _named(value: Any, path: str, dropped: list[str]) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _schema(each, f"{path}.{name}", dropped) for name, each in value.items()}


def _mixed(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_schema(each, "", []) for each in value]
    return _named(value, "", []) if key == "dependencies" else _schema(value, "", [])


def _record(value: Any, path: str, known: frozenset[str], dropped: list[str]) -> Any:
    if isinstance(value, list):
        return [_record(each, f"{path}[{index}]", known, dropped) for index, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    dropped += [f"{path}.{key}" for key in value if key not in known]
    return {key: each for key, each in value.items() if key in known}
