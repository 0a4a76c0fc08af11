"""Discovery documents: what the server serves, as pure functions of the Registry.

kubectl asks for the aggregated form first (two requests in all) and understands both.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from controller.local.core.resources import Registry, Resource, StorageKey

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
"""Content type of the aggregated form, for the versions v2 and v2beta1."""

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+nxc",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "python",
}
"""The Kubernetes version whose behaviour is kept to; clients compare it with their own."""

_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""The order in which the real server lists the verbs of custom resources; `api-resources -o wide` shows it."""

_HEALTH = ("/healthz", "/livez", "/readyz")


@dataclass(frozen=True, slots=True)
class _Subresource:
    """A subresource's verbs, and the kind it speaks where that is not the resource's own."""

    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""
    kind: str = ""


_SUBRESOURCES = {
    "status": _Subresource(("get", "patch", "update")),
    "finalize": _Subresource(("update",)),
    "token": _Subresource(("create",), "authentication.k8s.io", "v1", "TokenRequest"),
    "scale": _Subresource(("get", "patch", "update"), "autoscaling", "v1", "Scale"),
}


def version_info() -> dict[str, str]:
    """GET /version."""
    return dict(VERSION)


def root_paths(registry: Registry) -> dict[str, Any]:
    """GET / : the paths that the server answers."""
    paths = {"/api", "/apis", "/openapi/v2", "/openapi/v3", "/version", *_HEALTH}
    for group in registry.groups():
        if group:
            paths.add(f"/apis/{group}")
        paths |= {_group_version_path(group, version) for version in registry.versions(group)}
    return {"paths": sorted(paths)}


def core_versions(server_address: str) -> dict[str, Any]:
    """GET /api (APIVersions). `server_address` is `host:port`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": server_address}],
    }


def group_list(registry: Registry) -> dict[str, Any]:
    """GET /apis (APIGroupList)."""
    groups = [_group(registry, name) for name in _ordered_groups(registry) if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> dict[str, Any] | None:
    """GET /apis/NAME (APIGroup), None where there is no such group (edge: 404)."""
    if not name or name not in registry.groups():
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, name)}


def resource_list(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    """GET /api/v1 and /apis/GROUP/VERSION (APIResourceList), None where not served (edge: 404)."""
    resources = registry.of_group(group, version)
    if not resources:
        return None
    storage_kinds = _storage_kinds(registry)
    entries: list[dict[str, Any]] = []
    for resource in resources:
        entries.append(_resource(resource, storage_kinds))
        for name in sorted(resource.subresources):
            about = _SUBRESOURCES[name]
            entry: dict[str, Any] = {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": about.kind or resource.kind,
                "verbs": list(about.verbs),
            }
            if about.kind:
                entry |= {"group": about.group, "version": about.version}
            entries.append(entry)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": entries,
    }


def aggregated(registry: Registry, *, core: bool, version: str = "v2") -> dict[str, Any]:
    """GET /api (`core=True`) or /apis in aggregated form (APIGroupDiscoveryList).

    `version` is v2 or v2beta1 of apidiscovery.k8s.io; answer with content type AGGREGATED."""
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [
                {
                    "version": served,
                    "resources": [_aggregated_resource(entry) for entry in registry.of_group(name, served)],
                    "freshness": "Current",
                }
                for served in registry.versions(name)
            ],
        }
        for name in _ordered_groups(registry)
        if core is (not name)
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def _ordered_groups(registry: Registry) -> list[str]:
    """Built-in groups first: clients resolve a plural that several groups have to the first of them."""
    custom = {resource.group for resource in registry if resource.custom}
    return sorted(registry.groups(), key=lambda name: (name in custom, name))


def _group_version_path(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def _group(registry: Registry, name: str) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in registry.versions(name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _verbs(resource: Resource) -> list[str]:
    return sorted(resource.verbs, key=_CUSTOM_VERBS.index) if resource.custom else list(resource.verbs)


def _resource(resource: Resource, storage_kinds: dict[StorageKey, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.stored:
        entry["storageVersionHash"] = _storage_version_hash(
            resource.storage[0], resource.storage_version, storage_kinds.get(resource.storage, resource.kind)
        )
    return entry


def _storage_kinds(registry: Registry) -> dict[StorageKey, str]:
    return {entry.storage: entry.kind for entry in registry}


def _storage_version_hash(group: str, api_version: str, kind: str) -> str:
    """Opaque to clients: equal for resources that are stored alike.

    Source: k8s.io/apiserver/pkg/endpoints/discovery StorageVersionHash."""
    version = api_version.rpartition("/")[2]
    digest = hashlib.sha256(f"{group}/{version}/{kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated_resource(resource: Resource) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": name,
                "responseKind": {
                    "group": about.group if about.kind else resource.group,
                    "version": about.version or resource.version,
                    "kind": about.kind or resource.kind,
                },
                "verbs": list(about.verbs),
            }
            for name, about in ((name, _SUBRESOURCES[name]) for name in sorted(resource.subresources))
        ]
    return entry
