"""Discovery documents: what the server serves, as pure functions of the Registry."""

from __future__ import annotations

from typing import Any

from controller.local.core.resources import Registry

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""Content type of the aggregated form (v2beta1 likewise, with `v=v2beta1`)."""


def version_info() -> dict[str, str]:
    """GET /version."""
    raise NotImplementedError


def root_paths(registry: Registry) -> dict[str, Any]:
    """GET / : the paths that the server answers."""
    raise NotImplementedError


def core_versions(server_address: str) -> dict[str, Any]:
    """GET /api (APIVersions). `server_address` is `host:port`."""
    raise NotImplementedError


def group_list(registry: Registry) -> dict[str, Any]:
    """GET /apis (APIGroupList)."""
    raise NotImplementedError


def group(registry: Registry, name: str) -> dict[str, Any] | None:
    """GET /apis/NAME (APIGroup), None where there is no such group (edge: 404)."""
    raise NotImplementedError


def resource_list(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    """GET /api/v1 and /apis/GROUP/VERSION (APIResourceList), None where not served (edge: 404)."""
    raise NotImplementedError


def aggregated(registry: Registry, *, core: bool, version: str = "v2") -> dict[str, Any]:
    """GET /api (`core=True`) or /apis in aggregated form (APIGroupDiscoveryList).

    `version` is v2 or v2beta1 of apidiscovery.k8s.io. Answer with content type AGGREGATED."""
    raise NotImplementedError
