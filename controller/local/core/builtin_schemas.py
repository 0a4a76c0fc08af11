"""OpenAPI schemas of the built-in kinds, for OpenAPI documents and for Structural.compile."""

from __future__ import annotations

from functools import cache

from controller.local.core.builtin_meta import META_MODELS
from controller.local.core.builtin_models import KIND_MODELS, PREFIXES
from controller.local.core.builtin_terms import META, REF, Schema, anything

VERSION = "v1"
"""Every built-in group is served in this one version."""

_RECURSIVE = ".JSONSchemaProps"

GVK = "x-kubernetes-group-version-kind"


def model_name(group: str, version: str, kind: str) -> str:
    """The OpenAPI name of a kind: `io.k8s.api.core.v1.Namespace`, `dev.nxc.v1alpha1.Deployment`."""
    if group in PREFIXES and version == VERSION:
        return PREFIXES[group] + kind
    return ".".join([*reversed(group.split(".")), version, kind])


@cache
def models() -> dict[str, Schema]:
    """All models by OpenAPI name, with `$ref: #/components/schemas/NAME` between them.

    Shared between callers: to be read only."""
    found = {META + name: schema for name, schema in META_MODELS.items()} | KIND_MODELS
    groups = {prefix: group for group, prefix in PREFIXES.items()}
    for name, schema in KIND_MODELS.items():
        prefix, _, kind = name.rpartition(".")
        if {"apiVersion", "kind", "metadata"} <= schema.get("properties", {}).keys():
            found[name] = {**schema, GVK: [{"group": groups[f"{prefix}."], "version": VERSION, "kind": kind}]}
    for kind in ("Status", "DeleteOptions", "WatchEvent"):
        found[META + kind] = {**found[META + kind], GVK: [{"group": "", "version": VERSION, "kind": kind}]}
    return found


@cache
def typed_schema(group: str, version: str, kind: str) -> Schema | None:
    """The schema of a built-in kind with references resolved. Shared between callers: to be read only.

    None for a kind that is not built in."""
    if group not in PREFIXES or version != VERSION:
        return None
    schema = models().get(PREFIXES[group] + kind)
    return _resolved(schema) if schema else None


@cache
def structural_schema(group: str, version: str, kind: str) -> Schema | None:
    """As typed_schema, for Structural.compile: checks just what decoding into a Go type would.

    What is required, and the form of base64 and times, is left to builtin_rules and builtin_defaults, which say
    it in the real server's words; values in maps and lists may be null, which stands for empty. (A
    CustomResourceDefinition keeps its required fields.) It carries x-kubernetes-list-type, -list-map-keys,
    -map-type, -patch-strategy and -patch-merge-key. Metadata is left open: `metadata_decoding` reads it."""
    schema = typed_schema(group, version, kind)
    if schema is None:
        return None
    found = _decodable(schema, keep_required=group == "apiextensions.k8s.io")
    return {**found, "properties": {**found["properties"], "metadata": {"type": "object"}}}


def _decodable(schema: Schema, *, keep_required: bool, keys: list[str] | None = None) -> Schema:
    """`keys` are those of the list-map that `schema` is an item of: they stay required."""
    found = dict(schema)
    if not keep_required:
        found.pop("required", None)
        if keys:
            found["required"] = keys
    if schema.get("format") == "byte":
        del found["format"]
    elif schema.get("format") == "date-time":
        del found["format"]
        found["nullable"] = True  # an unset time is stored as null
    if "properties" in schema:
        found["properties"] = {
            key: _decodable(value, keep_required=keep_required) for key, value in schema["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if key in schema:
            keys = schema.get("x-kubernetes-list-map-keys")
            found[key] = _decodable(schema[key], keep_required=keep_required, keys=keys)
            if schema.get("x-kubernetes-list-type", "atomic") == "atomic":
                found[key]["nullable"] = True
    return found


@cache
def object_meta_schema() -> Schema:
    """ObjectMeta with references resolved: for the metadata of custom resources. To be read only."""
    return _resolved(models()[META + "ObjectMeta"])


def _resolved(schema: Schema) -> Schema:
    """`schema` with every `$ref` (bare, or in an `allOf` of one beside a description) put in place."""
    name = schema.get("$ref") or (schema["allOf"][0]["$ref"] if "allOf" in schema else None)
    if name is not None and name.endswith(_RECURSIVE):
        # It nests in itself: left open here, and pruned by schema_fields.
        return anything(schema.get("description", ""))
    if name is not None:
        beside = {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
        return {**_resolved(models()[name.removeprefix(REF)]), **beside}
    found = {key: value for key, value in schema.items() if key != GVK}
    if "properties" in schema:
        found["properties"] = {key: _resolved(value) for key, value in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in schema:
            found[key] = _resolved(schema[key])
    return found
