"""Every refusal of the API, as the `Status` object that a client reads.

Codes, reasons and message texts are those of k8s.io/apimachinery `api/errors` and `util/validation/field`:
clients, kubectl among them, decide by `reason` and print `message`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
"""What a conflict says when nothing more exact is known."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing wrong with one field.

    `message` is what stands in `details.causes[].message`, without the field: `Required value`,
    `Invalid value: "x": must be ...`. `str(cause)` is the line that goes into the status message.
    """

    reason: str
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def quoted(value: Any) -> str:
    """A value as the server prints it in a message: strings quoted, everything else as compact JSON."""
    if isinstance(value, float):
        return go_float(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError):
        return repr(value)


def go_float(value: float) -> str:
    """A double as Go's %v prints it: `2`, `0.5`, `1e+06`."""
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    if not isinstance(exponent, int):
        return repr(value)  # not a number of JSON
    power = len(digits) + exponent - 1
    if -4 <= power < 6:
        return f"{value:.{max(0, -exponent)}f}"
    text = "".join(map(str, digits))
    mantissa = f"{text[0]}.{text[1:]}" if len(text) > 1 else text
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def required(field: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", field, f"Required value: {detail}" if detail else "Required value")


def invalid_value(field: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", field, f"Invalid value: {quoted(value)}: {detail}")


def unsupported_value(field: str, value: Any, supported: Iterable[Any]) -> Cause:
    options = ", ".join(quoted(option) for option in supported)
    return Cause(
        "FieldValueNotSupported", field, f"Unsupported value: {quoted(value)}: supported values: {options}"
    )


def duplicate_value(field: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", field, f"Duplicate value: {quoted(value)}")


def forbidden_value(field: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", field, f"Forbidden: {detail}")


def too_long(field: str, limit: int) -> Cause:
    """`limit` in bytes."""
    unit = "byte" if limit == 1 else "bytes"
    return Cause("FieldValueTooLong", field, f"Too long: may not be more than {limit} {unit}")


def too_many(field: str, actual: int, limit: int) -> Cause:
    unit = "item" if limit == 1 else "items"
    return Cause("FieldValueTooMany", field, f"Too many: {actual}: must have at most {limit} {unit}")


class ApiError(Exception):
    """A refusal. `code` is the HTTP status, `retry_after` in seconds."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details) if details is not None else None
        self.retry_after = retry_after
        self.metadata = dict(metadata or {})
        self.warnings: tuple[str, ...] = ()
        """About the request's fields, to be sent beside the refusal."""

    def status(self) -> dict[str, Any]:
        """The v1 `Status` object to send."""
        details = dict(self.details) if self.details is not None else None
        if self.retry_after is not None:
            details = {**(details or {}), "retryAfterSeconds": self.retry_after}
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if details is not None:
            status["details"] = details
        status["code"] = self.code
        return status


def qualified(group: str, resource: str) -> str:
    """`deployments.nxc.dev`, or just `configmaps` in the core group."""
    return f"{resource}.{group}" if group else resource


def _details(group: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    return {**details, **{key: value for key, value in more.items() if value}}


def _listed(causes: Iterable[Cause]) -> list[dict[str, str]]:
    return [
        {"reason": cause.reason, "message": cause.message, **({"field": cause.field} if cause.field else {})}
        for cause in causes
    ]


def success(group: str, resource: str, name: str, uid: str) -> dict[str, Any]:
    """The `Status` that answers a completed delete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": _details(group, resource, name, uid=uid),
    }


def not_found(group: str, resource: str, name: str) -> ApiError:
    message = f'{qualified(group, resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_details(group, resource, name))


def no_such_path() -> ApiError:
    """The URL itself leads nowhere."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(
    group: str, resource: str, name: str, *, terminating: bool = False, generated: bool = False
) -> ApiError:
    """`generated`: the name was, or could have been, made from a generateName; a client may try again."""
    message = f'{qualified(group, resource)} "{name}" already exists'
    if terminating:
        message = f"object is being deleted: {message}"
    if generated:
        message += ", the server was not able to generate a unique name for the object"
        details = _details(group, resource, name)
        return ApiError(409, "AlreadyExists", message, details=details, retry_after=1)
    return ApiError(409, "AlreadyExists", message, details=_details(group, resource, name))


def conflict(group: str, resource: str, name: str, message: str = MODIFIED) -> ApiError:
    text = f'Operation cannot be fulfilled on {qualified(group, resource)} "{name}": {message}'
    return ApiError(409, "Conflict", text, details=_details(group, resource, name))


def apply_conflict(message: str, causes: Sequence[Cause]) -> ApiError:
    """Server-side apply found fields of other managers (cause reason `FieldManagerConflict`)."""
    return ApiError(409, "Conflict", message, details={"causes": _listed(causes)})


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object was understood and is wrong; `causes` says where."""
    lines = list(dict.fromkeys(str(cause) for cause in causes))
    text = f'{qualified(group, kind)} "{name}" is invalid'
    if lines:
        text += f": {lines[0]}" if len(lines) == 1 else f": [{', '.join(lines)}]"
    return ApiError(422, "Invalid", text, details=_details(group, kind, name, causes=_listed(causes)))


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized(message: str = "Unauthorized") -> ApiError:
    return ApiError(401, "Unauthorized", message)


def forbidden(group: str, resource: str, name: str, message: str, causes: Sequence[Cause] = ()) -> ApiError:
    if not resource:
        text = f"forbidden: {message}"
    elif not name:
        text = f"{qualified(group, resource)} is forbidden: {message}"
    else:
        text = f'{qualified(group, resource)} "{name}" is forbidden: {message}'
    return ApiError(403, "Forbidden", text, details=_details(group, resource, name, causes=_listed(causes)))


def method_not_allowed(verb: str, group: str = "", resource: str = "") -> ApiError:
    if not resource:
        text = "the server does not allow this method on the requested resource"
        return ApiError(405, "MethodNotAllowed", text, details={})
    text = f'{verb} is not supported on resources of kind "{qualified(group, resource)}"'
    return ApiError(405, "MethodNotAllowed", text, details=_details(group, resource, ""))


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    text = f"only the following media types are accepted: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", text)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    text = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}"
    )
    return ApiError(415, "UnsupportedMediaType", text)


def gone(message: str) -> ApiError:
    return ApiError(410, "Gone", message)


def expired(message: str, *, continue_token: str = "") -> ApiError:
    """410: the version asked for has left the window. With a `continue_token` a list can go on."""
    return ApiError(
        410, "Expired", message, metadata={"continue": continue_token} if continue_token else None
    )


def too_large(limit: int) -> ApiError:
    """`limit` in bytes."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}")


def too_many_requests(message: str, retry_after: int) -> ApiError:
    return ApiError(429, "TooManyRequests", message, details={}, retry_after=retry_after)


def internal(message: str) -> ApiError:
    text = f"Internal error occurred: {message}"
    return ApiError(500, "InternalError", text, details={"causes": [{"message": message}]})


def internal_plain(message: str) -> ApiError:
    """500 for what the real server lets fall through unnamed: no reason, the bare message."""
    return ApiError(500, "", message)


def service_unavailable(message: str, retry_after: int | None = None) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message, retry_after=retry_after)


def timeout(message: str, retry_after: int = 1, causes: Sequence[Cause] = ()) -> ApiError:
    return ApiError(
        504,
        "Timeout",
        message,
        details={"causes": _listed(causes)} if causes else {},
        retry_after=retry_after,
    )


def version_too_large(asked: int, current: int) -> ApiError:
    """A client asks for a version that does not exist yet."""
    cause = Cause("ResourceVersionTooLarge", "", "Too large resource version")
    return timeout(f"Timeout: Too large resource version: {asked}, current: {current}", causes=[cause])


def insufficient_storage(message: str) -> ApiError:
    """507: nothing was written, because the disk is full or refuses."""
    return ApiError(507, "InsufficientStorage", message)
