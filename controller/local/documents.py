"""What the server says about itself: versions, discovery, OpenAPI, health.

Discovery and OpenAPI depend on the registry alone, so that their bytes are kept until it changes; kubectl's
cache on disk asks again with the ETag and mostly hears 304.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.local import negotiation
from controller.local.core import discovery, openapi, swagger
from controller.local.core.errors import no_such_path, not_acceptable
from controller.local.core.resources import Registry
from controller.local.encoding import as_yaml, plain


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes to send as they are."""

    data: bytes
    media_type: str
    etag: str = ""
    immutable: bool = False
    """Whether the URL carries a hash of the content, so that a client may keep it for ever."""


class Documents:
    """Answers GET on the paths that are no resources; raises `ApiError` 404 for the rest."""

    def __init__(self, registry: Registry, address: Callable[[], str]) -> None:
        """`address`: the server's `host:port`."""
        self._registry = registry
        self._address = address
        self._revision = -1
        self._kept: dict[tuple[str, negotiation.Representation], Document] = {}

    def answer(self, path: str, accept: str, *, hashed: bool = False) -> Document:
        """`hashed`: the client gave the content's hash in the query (OpenAPI v3)."""
        path = path.rstrip("/") or "/"
        if path == "/openapi/v2" and negotiation.names(accept, swagger.ASKED):
            return Document(swagger.DOCUMENT, swagger.PROTOBUF)
        if path.startswith("/openapi"):
            if not negotiation.accepts_json(accept):
                raise not_acceptable([negotiation.JSON])
            representation = negotiation.Representation()
        else:
            representation = negotiation.for_discovery(accept)
        if self._revision != self._registry.revision:
            self._kept.clear()
            self._revision = self._registry.revision
        found = self._kept.get((path, representation))
        if found is None:
            found = self._kept[path, representation] = self._make(path, representation)
        if hashed:
            return Document(found.data, found.media_type, found.etag, immutable=True)
        return found

    def _make(self, path: str, representation: negotiation.Representation) -> Document:
        media_type = representation.media_type
        if representation.shape == "discovery" and path in ("/api", "/apis"):
            content: Any = discovery.aggregated(
                self._registry, core=path == "/api", version=representation.version
            )
            if media_type == negotiation.JSON:
                media_type = discovery.AGGREGATED.format(version=representation.version)
        else:
            content = self._content(path)
        if content is None:
            raise no_such_path()
        data = as_yaml(content) if media_type == negotiation.YAML else plain(content)
        return Document(data, media_type, f'"{hashlib.sha256(data).hexdigest().upper()}"')

    def _content(self, path: str) -> dict[str, Any] | None:
        registry = self._registry
        match path.strip("/").split("/"):
            case [""]:
                return discovery.root_paths(registry)
            case ["version"]:
                return dict(discovery.version_info())
            case ["api"]:
                return discovery.core_versions(self._address())
            case ["api", version]:
                return discovery.resource_list(registry, "", version)
            case ["apis"]:
                return discovery.group_list(registry)
            case ["apis", group]:
                return discovery.group(registry, group)
            case ["apis", group, version]:
                return discovery.resource_list(registry, group, version)
            case ["openapi", "v2"]:
                return openapi.swagger(registry)
            case ["openapi", "v3"]:
                return openapi.index(registry)
            case ["openapi", "v3", "api", version]:
                return openapi.document(registry, "", version)
            case ["openapi", "v3", "apis", group, version]:
                return openapi.document(registry, group, version)
        return None
