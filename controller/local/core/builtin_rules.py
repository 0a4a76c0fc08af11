"""Validation of built-in kinds beyond their schemas.

Rules and texts: k8s.io/kubernetes pkg/apis/{core,rbac,coordination}/validation.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from controller.local.core import names
from controller.local.core.builtin_defaults import default_builtin as default_builtin
from controller.local.core.errors import (
    Cause,
    forbidden_value,
    invalid_value,
    quoted,
    required,
    too_long,
    unsupported_value,
)
from controller.local.core.resources import EVENTS, RBAC, Resource

Object = Mapping[str, Any]
Check = Callable[[Object, Object | None], Iterator[Cause]]
"""From an object and the one it replaces, if any, to what is wrong."""

SIZE_LIMIT = 1024 * 1024
"""Bytes that the values of a Secret or ConfigMap may have in all."""

_FROZEN = "field is immutable when `immutable` is set"


def validate_builtin(resource: Resource, obj: Object, old: Object | None = None) -> list[Cause]:
    """What is wrong with `obj`, in the form that default_builtin gives it; `old` is what an update replaces.

    Metadata is checked elsewhere. Nothing is wrong with kinds that are not known here."""
    check = _CHECKS.get((resource.group, resource.kind))
    return list(check(obj, old)) if check else []


# ---------------------------------------------------------------- core


def _namespace(obj: Object, _: Object | None) -> Iterator[Cause]:
    for finalizer in (obj.get("spec") or {}).get("finalizers") or ():
        problems = names.qualified_errors(finalizer)
        for problem in problems:
            yield invalid_value("spec.finalizers", finalizer, problem)
        if not problems and "/" not in finalizer and finalizer not in ("kubernetes", "orphan"):
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value("spec.finalizers", finalizer, text)


def _config_map(obj: Object, old: Object | None) -> Iterator[Cause]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for key in data:
        yield from _key_causes("data", key)
        if key in binary:
            yield invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from _key_causes("binaryData", key)
    if sum(len(value.encode()) for value in data.values()) + _decoded_size(binary) > SIZE_LIMIT:
        yield too_long("[]", SIZE_LIMIT)  # the field that the real server names
    yield from _frozen_causes(obj, old, "data", "binaryData")


def _secret(obj: Object, old: Object | None) -> Iterator[Cause]:
    data = obj.get("data") or {}
    for key in data:
        yield from _key_causes("data", key)
    if _decoded_size(data) > SIZE_LIMIT:
        yield too_long("data", SIZE_LIMIT)
    yield from _SECRET_TYPES.get(obj.get("type", ""), _any_secret)(obj, data)
    if old is not None and obj.get("type") != old.get("type"):
        yield invalid_value("type", obj.get("type", ""), "field is immutable")
    yield from _frozen_causes(obj, old, "data")


def _any_secret(_: Object, __: Object) -> Iterator[Cause]:
    yield from ()


def _account_token(obj: Object, _: Object) -> Iterator[Cause]:
    name = "kubernetes.io/service-account.name"
    if not (obj["metadata"].get("annotations") or {}).get(name):
        yield required(f"metadata.annotations[{name}]")


def _needs(*keys: str) -> Callable[[Object, Object], Iterator[Cause]]:
    def check(_: Object, data: Object) -> Iterator[Cause]:
        yield from (required(f"data[{key}]") for key in keys if key not in data)

    return check


def _needs_json(key: str) -> Callable[[Object, Object], Iterator[Cause]]:
    def check(_: Object, data: Object) -> Iterator[Cause]:
        if key not in data:
            yield required(f"data[{key}]")
            return
        try:
            if isinstance(json.loads(base64.b64decode(data[key])), dict):
                return
            problem = "must be a JSON object"
        except ValueError as error:
            problem = f"must be JSON: {error}"
        yield invalid_value(f"data[{key}]", "<secret contents redacted>", problem)

    return check


def _basic_auth(_: Object, data: Object) -> Iterator[Cause]:
    if "username" not in data and "password" not in data:
        yield from (required("data[username]"), required("data[password]"))


def _ssh_auth(_: Object, data: Object) -> Iterator[Cause]:
    if not data.get("ssh-privatekey"):
        yield required("data[ssh-privatekey]")


_SECRET_TYPES: dict[str, Callable[[Object, Object], Iterator[Cause]]] = {
    "kubernetes.io/service-account-token": _account_token,
    "kubernetes.io/tls": _needs("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": _needs_json(".dockercfg"),
    "kubernetes.io/dockerconfigjson": _needs_json(".dockerconfigjson"),
    "kubernetes.io/basic-auth": _basic_auth,
    "kubernetes.io/ssh-auth": _ssh_auth,
}


def _key_causes(field: str, key: str) -> Iterator[Cause]:
    yield from (invalid_value(f"{field}[{key}]", key, problem) for problem in names.config_key_errors(key))


def _decoded_size(data: Mapping[str, str]) -> int:
    return sum(len(value) * 3 // 4 - value[-2:].count("=") for value in data.values())


def _frozen_causes(obj: Object, old: Object | None, *fields: str) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    if not obj.get("immutable"):
        yield forbidden_value("immutable", _FROZEN)
    for field in fields:
        if (obj.get(field) or {}) != (old.get(field) or {}):
            yield forbidden_value(field, _FROZEN)


# ---------------------------------------------------------------- events


def _event(obj: Object, _: Object | None) -> Iterator[Cause]:
    """What holds for an event through either API; messages name the core fields."""
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    home, namespace = about.get("namespace") or "", obj["metadata"].get("namespace") or ""
    if not obj.get("eventTime"):
        # An event about something without a namespace lives in `default`.
        fits = namespace in ("", "default") if not home else home == namespace
        if not fits:
            yield invalid_value("involvedObject.namespace", home, "does not match event.namespace")
        return
    if not home and namespace not in ("default", "kube-system"):
        yield invalid_value("involvedObject.namespace", home, "does not match event.namespace")
    controller = obj.get("reportingComponent") or obj.get("reportingController") or ""
    if not controller:
        yield required("reportingController")
    for problem in names.qualified_errors(controller):
        yield invalid_value("reportingController", controller, problem)
    for field in ("reportingInstance", "action", "reason"):
        yield from _short(field, obj.get(field) or "")
    if len(_message(obj).encode()) > 1024:
        yield invalid_value("message", "", "can have at most 1024 characters")


def _short(field: str, value: str) -> Iterator[Cause]:
    if not value:
        yield required(field)
    elif len(value.encode()) > 128:
        yield invalid_value(field, "", "can have at most 128 characters")


def _message(obj: Object) -> str:
    text: str = obj.get("message") or obj.get("note") or ""
    return text


def _new_event(obj: Object, old: Object | None) -> Iterator[Cause]:
    """events.k8s.io asks more of an event that is created through it."""
    yield from _event(obj, old)
    if old is not None:
        return
    series = obj.get("series")
    if series is not None:
        if series.get("count", 0) < 2:
            yield invalid_value("series.count", "", "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")
    if not obj.get("eventTime"):
        yield required("eventTime")
    if obj.get("type") not in ("Normal", "Warning"):
        yield invalid_value("type", "", f"has invalid value: {obj.get('type') or ''}")
    for field in ("firstTimestamp", "lastTimestamp", "count", "source"):
        if obj.get(f"deprecated{field[0].upper()}{field[1:]}"):
            yield invalid_value(field, "", "needs to be unset")


# ---------------------------------------------------------------- leases


def _lease(obj: Object, _: Object | None) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid_value("spec.leaseTransitions", transitions, "must be greater than or equal to 0")


# ---------------------------------------------------------------- rbac


def _role(obj: Object, _: Object | None) -> Iterator[Cause]:
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule_causes(f"rules[{index}]", rule, namespaced=True)


def _cluster_role(obj: Object, _: Object | None) -> Iterator[Cause]:
    for index, rule in enumerate(obj.get("rules") or ()):
        yield from _rule_causes(f"rules[{index}]", rule, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return
    field = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or ()
    if not selectors:
        yield required(field, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors):
        yield from _selector_causes(f"{field}[{index}]", selector)


def _rule_causes(field: str, rule: Object, *, namespaced: bool) -> Iterator[Cause]:
    if not rule.get("verbs"):
        yield required(f"{field}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        shown = f"[]string{{{', '.join(map(quoted, urls))}}}"
        mixed = any(rule.get(key) for key in ("apiGroups", "resources", "resourceNames"))
        if namespaced:
            yield _go_value(
                f"{field}.nonResourceURLs", shown, "namespaced rules cannot apply to non-resource URLs"
            )
        if mixed:
            text = "rules cannot apply to both regular resources and non-resource URLs"
            yield _go_value(f"{field}.nonResourceURLs", shown, text)
        return
    if not rule.get("apiGroups"):
        yield required(f"{field}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{field}.resources", "resource rules must supply at least one resource")


def _selector_causes(field: str, selector: Object) -> Iterator[Cause]:
    found: list[Cause] = []
    for key, value in (selector.get("matchLabels") or {}).items():
        path = f"{field}.matchLabels"
        found += [invalid_value(path, key, problem) for problem in names.qualified_errors(key)]
        found += [invalid_value(path, value, problem) for problem in names.label_value_errors(value)]
    for index, term in enumerate(selector.get("matchExpressions") or ()):
        path = f"{field}.matchExpressions[{index}]"
        operator, values = term.get("operator", ""), term.get("values")
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                found.append(required(f"{path}.values", text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(forbidden_value(f"{path}.values", text))
        else:
            found.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
        key = term.get("key", "")
        found += [invalid_value(f"{path}.key", key, problem) for problem in names.qualified_errors(key)]
    yield from found
    if found:
        yield invalid_value(field, "null", "invalid label selector.")


def _role_binding(obj: Object, old: Object | None) -> Iterator[Cause]:
    yield from _binding_causes(obj, old, ("Role", "ClusterRole"))


def _cluster_role_binding(obj: Object, old: Object | None) -> Iterator[Cause]:
    yield from _binding_causes(obj, old, ("ClusterRole",))


def _binding_causes(obj: Object, old: Object | None, kinds: tuple[str, ...]) -> Iterator[Cause]:
    role = obj.get("roleRef") or {}
    group, kind, name = role.get("apiGroup", ""), role.get("kind", ""), role.get("name", "")
    if group != RBAC:
        yield unsupported_value("roleRef.apiGroup", group, (RBAC,))
    if kind not in kinds:
        yield unsupported_value("roleRef.kind", kind, kinds)
    if not name:
        yield required("roleRef.name")
    for problem in names.path_segment_errors(name):
        yield invalid_value("roleRef.name", name, problem)
    for index, subject in enumerate(obj.get("subjects") or ()):
        yield from _subject_causes(f"subjects[{index}]", subject, namespaced=len(kinds) > 1)
    if old is not None and role != old.get("roleRef"):
        shown = f"rbac.RoleRef{{APIGroup:{quoted(group)}, Kind:{quoted(kind)}, Name:{quoted(name)}}}"
        yield _go_value("roleRef", shown, "cannot change roleRef")


def _subject_causes(field: str, subject: Object, *, namespaced: bool) -> Iterator[Cause]:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup", "")
    if not name:
        yield required(f"{field}.name")
    if kind == "ServiceAccount":
        for problem in names.subdomain_errors(name) if name else ():
            yield invalid_value(f"{field}.name", name, problem)
        if group:
            yield unsupported_value(f"{field}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            yield required(f"{field}.namespace")
    elif kind in ("User", "Group"):
        if group != RBAC:
            yield unsupported_value(f"{field}.apiGroup", group, (RBAC,))
    else:
        yield unsupported_value(f"{field}.kind", kind, ("ServiceAccount", "User", "Group"))


def _go_value(field: str, shown: str, detail: str) -> Cause:
    """As invalid_value, for a value that the real server prints in Go's syntax."""
    return Cause("FieldValueInvalid", field, f"Invalid value: {shown}: {detail}")


_CHECKS: dict[tuple[str, str], Check] = {
    ("", "Namespace"): _namespace,
    ("", "ConfigMap"): _config_map,
    ("", "Secret"): _secret,
    ("", "Event"): _event,
    (EVENTS, "Event"): _new_event,
    ("coordination.k8s.io", "Lease"): _lease,
    (RBAC, "Role"): _role,
    (RBAC, "ClusterRole"): _cluster_role,
    (RBAC, "RoleBinding"): _role_binding,
    (RBAC, "ClusterRoleBinding"): _cluster_role_binding,
}
