"""What the operator asks of an API server, and how it can be refused.

`Api` has two implementations: `controller.kube.client` over HTTP, and the scenarios' in-memory server.
Objects go in and come out as JSON gives them; nobody changes one in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from controller.model.errors import Blame, NxcError
from controller.model.kinds import Kind
from controller.model.meta import Object


class ApiError(NxcError):
    """The API server said no. `code` is the HTTP status; `retry_after` in seconds where it named one."""

    blame = Blame.CONTROLLER

    def __init__(self, code: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason or f"Http{code}", message)
        self.code = code
        self.retry_after = retry_after


class NotFound(ApiError):
    """404: there is no such object (or no such kind)."""


class AlreadyExists(ApiError):
    """409 AlreadyExists: an object of this name is there."""


class Conflict(ApiError):
    """409 Conflict: the object has changed since it was read."""


class Forbidden(ApiError):
    """403: the operator's role lacks a verb, or the namespace is terminating."""


class Unauthorized(ApiError):
    """401: the server does not know who asks: a token or certificate that is wrong or has expired."""


class Unreachable(ApiError):
    """No answer: refused, timed out, cut off, or unreadable. Whether a write was done is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(0, "ApiUnreachable", message)


_BY_REASON = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Forbidden": Forbidden,
    "Unauthorized": Unauthorized,
}
_BY_CODE = {401: Unauthorized, 403: Forbidden, 404: NotFound, 409: Conflict}


def refusal(code: int, status: Mapping[str, Any], *, retry_after: float | None = None) -> ApiError:
    """The error for a Status object (metav1.Status) that came with an HTTP status."""
    reason, message = status.get("reason") or "", status.get("message") or f"HTTP status {code}"
    error = _BY_REASON.get(reason) or _BY_CODE.get(code, ApiError)
    return error(code, reason, message, retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind as they stood at one resource version."""

    items: tuple[Object, ...]
    resource_version: str


class Api(Protocol):
    """Access to an API server. Every call has a time limit of its own and raises `ApiError`."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read one object. `namespace` is empty for cluster-scoped kinds."""

    async def list(self, kind: Kind, *, namespace: str = "") -> Listing:
        """Read all objects of a kind, in chunks; of all namespaces unless one is named."""

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Make an object; its namespace is in its metadata."""

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
    ) -> Object:
        """JSON merge patch (RFC 7386). With `metadata.resourceVersion` in it, raises `Conflict` if stale."""

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Ask for an object to go, if it is still the one with this uid; `NotFound` and `Conflict` if not."""
