"""From the body of a request to an object of the resource it was sent to."""

from __future__ import annotations

from functools import cache
from typing import Any

from controller.local.core import errors
from controller.local.core.builtin_schemas import structural_schema
from controller.local.core.metadata_decoding import UndecodableError, decoded
from controller.local.core.request import Request
from controller.local.core.resources import CUSTOM_RESOURCE_DEFINITIONS, Resource
from controller.local.core.schema import SchemaError, Structural
from controller.local.core.schema_fields import prune_definition
from controller.local.core.sharing import shared
from controller.local.core.storage import Object
from controller.local.core.strategy import Strategy
from controller.local.core.structural import parse


def schema_of(resource: Resource) -> Structural | None:
    """The compiled schema of a resource; built-in ones are compiled when they are first needed."""
    if resource.schema is not None or resource.custom:
        return resource.schema
    return _builtin_schema(resource.group, resource.version, resource.kind)


@cache
def _builtin_schema(group: str, version: str, kind: str) -> Structural | None:
    schema = structural_schema(group, version, kind)
    if schema is None:
        return None
    # Metadata is decoded by its own rules, and what only custom resources must keep to is not checked.
    properties = {name: node for name, node in schema["properties"].items() if name != "metadata"}
    causes: list[errors.Cause] = []
    root = parse({**schema, "properties": properties}, "", causes)
    if causes:
        raise SchemaError(causes)
    return Structural(root, None)


def whole(
    request: Request, resource: Resource, strategy: Strategy, live: Object | None = None
) -> tuple[Object, tuple[str, ...]]:
    """The object that a create, or a replacement of `live`, sent, completed with defaults, and the warnings to give.

    Raises ApiError 400 where it is no object of this resource, and for unknown fields under Strict.
    """
    body = request.body
    if not isinstance(body, dict):
        detail = f"json: cannot unmarshal {_json_type(body)} into Go value of type {resource.kind}"
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): {detail}"
        )
    check_type(body, resource)
    try:
        obj, unknown = complete(body, resource, strategy, live)
    except UndecodableError as error:
        raise _unhandled(resource, body, str(error)) from None
    return obj, field_warnings(request, resource, unknown)


def patched(
    document: Any, request: Request, resource: Resource, strategy: Strategy, live: Object
) -> tuple[Object, tuple[str, ...]]:
    """The object that a patch made of `live`, completed with defaults, and the warnings to give."""
    # Of a Secret only the patch is quoted: who may patch it may not be allowed to read it.
    quoted = request.body if (resource.group, resource.plural) == ("", "secrets") else document
    if not isinstance(document, dict):
        raise _bad_patch(quoted, "the patched document is not an object")
    try:
        obj, unknown = complete(document, resource, strategy, live)
    except UndecodableError as error:
        raise _bad_patch(quoted, str(error)) from None
    problems = [errors.invalid_value(key, document.get(key), f"must be {expected}")
                for key, expected in (("apiVersion", resource.api_version), ("kind", resource.kind))
                if document.get(key) != expected]  # fmt: skip
    if problems and not resource.custom:
        found, version = document.get("kind"), document.get("apiVersion")
        raise _bad_patch(quoted, f'no kind "{found}" is registered for version "{version}"')
    if problems:
        kind = str(document.get("kind") or "")
        group = str(document.get("apiVersion") or "").rpartition("/")[0]
        raise errors.invalid(group, kind, str(obj["metadata"].get("name") or ""), problems)
    if request.field_validation == "Strict" and (unknown or request.duplicates):
        raise _bad_patch(quoted, _strict(request.duplicates, unknown))
    return obj, field_warnings(request, resource, unknown)


def check_type(body: Object, resource: Resource) -> None:
    """Raises ApiError 400 (422 for a custom resource of another kind) where `body` is of another type."""
    version, kind = body.get("apiVersion"), body.get("kind")
    if not resource.custom:
        # Typed kinds may leave both out.
        if (version or resource.api_version) != resource.api_version or (
            kind or resource.kind
        ) != resource.kind:
            detail = f'no kind "{kind}" is registered for version "{version}"'
            if version == resource.api_version:
                detail = f"the kind of this resource is {resource.kind}"
            raise _unhandled(resource, body, detail)
        return
    if not kind:
        detail = f"Object 'Kind' is missing in '{errors.quoted(body)[:200]}'"
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): {detail}"
        )
    if version != resource.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version or ''}) does not match "
            f"the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        name = (body.get("metadata") or {}).get("name", "") if isinstance(body.get("metadata"), dict) else ""
        cause = errors.invalid_value("kind", kind, f"must be {resource.kind}")
        raise errors.invalid(resource.group, str(kind), str(name), [cause])


def complete(
    body: Object, resource: Resource, strategy: Strategy, live: Object | None = None
) -> tuple[Object, list[str]]:
    """`body` without unknown fields and with defaults, fresh at the top and in its metadata; what is dropped.

    `live` is what it was made from: top-level fields that are still the same are complete already.
    Raises UndecodableError where a part has a type that cannot be decoded at all.
    """
    metadata, unknown = decoded(body.get("metadata"))
    if live is not None:
        metadata = {key: shared(value, live["metadata"].get(key)) for key, value in metadata.items()}
    obj: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    for key, value in body.items():
        obj.setdefault(key, value)
    schema = schema_of(resource)
    if schema is not None:
        obj, dropped = _fitted(
            obj, schema, live if resource.api_version == resource.storage_version else None
        )
        unknown = [*unknown, *dropped]
        if resource.storage == CUSTOM_RESOURCE_DEFINITIONS.storage:
            obj, dropped = prune_definition(obj)
            unknown += dropped
        if not resource.custom:
            # A typed kind that does not decode is a bad request, not an invalid object.
            for cause in schema.validate(obj):
                if cause.reason == "FieldValueTypeInvalid":
                    raise UndecodableError(f"{cause.field}: {cause.message}")
    obj = strategy.default(resource, obj)
    if obj["metadata"] is body.get("metadata"):
        obj = {**obj, "metadata": dict(metadata)}
    return obj, unknown


def _fitted(obj: Object, schema: Structural, live: Object | None) -> tuple[Object, list[str]]:
    """`obj` pruned and defaulted, and the paths dropped. What is as in `live`, which fits, is not looked at again."""
    if live is not None:
        obj = {key: shared(value, live[key]) if key in live else value for key, value in obj.items()}
    pruned, dropped = schema.prune(obj, live)
    return schema.default(pruned, live), dropped


def field_warnings(request: Request, resource: Resource, unknown: list[str]) -> tuple[str, ...]:
    """The warnings for unknown and duplicate fields. Raises ApiError 400 for them under Strict."""
    if not (unknown or request.duplicates) or request.field_validation == "Ignore":
        return ()
    if request.field_validation == "Strict":
        raise _unhandled(resource, {}, _strict(request.duplicates, unknown))
    return tuple(_field_problems(request.duplicates, unknown))


def check_applied(body: Any, resource: Resource) -> Object:
    """The configuration of a server-side apply, fresh at the top and in its metadata; `apply` looks at the rest."""
    if not isinstance(body, dict):
        raise errors.bad_request("error decoding YAML: the applied configuration is not an object")
    if (body.get("apiVersion"), body.get("kind")) != (resource.api_version, resource.kind):
        group_version, kind = body.get("apiVersion") or "", body.get("kind") or ""
        raise errors.bad_request(f"invalid object type: {group_version}, Kind={kind}")
    metadata = body.get("metadata")
    return {**body, "metadata": dict(metadata) if isinstance(metadata, dict) else {}}


def _field_problems(duplicates: tuple[str, ...], unknown: list[str]) -> list[str]:
    return [f'duplicate field "{path}"' for path in duplicates] + [
        f'unknown field "{path}"' for path in unknown
    ]


def _strict(duplicates: tuple[str, ...], unknown: list[str]) -> str:
    return f"strict decoding error: {', '.join(_field_problems(duplicates, unknown))}"


def _unhandled(resource: Resource, body: Object, detail: str) -> errors.ApiError:
    kind = body.get("kind") or resource.kind
    version = str(body.get("apiVersion") or resource.api_version).rpartition("/")[2]
    return errors.bad_request(
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {detail}'
    )


def _bad_patch(document: Any, detail: str) -> errors.ApiError:
    return errors.invalid("", "", "", [errors.invalid_value("patch", errors.quoted(document), detail)])


def _json_type(value: Any) -> str:
    return {list: "array", str: "string", bool: "bool", type(None): "null"}.get(type(value), "number")
