"""Tokens for ServiceAccounts: the `token` subresource (`kubectl create token NAME`)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.local.authn import ISSUER, Tokens
from controller.local.core.api import ApiCore
from controller.local.core.errors import bad_request, conflict, invalid, invalid_value, not_found
from controller.local.core.request import Request

DEFAULT_SECONDS = 3600
SHORTEST, LONGEST = 600, 1 << 32


def account_uid(core: ApiCore, namespace: str, name: str) -> str | None:
    """The uid of a ServiceAccount that exists and is not being deleted."""
    return object_uid(core, "serviceaccounts", namespace, name)


def object_uid(core: ApiCore, plural: str, namespace: str, name: str) -> str | None:
    stored = core.storage.get(("", plural), namespace, name)
    if stored is None or stored["metadata"].get("deletionTimestamp"):
        return None
    uid = stored["metadata"]["uid"]
    assert isinstance(uid, str)
    return uid


def issue_token(core: ApiCore, tokens: Tokens, request: Request) -> dict[str, Any]:
    """Answer a TokenRequest (authentication.k8s.io/v1); raises `ApiError` 404, 409 or 422."""
    namespace, name = request.namespace, request.name
    uid = account_uid(core, namespace, name)
    if uid is None:
        raise not_found("", "serviceaccounts", name)
    body = request.body if request.body is not None else {}
    if not isinstance(body, dict) or body.get("kind", "TokenRequest") != "TokenRequest":
        raise bad_request("the body must be a TokenRequest of authentication.k8s.io/v1")
    spec = body.get("spec") or {}
    seconds = spec.get("expirationSeconds") or DEFAULT_SECONDS
    _check_seconds(seconds)
    audiences = spec.get("audiences") or [ISSUER]
    if not isinstance(audiences, list) or not all(isinstance(audience, str) for audience in audiences):
        raise bad_request("spec.audiences must be a list of strings")
    bound = _bound(core, namespace, spec.get("boundObjectRef"))
    token, ends = tokens.issue(namespace, name, uid, seconds=seconds, audiences=audiences, bound=bound)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": _time(ends - seconds)},
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": _time(ends)},
    }


def _check_seconds(seconds: Any) -> None:
    if not isinstance(seconds, int) or seconds < SHORTEST:
        problem = "may not specify a duration less than 10 minutes"
    elif seconds > LONGEST:
        problem = "may not specify a duration larger than 2^32 seconds"
    else:
        return
    cause = invalid_value("spec.expirationSeconds", seconds, problem)
    raise invalid("authentication.k8s.io", "TokenRequest", "", [cause])


def _bound(core: ApiCore, namespace: str, reference: Any) -> dict[str, str] | None:
    if not reference:
        return None
    if (
        not isinstance(reference, dict)
        or reference.get("kind") != "Secret"
        or reference.get("apiVersion") != "v1"
    ):
        raise bad_request(
            "spec.boundObjectRef: tokens can be bound to a Secret (v1) alone; this server has no Pods"
        )
    name = str(reference.get("name", ""))
    uid = object_uid(core, "secrets", namespace, name)
    if uid is None:
        raise not_found("", "secrets", name)
    wanted = reference.get("uid")
    if wanted and wanted != uid:
        message = f"the UID in the bound object reference ({wanted}) does not match the UID in record ({uid})"
        raise conflict("", "secrets", name, message)
    return {"kind": "Secret", "name": name, "uid": uid}


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
