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
    if _common(versions, "schema"):
        return "spec.validation.openAPIV3Schema"
    return f"spec.versions[{index}].schema.openAPIV3Schema"


def _common(versions: list[Any], key: str) -> bool:
    """Whether all versions say the same there: the server then keeps and names it once, in the spec."""
    return all(version.get(key) == versions[0].get(key) for version in versions)


def definition_causes(obj: Object, live: Object | None) -> list[Cause]:
    """What is wrong with the definition `obj`, replacing `live` if there is one."""
    spec = obj.get("spec") or {}
    causes = [*_scope_causes(obj, spec, new=live is None), *_version_causes(spec), *_name_causes(spec)]
    strategy = (spec.get("conversion") or {}).get("strategy") or "None"
    if strategy == "Webhook":
        detail = "this server converts between versions with strategy None only; webhooks are not called"
        causes.append(errors.forbidden_value("spec.conversion.strategy", detail))
    elif strategy != "None":
        causes.append(errors.unsupported_value("spec.conversion.strategy", strategy, ("None", "Webhook")))
    if spec.get("preserveUnknownFields"):
        field = "x-kubernetes-preserve-unknown-fields"
        detail = f"cannot set to true, set {field} to true in spec.versions[*].schema instead"
        causes.append(errors.invalid_value("spec.preserveUnknownFields", True, detail))
    if live is not None:
        causes += _change_causes(obj, live)
    return causes


def _scope_causes(obj: Object, spec: Object, *, new: bool) -> Iterator[Cause]:
    group = spec.get("group") or ""
    name, expected = obj["metadata"].get("name", ""), f"{(spec.get('names') or {}).get('plural')}.{group}"
    if new and name != expected:
        yield errors.invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield errors.required("spec.group")
    elif "." not in group:
        yield errors.invalid_value("spec.group", group, "should be a domain with at least one dot")
    else:
        for problem in names.subdomain_errors(group):
            yield errors.invalid_value("spec.group", group, problem)
    if not spec.get("scope"):
        yield errors.required("spec.scope")
    elif spec["scope"] not in ("Cluster", "Namespaced"):
        yield errors.unsupported_value("spec.scope", spec["scope"], ("Cluster", "Namespaced"))


def _name_causes(spec: Object) -> Iterator[Cause]:
    words = spec.get("names") or {}
    for key in ("plural", "singular", "kind", "listKind"):
        value = words.get(key) or ""
        if not value:
            yield errors.required(f"spec.names.{key}")
            continue
        mixed = key in ("kind", "listKind")
        for problem in names.dns1035_errors(value.lower() if mixed else value):
            text = f"may have mixed case, but should otherwise match: {problem}" if mixed else problem
            yield errors.invalid_value(f"spec.names.{key}", value, text)
    for list_key in ("shortNames", "categories"):
        for index, value in enumerate(words.get(list_key) or ()):
            for problem in names.dns1035_errors(value):
                yield errors.invalid_value(f"spec.names.{list_key}[{index}]", value, problem)
    if words.get("kind") and words.get("kind") == words.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield errors.invalid_value("spec.names.listKind", words["listKind"], detail)


def _version_causes(spec: Object) -> Iterator[Cause]:
    versions = spec.get("versions") or []
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
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            yield errors.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        shown = [version.get("name", "") for version in versions]
        yield errors.invalid_value(
            "spec.versions", shown, "must have exactly one version marked as storage version"
        )
    for key, check in (
        ("additionalPrinterColumns", _column_causes),
        ("selectableFields", _selectable_causes),
    ):
        if versions and _common(versions, key):
            yield from check(versions[0], f"spec.{key}")
        else:
            for index, version in enumerate(versions):
                yield from check(version, f"spec.versions[{index}].{key}")


def _column_causes(version: Object, path: str) -> Iterator[Cause]:
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        at = f"{path}[{index}]"
        known = f"must be one of {','.join(COLUMN_TYPES)}"
        if not column.get("name"):
            yield errors.required(f"{at}.name")
        if not column.get("type"):
            yield errors.required(f"{at}.type", known)
        elif column["type"] not in COLUMN_TYPES:
            yield errors.invalid_value(f"{at}.type", column["type"], known)
        if not column.get("jsonPath"):
            yield errors.required(f"{at}.JSONPath")
        elif not column["jsonPath"].startswith("."):
            detail = "must be a simple json path starting with ."
            yield errors.invalid_value(f"{at}.JSONPath", column["jsonPath"], detail)


def _selectable_causes(version: Object, path: str) -> Iterator[Cause]:
    fields = version.get("selectableFields") or ()
    if len(fields) > SELECTABLE_LIMIT:
        yield errors.too_many(path, len(fields), SELECTABLE_LIMIT)
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for index, field in enumerate(fields):
        at, json_path = f"{path}[{index}].jsonPath", field.get("jsonPath") or ""
        found = _type_at(schema, json_path.split(".")[1:])
        if not json_path:
            yield errors.required(at)
        elif not _SIMPLE_PATH.match(json_path):
            detail = f"is an invalid path: expected [ or . but got: {json_path}"
            yield errors.invalid_value(at, json_path, detail)
        elif json_path in seen:
            yield errors.duplicate_value(at, json_path)
        elif found is None or json_path.startswith(".metadata."):
            yield errors.invalid_value(at, json_path, "is an invalid path: does not refer to a valid field")
        elif found not in ("string", "integer", "boolean"):
            detail = (
                "must point to a field of type string, boolean or integer. "
                "Enum string fields and strings with formats are allowed."
            )
            yield errors.invalid_value(at, json_path, detail)
        seen.add(json_path)


def _type_at(schema: Any, path: list[str]) -> str | None:
    for step in path:
        schema = (schema.get("properties") or {}).get(step) if isinstance(schema, dict) else None
    return schema.get("type") if isinstance(schema, dict) else None


def _change_causes(obj: Object, live: Object) -> Iterator[Cause]:
    new, old = obj["spec"], live["spec"]
    words = new.get("names") or {}
    checked = [("spec.group", new.get("group"), old.get("group"))]
    checked.append(("spec.names.plural", words.get("plural"), old["names"].get("plural")))
    conditions = (live.get("status") or {}).get("conditions") or ()
    if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        checked.append(("spec.scope", new.get("scope"), old.get("scope")))
        checked.append(("spec.names.kind", words.get("kind"), old["names"].get("kind")))
    for path, after, before in checked:
        if after != before:
            yield errors.invalid_value(path, after, _IMMUTABLE)
    versions = {version.get("name") for version in new.get("versions") or ()}
    for index, version in enumerate((obj.get("status") or {}).get("storedVersions") or ()):
        if version not in versions:
            detail = (
                f"missing from spec.versions; {version} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{version} and removes {version} from status.storedVersions"
            )
            yield errors.invalid_value(f"status.storedVersions[{index}]", version, detail)
