"""/openapi/v3 and /openapi/v2 documents, as pure functions of the Registry."""

from __future__ import annotations

from typing import Any

from controller.local.core.resources import Registry


def index(registry: Registry) -> dict[str, Any]:
    """GET /openapi/v3: every group version with the address (and content hash) of its document."""
    raise NotImplementedError


def document(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    """GET /openapi/v3/api/v1 and /openapi/v3/apis/GROUP/VERSION; None where not served (edge: 404).

    Built once per registry state; treat as read-only."""
    raise NotImplementedError


def swagger(registry: Registry) -> dict[str, Any]:
    """GET /openapi/v2 (JSON alone; the edge answers 406 to a client that takes only protobuf)."""
    raise NotImplementedError
