"""What a CustomResourceDefinition may say, its schemas apart.

Source: k8s.io/apiextensions-apiserver `apis/apiextensions/validation/validation.go`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from controller.local.core import errors, names
from controller.local.core.errors import Cause
from controller.local.core.storage import Object

COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
SELECTABLE_LIMIT = 8
_SIMPLE_PATH = re.compile(r"(\.[a-zA-Z_][a-zA-Z0-9_-]*)+\Z")
_IMMUTABLE = "field is immutable"


def schema_path(versions: list[Any], index: int) -> str:
    """Where messages say the schema of a version is: one common to all versions counts as the spec's."""
    schemas = [version.get("schema") for version in versions]
    if all(schema == schemas[0] for schema in schemas):
        return "spec.validation.openAPIV3Schema"
    return f"spec.versions[{index}].schema.openAPIV3Schema"


def definition_causes(obj: Object, live: Object | None) -> list[Cause]:
    """What is wrong with the definition `obj`, replacing `live` if there is one."""
    spec = obj.get("spec") or {}
    if not isinstance(spec.get("names"), dict) or not isinstance(spec.get("versions"), list):
        return [errors.required(f"spec.{key}") for key in ("names", "versions") if not spec.get(key)]
    causes = [*_name_causes(obj, spec), *_version_causes(spec)]
    if (spec.get("conversion") or {}).get("strategy") not in (None, "None"):
        detail = "this server converts between versions with strategy None only; webhooks are not called"
        causes.append(errors.forbidden_value("spec.conversion.strategy", detail))
    if spec.get("preserveUnknownFields"):
        detail = "must be false in order to use defaults in the schema"
        causes.append(errors.invalid_value("spec.preserveUnknownFields", True, detail))
    if live is not None:
        causes += _change_causes(obj, live)
    return causes


def _name_causes(obj: Object, spec: Object) -> Iterator[Cause]:
    group, words = spec.get("group") or "", spec["names"]
    name, expected = obj["metadata"].get("name", ""), f"{words.get('plural')}.{group}"
    if name != expected:
        yield errors.invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield errors.required("spec.group")
    elif "." not in group:
        yield errors.invalid_value("spec.group", group, "should be a domain with at least one dot")
    else:
        for problem in names.subdomain_errors(group):
            yield errors.invalid_value("spec.group", group, problem)
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        if not spec.get("scope"):
            yield errors.required("spec.scope")
        else:
            yield errors.unsupported_value("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    for key in ("plural", "kind", "singular", "listKind"):
        value = words.get(key) or ""
        if not value:
            yield errors.required(f"spec.names.{key}")
            continue
        for problem in names.dns1035_errors(value.lower() if key in ("kind", "listKind") else value):
            yield errors.invalid_value(f"spec.names.{key}", value, problem)
    for list_key in ("shortNames", "categories"):
        for index, value in enumerate(words.get(list_key) or ()):
            for problem in names.dns1035_errors(value):
                yield errors.invalid_value(f"spec.names.{list_key}[{index}]", value, problem)
    if words.get("kind") and words.get("kind") == words.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield errors.invalid_value("spec.names.listKind", words["listKind"], detail)


def _version_causes(spec: Object) -> Iterator[Cause]:
    versions = spec["versions"]
    storage = 0
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name") or ""
        if not name:
            yield errors.required(f"{path}.name")
        for problem in names.dns1035_errors(name) if name else ():
            yield errors.invalid_value(f"{path}.name", name, problem)
        if name in seen:
            yield errors.invalid_value("spec.versions", name, "must contain unique version names")
        seen.add(name)
        storage += bool(version.get("storage"))
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield errors.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
        yield from _column_causes(version, path)
        yield from _selectable_causes(version, path)
    if storage != 1:
        shown = [version.get("name", "") for version in versions]
        yield errors.invalid_value(
            "spec.versions", shown, "must have exactly one version marked as storage version"
        )


def _column_causes(version: Object, path: str) -> Iterator[Cause]:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{path}.additionalPrinterColumns[{index}]"
        for key in ("name", "jsonPath", "type"):
            if not column.get(key):
                yield errors.required(f"{at}.{key}")
        if column.get("type") and column["type"] not in COLUMN_TYPES:
            detail = f"must be one of {','.join(COLUMN_TYPES)}"
            yield errors.invalid_value(f"{at}.type", column["type"], detail)
        if column.get("jsonPath") and not column["jsonPath"].startswith("."):
            detail = "must be a simple json path starting with ."
            yield errors.invalid_value(f"{at}.jsonPath", column["jsonPath"], detail)


def _selectable_causes(version: Object, path: str) -> Iterator[Cause]:
    fields = version.get("selectableFields") or ()
    if len(fields) > SELECTABLE_LIMIT:
        yield errors.too_many(f"{path}.selectableFields", len(fields), SELECTABLE_LIMIT)
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, json_path = f"{path}.selectableFields[{index}].jsonPath", field.get("jsonPath") or ""
        if not json_path:
            yield errors.required(at)
        elif not _SIMPLE_PATH.match(json_path):
            yield errors.invalid_value(
                at, json_path, "is an invalid path: must be a simple json path starting with ."
            )
        elif json_path.split(".")[1] == "metadata":
            yield errors.invalid_value(at, json_path, "must not point to fields in metadata")
        elif _type_at(schema, json_path.split(".")[1:]) not in ("string", "integer", "boolean"):
            detail = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield errors.invalid_value(at, json_path, detail)
        elif json_path in seen:
            yield errors.duplicate_value(at, json_path)
        seen.add(json_path)


def _type_at(schema: Any, path: list[str]) -> str | None:
    for step in path:
        schema = (schema.get("properties") or {}).get(step) if isinstance(schema, dict) else None
    return schema.get("type") if isinstance(schema, dict) else None


def _change_causes(obj: Object, live: Object) -> Iterator[Cause]:
    new, old = obj["spec"], live["spec"]
    checked = [("spec.group", new.get("group"), old.get("group"))]
    checked.append(("spec.names.plural", new["names"].get("plural"), old["names"].get("plural")))
    conditions = (live.get("status") or {}).get("conditions") or ()
    if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        checked.append(("spec.scope", new.get("scope"), old.get("scope")))
        checked.append(("spec.names.kind", new["names"].get("kind"), old["names"].get("kind")))
    for path, after, before in checked:
        if after != before:
            yield errors.invalid_value(path, after, _IMMUTABLE)
    served = {version.get("name") for version in new["versions"]}
    stored = (obj.get("status") or {}).get("storedVersions") or ()
    for index, version in enumerate(stored):
        if version not in served:
            yield errors.invalid_value(
                f"status.storedVersions[{index}]", version, "must appear in spec.versions"
            )
