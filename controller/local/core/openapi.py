"""/openapi/v3 and /openapi/v2 documents, as pure functions of the Registry.

kubectl reads from them: what `explain` prints; that PATCH takes `fieldValidation` and `dryRun` (else it
validates by itself, or refuses a dry run); and for strategic merge patches the content types and merge keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import orjson

from controller.local.core.builtin_schemas import GVK, model_name, models
from controller.local.core.builtin_terms import META, REF, TYPE_META, Schema, item, listing, model, ref
from controller.local.core.discovery import VERSION
from controller.local.core.resources import Registry, Resource

V2_REF = "#/definitions/"

JSON = "application/json"
PATCH_TYPES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
STRATEGIC = "application/strategic-merge-patch+json"


def index(registry: Registry) -> dict[str, Any]:
    """GET /openapi/v3: every group version with the address of its document.

    The address carries a hash of the content: a client that has the document need not fetch it again, and the
    edge may answer a request with the right hash as immutable."""
    return {
        "paths": {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={_hash(registry, group, version)}"}
            for path, group, version in _group_versions(registry)
        }
    }


def document(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    """GET /openapi/v3/api/v1 and /openapi/v3/apis/GROUP/VERSION; None where not served (edge: 404).

    Made once for each revision of the registry, and shared: to be read only."""
    cached = _cache(registry)
    key = (group, version)
    if key not in cached.documents:
        resources = registry.of_group(group, version)
        cached.documents[key] = _document(resources) if resources else None
    return cached.documents[key]


def swagger(registry: Registry) -> dict[str, Any]:
    """GET /openapi/v2 (JSON alone; the edge answers 406 to a client that takes only protobuf)."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {}
    for _, group, version in _group_versions(registry):
        found = document(registry, group, version) or {}
        schemas |= found["components"]["schemas"]
        for path, operations in found["paths"].items():
            paths[path] = {
                name: operation if name == "parameters" else _v2_operation(operation)
                for name, operation in operations.items()
            }
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": _v2_refs(paths),
        "definitions": _v2_refs(schemas),
    }


@dataclass
class _Cached:
    revision: int
    documents: dict[tuple[str, str], dict[str, Any] | None] = field(default_factory=dict)
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)


_CACHE: WeakKeyDictionary[Registry, _Cached] = WeakKeyDictionary()


def _cache(registry: Registry) -> _Cached:
    found = _CACHE.get(registry)
    if found is None or found.revision != registry.revision:
        found = _CACHE[registry] = _Cached(registry.revision)
    return found


def _hash(registry: Registry, group: str, version: str) -> str:
    hashes = _cache(registry).hashes
    if (group, version) not in hashes:
        content = orjson.dumps(document(registry, group, version), option=orjson.OPT_SORT_KEYS)
        hashes[group, version] = hashlib.sha256(content).hexdigest().upper()
    return hashes[group, version]


def _group_versions(registry: Registry) -> Iterator[tuple[str, str, str]]:
    for group in registry.groups():
        for version in registry.versions(group):
            yield (f"apis/{group}/{version}" if group else f"api/{version}"), group, version


def _document(resources: list[Resource]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Schema] = {}
    for resource in resources:
        paths |= _paths(resource)
        schemas |= _custom_models(resource) if resource.custom else {}
    known = models() | schemas
    wanted = [*schemas, *_references(paths)]
    found: dict[str, Schema] = {}
    while wanted:
        name = wanted.pop()
        if name not in found and name in known:
            found[name] = known[name]
            wanted += _references(known[name])
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": VERSION["gitVersion"]},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(found.items()))},
    }


def _references(node: Any) -> list[str]:
    """Names of all models that are referred to anywhere below `node`."""
    if isinstance(node, list):
        return [name for member in node for name in _references(member)]
    if not isinstance(node, dict):
        return []
    target = node.get("$ref")
    if isinstance(target, str):
        return [target.removeprefix(REF)]
    return [name for member in node.values() for name in _references(member)]


# ---------------------------------------------------------------- models of custom resources


def _custom_models(resource: Resource) -> dict[str, Schema]:
    schema = resource.openapi or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    metadata = {"metadata": ref(META + "ObjectMeta", "Standard object metadata.")}
    single = {**schema, "properties": {**TYPE_META, **schema.get("properties", {}), **metadata}}
    name = model_name(resource.group, resource.version, resource.kind)
    many = model(
        f"A list of {resource.kind} objects.",
        {
            **TYPE_META,
            "items": listing(item(name), "The objects."),
            "metadata": ref(META + "ListMeta", "Standard list metadata."),
        },
        "items",
    )
    return {
        name: {**single, GVK: [_gvk(resource)]},
        model_name(resource.group, resource.version, resource.list_kind): {
            **many,
            GVK: [{**_gvk(resource), "kind": resource.list_kind}],
        },
    }


def _gvk(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


# ---------------------------------------------------------------- paths


def _query(name: str, kind: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "schema": {"type": kind, "uniqueItems": True},
    }


def _in_path(name: str, description: str) -> dict[str, Any]:
    return {**_query(name, "string", description), "in": "path", "required": True}


_DRY_RUN = _query("dryRun", "string", "`All`: go through everything, store nothing.")
_MANAGER = _query("fieldManager", "string", "Who makes the change: at most 128 printable characters.")
_VALIDATION = _query(
    "fieldValidation",
    "string",
    "Unknown and doubled fields: Ignore drops them, Warn drops them with a warning, Strict refuses them.",
)
_FORCE = _query("force", "boolean", "Server-side apply only: take over fields that others own.")
_PRETTY = _query("pretty", "string", "If `true`, the answer is indented.")
_WRITE = [_DRY_RUN, _MANAGER, _VALIDATION]
_LIST = [
    _query("allowWatchBookmarks", "boolean", "Watches: send bookmarks."),
    _query("continue", "string", "Token of the part that follows."),
    _query("fieldSelector", "string", "Only objects with these fields."),
    _query("labelSelector", "string", "Only objects with these labels."),
    _query("limit", "integer", "At most this many objects; the answer says how to go on."),
    _query("resourceVersion", "string", "The version to list at, or to watch from."),
    _query("resourceVersionMatch", "string", "How resourceVersion is meant: Exact or NotOlderThan."),
    _query("sendInitialEvents", "boolean", "Watches: begin with the objects there are."),
    _query("timeoutSeconds", "integer", "End the watch after so many seconds."),
    _query("watch", "boolean", "Watch instead of listing."),
]
_DELETE = [
    _DRY_RUN,
    _query("gracePeriodSeconds", "integer", "Seconds until the object is ended."),
    _query("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    _query("propagationPolicy", "string", "Background, Foreground or Orphan."),
]
_OPTIONS = META + "DeleteOptions"

_METHODS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "create": ("post", "post", _WRITE),
    "list": ("get", "list", _LIST),
    "deletecollection": ("delete", "deletecollection", [*_DELETE, *_LIST]),
    "get": ("get", "get", []),
    "update": ("put", "put", _WRITE),
    "patch": ("patch", "patch", [*_WRITE, _FORCE]),
    "delete": ("delete", "delete", _DELETE),
}
"""API verb -> HTTP method, x-kubernetes-action, query parameters."""

_COLLECTION_VERBS = ("create", "list", "deletecollection")
_OBJECT_VERBS = ("get", "update", "patch", "delete")


def _paths(resource: Resource) -> dict[str, Any]:
    base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    scope = "/namespaces/{namespace}" if resource.namespaced else ""
    shared = [_PRETTY]
    if resource.namespaced:
        shared = [_in_path("namespace", "Namespace of the object."), _PRETTY]
    collection = f"{base}{scope}/{resource.plural}"
    paths = {collection: _item(resource, _COLLECTION_VERBS, shared)}
    if resource.namespaced and "list" in resource.verbs:
        paths[f"{base}/{resource.plural}"] = _item(resource, ("list",), [_PRETTY], everywhere=True)
    if "get" in resource.verbs:
        named = [_in_path("name", "Name of the object."), *shared]
        paths[f"{collection}/{{name}}"] = _item(resource, _OBJECT_VERBS, named)
        if resource.has_status:
            paths[f"{collection}/{{name}}/status"] = _item(
                resource, ("get", "update", "patch"), named, "Status"
            )
    return paths


def _item(
    resource: Resource,
    verbs: Iterable[str],
    shared: list[dict[str, Any]],
    part: str = "",
    *,
    everywhere: bool = False,
) -> dict[str, Any]:
    """The operations of one path, with the parameters they share."""
    operations: dict[str, Any] = {
        _METHODS[verb][0]: _operation(resource, verb, part, everywhere=everywhere)
        for verb in verbs
        if verb in resource.verbs
    }
    return {**operations, "parameters": shared}


def _operation(resource: Resource, verb: str, part: str, *, everywhere: bool) -> dict[str, Any]:
    method, action, parameters = _METHODS[verb]
    name = model_name(resource.group, resource.version, resource.kind)
    many = model_name(resource.group, resource.version, resource.list_kind)
    answer = {"list": many, "deletecollection": META + "Status", "delete": META + "Status"}.get(verb, name)
    operation: dict[str, Any] = {
        "description": f"{verb} {resource.kind}{' ' + part.lower() if part else ''}",
        "operationId": _operation_id(resource, verb, part, everywhere=everywhere),
        "tags": [f"{resource.group.removesuffix('.k8s.io').replace('.', '_') or 'core'}_{resource.version}"],
        "parameters": parameters,
        "responses": {
            "200": {"description": "OK", "content": {JSON: {"schema": item(answer)}}},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": action,
        GVK: _gvk(resource),
    }
    if method == "patch":
        types = PATCH_TYPES if resource.custom else (*PATCH_TYPES, STRATEGIC)
        operation["requestBody"] = _body(META + "Patch", types)
    elif method in ("post", "put"):
        operation["requestBody"] = _body(name, ("*/*",))
    elif method == "delete":
        operation["requestBody"] = {**_body(_OPTIONS, ("*/*",)), "required": False}
    return operation


def _body(name: str, content_types: Iterable[str]) -> dict[str, Any]:
    return {"content": {kind: {"schema": item(name)} for kind in content_types}, "required": True}


def _operation_id(resource: Resource, verb: str, part: str, *, everywhere: bool) -> str:
    """Such as `replaceNxcDevV1alpha1NamespacedDeploymentStatus`: unique over all documents."""
    action = {"get": "read", "update": "replace", "deletecollection": "deleteCollection"}.get(verb, verb)
    group = "".join(part.capitalize() for part in resource.group.removesuffix(".k8s.io").split(".")) or "Core"
    scope = "Namespaced" if resource.namespaced and not everywhere else ""
    tail = "ForAllNamespaces" if everywhere else part
    return f"{action}{group}{resource.version.capitalize()}{scope}{resource.kind}{tail}"


# ---------------------------------------------------------------- version 2


def _v2_operation(operation: dict[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in operation.items() if key != "requestBody"}
    found["responses"] = {
        code: {
            "description": answer["description"],
            **({"schema": answer["content"][JSON]["schema"]} if "content" in answer else {}),
        }
        for code, answer in operation["responses"].items()
    }
    found["produces"] = [JSON]
    body = operation.get("requestBody")
    if body is not None:
        schema = next(iter(body["content"].values()))["schema"]
        parameter = {"name": "body", "in": "body", "required": body["required"], "schema": schema}
        found["parameters"] = [parameter, *operation["parameters"]]
        found["consumes"] = list(body["content"])
    return found


def _v2_refs(node: Any) -> Any:
    """The same in version 2's dress: other addresses of models, no `allOf` around one, flat parameters."""
    if isinstance(node, list):
        return [_v2_refs(member) for member in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": V2_REF + node["$ref"].removeprefix(REF)}
    if "allOf" in node and len(node["allOf"]) == 1 and "$ref" in node["allOf"][0]:
        rest = {key: value for key, value in node.items() if key != "allOf"}
        return {**rest, **_v2_refs(node["allOf"][0])}
    if node.get("in") in ("query", "path") and isinstance(node.get("schema"), dict):
        rest = {key: value for key, value in node.items() if key != "schema"}
        return {**rest, **node["schema"]}
    return {key: _v2_refs(value) for key, value in node.items()}
