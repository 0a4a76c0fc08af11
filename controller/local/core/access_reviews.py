"""Access reviews: questions to the Authorizer that are asked through the API.

Source: k8s.io/kubernetes pkg/registry/authorization and pkg/apis/authorization/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.local.core.errors import Cause, bad_request, invalid, invalid_value
from controller.local.core.rbac import MASTERS, Attributes, Authorizer, Identity, aggregate
from controller.local.core.rbac_rules import EVERYTHING, Rule

Object = Mapping[str, Any]

AUTHORIZATION = "authorization.k8s.io"
AUTHENTICATION = "authentication.k8s.io"


def review(
    plural: str, body: Object, *, namespace: str | None, user: Identity, authorizer: Authorizer
) -> dict[str, Any]:
    """Answer a create of one of REVIEWS: `body` with its status. `namespace` is that of the URL.

    Raises ApiError 422 or 400 for a question that is incomplete or contradicts itself, and KeyError for a
    plural that is not in REVIEWS."""
    return REVIEWS[plural](body, namespace or "", user, authorizer)


@dataclass(frozen=True, slots=True)
class _Subject:
    name: str
    groups: Sequence[str]


def _self_access(body: Object, _: str, user: Identity, authorizer: Authorizer) -> dict[str, Any]:
    spec = body.get("spec") or {}
    _refuse(_metadata_causes(body) + _question_causes(spec))
    return _answered("SelfSubjectAccessReview", spec, user, authorizer, {})


def _access(body: Object, _: str, __: Identity, authorizer: Authorizer) -> dict[str, Any]:
    spec = body.get("spec") or {}
    _refuse(_metadata_causes(body) + _question_causes(spec) + _subject_causes(spec))
    return _answered("SubjectAccessReview", spec, _subject(spec), authorizer, {})


def _local_access(body: Object, namespace: str, _: Identity, authorizer: Authorizer) -> dict[str, Any]:
    spec = body.get("spec") or {}
    causes = _metadata_causes(body, namespaced=True) + _question_causes(spec) + _subject_causes(spec)
    declared = (body.get("metadata") or {}).get("namespace") or namespace
    asked = (spec.get("resourceAttributes") or {}).get("namespace") or ""
    if asked and asked != declared:
        field = "spec.resourceAttributes.namespace"
        causes.append(invalid_value(field, asked, "must match metadata.namespace"))
    if spec.get("nonResourceAttributes"):
        attributes = spec["nonResourceAttributes"]
        causes.append(
            invalid_value("spec.nonResourceAttributes", attributes, "disallowed on this kind of request")
        )
    _refuse(causes)
    if asked != namespace:
        raise bad_request(f"spec.resourceAttributes.namespace must match namespace: {namespace}")
    metadata = {"namespace": namespace}
    return _answered("LocalSubjectAccessReview", spec, _subject(spec), authorizer, metadata)


def _rules(body: Object, _: str, user: Identity, authorizer: Authorizer) -> dict[str, Any]:
    namespace = (body.get("spec") or {}).get("namespace")
    if not namespace:
        raise bad_request("no namespace on request")
    held, errors = authorizer.rules_for(user, namespace)
    if MASTERS in user.groups:
        held = [*held, *EVERYTHING]
    status: dict[str, Any] = {
        "resourceRules": [_shown(rule) for rule in dict.fromkeys(held) if rule.resources],
        "nonResourceRules": [
            {"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)}
            for rule in dict.fromkeys(held)
            if rule.urls
        ],
        "incomplete": False,
    }
    if errors:
        status["evaluationError"] = aggregate(errors)
    return _document(AUTHORIZATION, "SelfSubjectRulesReview", {"spec": {}, "status": status})


def _self(_: Object, __: str, user: Identity, ___: Authorizer) -> dict[str, Any]:
    about: dict[str, Any] = {"username": user.name}
    if getattr(user, "uid", ""):
        about["uid"] = getattr(user, "uid", "")
    if user.groups:
        about["groups"] = list(user.groups)
    extra = getattr(user, "extra", None)
    if extra:
        about["extra"] = {key: list(values) for key, values in extra.items()}
    return _document(AUTHENTICATION, "SelfSubjectReview", {"status": {"userInfo": about}})


REVIEWS: dict[str, Callable[[Object, str, Identity, Authorizer], dict[str, Any]]] = {
    "selfsubjectaccessreviews": _self_access,
    "subjectaccessreviews": _access,
    "localsubjectaccessreviews": _local_access,
    "selfsubjectrulesreviews": _rules,
    "selfsubjectreviews": _self,
}
"""The kinds answered here, by plural. (TokenReviews are the authenticator's.)"""


def _answered(
    kind: str, spec: Object, who: Identity, authorizer: Authorizer, metadata: Object
) -> dict[str, Any]:
    asked = spec.get("resourceAttributes")
    if asked is not None:
        fields = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
        attributes = Attributes(**{field: asked.get(field) or "" for field in fields})
    else:
        asked = spec["nonResourceAttributes"]
        attributes = Attributes(asked.get("verb") or "", path=asked.get("path") or "")
    decision = authorizer.authorize(who, attributes)
    status: dict[str, Any] = {"allowed": decision.allowed}
    if decision.reason:
        status["reason"] = decision.reason
    return _document(AUTHORIZATION, kind, {"spec": dict(spec), "status": status}, metadata)


def _document(group: str, kind: str, parts: Object, metadata: Object | None = None) -> dict[str, Any]:
    return {
        "kind": kind,
        "apiVersion": f"{group}/v1",
        "metadata": {**(metadata or {}), "creationTimestamp": None},
        **parts,
    }


def _subject(spec: Object) -> _Subject:
    return _Subject(spec.get("user") or "", tuple(spec.get("groups") or ()))


def _shown(rule: Rule) -> dict[str, Any]:
    shown = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.resources)}
    if rule.names:
        shown["resourceNames"] = list(rule.names)
    return shown


def _metadata_causes(body: Object, *, namespaced: bool = False) -> list[Cause]:
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if value}
    allowed = {"namespace", "managedFields"} if namespaced else {"managedFields"}
    if metadata.keys() - allowed:
        return [invalid_value("metadata", metadata, "must be empty")]
    return []


def _question_causes(spec: Object) -> list[Cause]:
    resource, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if resource is not None and url is not None:
        field = "spec.nonResourceAttributes"
        return [invalid_value(field, url, "cannot be specified in combination with resourceAttributes")]
    if resource is None and url is None:
        detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        return [invalid_value("spec.resourceAttributes", "null", detail)]
    return []


def _subject_causes(spec: Object) -> list[Cause]:
    if spec.get("user") or spec.get("groups"):
        return []
    return [invalid_value("spec.user", "", "at least one of user or group must be specified")]


def _refuse(causes: Sequence[Cause]) -> None:
    if causes:
        raise invalid(AUTHORIZATION, "", "", causes)
