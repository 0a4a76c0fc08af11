"""What a client reads: objects, lists, Tables, metadata, watch lines and Statuses, as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from controller.local import negotiation, queries
from controller.local.core.errors import ApiError
from controller.local.core.request import Result
from controller.local.core.resources import Resource
from controller.local.core.storage import Object
from controller.local.core.table import table
from controller.local.core.watch import Event
from controller.local.encoding import Encoder, as_yaml, plain, pretty
from controller.local.negotiation import Representation

_BROWSERS = ("curl/", "Wget/", "Mozilla/")


class Presenter:
    """Gives results the form that was negotiated."""

    def __init__(self, encoder: Encoder, clock: Callable[[], datetime]) -> None:
        self._encoder = encoder
        self._clock = clock

    def renderer(
        self, resource: Resource, representation: Representation, include: str
    ) -> Callable[[Event], bytes]:
        """How the events of one watch become lines; `include` is the request's includeObject."""
        encoder = self._encoder
        if representation.shape == "object":
            return lambda event: (
                encoder.event(event.type, event.object)
                if event.type in ("ADDED", "MODIFIED", "DELETED")
                else _line(event.type, event.object)
            )
        first = True

        def shaped(event: Event) -> bytes:
            nonlocal first
            if event.type == "ERROR":
                return _line(event.type, event.object)
            document = self._shape(resource, event.object, representation, include, headers=first)
            first = False
            return _line(event.type, document)

        return shaped

    def _shape(
        self,
        resource: Resource,
        obj: Object,
        representation: Representation,
        include: str,
        *,
        headers: bool = True,
    ) -> Object:
        """An object or list as a Table or as metadata alone."""
        api_version = f"meta.k8s.io/{representation.version}"
        if representation.shape == "Table":
            return table(
                resource,
                obj,
                now=self._clock(),
                include_object=include or "Metadata",
                headers=headers,
                version=representation.version,
            )
        if "items" in obj and obj.get("kind") == resource.list_kind:
            items = [_metadata_only(item, api_version) for item in obj["items"]]
            return {
                "kind": "PartialObjectMetadataList",
                "apiVersion": api_version,
                "metadata": obj["metadata"],
                "items": items,
            }
        return _metadata_only(obj, api_version)

    def present(
        self, request: web.BaseRequest, resource: Resource, result: Result, representation: Representation
    ) -> web.Response:
        """The answer to everything but a watch."""
        obj, code = result.object, result.code
        is_status = obj.get("kind") == "Status" and obj.get("apiVersion") == "v1"
        if representation.shape != "object" and not is_status:
            obj = self._shape(resource, obj, representation, request.query.get("includeObject", ""))
            data = plain(obj) if not wants_pretty(request) else pretty(obj)
        elif wants_pretty(request):
            data = pretty(obj)
        elif representation.media_type == negotiation.YAML:
            data = as_yaml(obj)
        elif "items" in obj and obj.get("kind") == resource.list_kind:
            data = self._encoder.encode_list(obj)
        elif is_status:
            data = plain(obj)
        else:
            data = self._encoder.encode(obj)
        return answer(data, representation.media_type, code=code, warnings=result.warnings)


def refusal(error: ApiError) -> web.Response:
    """The `Status` of an error, with the headers that go with it."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if error.code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="nxc-controller"'
    response = answer(
        plain(error.status()), negotiation.JSON, code=error.code, headers=headers, warnings=error.warnings
    )
    if error.code == HTTPStatus.TOO_MANY_REQUESTS:
        response.force_close()  # who is turned away holds no connection
    return response


def answer(
    data: bytes,
    media_type: str,
    *,
    code: int = 200,
    warnings: Iterable[str] = (),
    headers: dict[str, str] | None = None,
) -> web.Response:
    """Bytes as they are, with the headers of every answer."""
    response = web.Response(
        body=data,
        status=code,
        headers={
            "Content-Type": media_type,
            "Cache-Control": "no-cache, private",
            "Server": "nxc-controller",
            **(headers or {}),
        },
    )
    for warning in warnings:
        text = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
        response.headers.add("Warning", f'299 - "{text}"')
    return response


def wants_pretty(request: web.BaseRequest) -> bool:
    """As the real server: asked for, or a person's tool."""
    asked = queries.optional_flag(request.query, "pretty")
    return asked if asked is not None else request.headers.get("User-Agent", "").startswith(_BROWSERS)


def _line(kind: str, obj: Object) -> bytes:
    return plain({"type": kind, "object": obj}) + b"\n"


def _metadata_only(obj: Object, api_version: str) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": obj["metadata"]}
