"""The words in which builtin_meta and builtin_models write OpenAPI schemas."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

REF = "#/components/schemas/"
META = "io.k8s.apimachinery.pkg.apis.meta.v1."


def text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def whole(description: str, bits: int = 32) -> Schema:
    return {"type": "integer", "format": f"int{bits}", "description": description}


def moment(description: str, *, micro: bool = False) -> Schema:
    return ref(META + ("MicroTime" if micro else "Time"), description)


def ref(model: str, description: str) -> Schema:
    """A field whose type is another model (the form of the real v3 documents: one `allOf`)."""
    return {"allOf": [{"$ref": REF + model}], "description": description}


def item(model: str) -> Schema:
    """A list's element or a map's value that is another model."""
    return {"$ref": REF + model}


STRING: Schema = {"type": "string"}


def listing(items: Schema, description: str, *, key: str = "", merge: bool = False) -> Schema:
    """A list: atomic, or (with `key`) a list-map on that field.

    `merge` adds what strategic merge patch needs (x-kubernetes-patch-*)."""
    found: Schema = {"type": "array", "items": items, "description": description}
    if key:
        found |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    else:
        found["x-kubernetes-list-type"] = "atomic"
    if merge:
        found |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": key}
    return found


def mapping(values: Schema, description: str) -> Schema:
    return {"type": "object", "additionalProperties": values, "description": description}


def model(description: str, fields: dict[str, Schema], required: str = "", *, atomic: bool = False) -> Schema:
    """An object; `required` names its required fields, separated by blanks."""
    found: Schema = {"type": "object", "description": description, "properties": fields}
    if required:
        found["required"] = required.split()
    if atomic:
        found["x-kubernetes-map-type"] = "atomic"
    return found


def anything(description: str) -> Schema:
    """An object whose fields are not declared."""
    return {"type": "object", "description": description, "x-kubernetes-preserve-unknown-fields": True}


def kind(description: str, fields: dict[str, Schema], required: str = "") -> Schema:
    """A top-level kind: `model` with apiVersion, kind and metadata in front."""
    return model(
        description,
        {**TYPE_META, "metadata": ref(META + "ObjectMeta", "Standard object metadata."), **fields},
        required,
    )


TYPE_META: dict[str, Schema] = {
    "apiVersion": text(
        "Version of the API that this object is written in: `group/version`, or `v1` for the core."
    ),
    "kind": text("What this object is, in CamelCase. Cannot be changed."),
}
