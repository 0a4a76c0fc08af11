"""What is wrong with an object of a built-in kind, in the real server's words."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from controller.local.core.builtin_rules import SIZE_LIMIT, default_builtin, validate_builtin
from controller.local.core.resources import Registry, Resource

Object = dict[str, Any]

REGISTRY = Registry()
RBAC = "rbac.authorization.k8s.io"
EVENT = {"kind": "X", "name": "y", "namespace": "ns"}
MOMENT = "2020-01-01T00:00:00.000000Z"
NEW_EVENT = {
    "eventTime": MOMENT,
    "reportingController": "a/b",
    "reportingInstance": "x",
    "action": "a",
    "reason": "r",
    "type": "Normal",
    "regarding": EVENT,
}


def resource(group: str, plural: str) -> Resource:
    found = REGISTRY.find(group, "v1", plural)
    assert found is not None
    return found


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def wrong(
    group: str, plural: str, parts: Object, old: Object | None = None, namespace: str = "ns"
) -> list[str]:
    """The causes as lines, of an object that was decoded as the server does it."""
    kind = resource(group, plural)
    metadata = {"name": "x", "namespace": namespace}

    def decoded(given: Object) -> Object:
        return default_builtin(kind, {"metadata": metadata, **given})

    causes = validate_builtin(kind, decoded(parts), decoded(old) if old is not None else None)
    return [str(cause) for cause in causes]


CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_keys_are_file_names(plural: str) -> None:
    assert wrong("", plural, {"data": {"ok.key_1-A": "", "a/b": "", "..": ""}}) == [
        f'data[a/b]: Invalid value: "a/b": {CONFIG_KEY}',
        "data[..]: Invalid value: \"..\": must not be '..'",
    ]


def test_a_key_stands_in_one_place() -> None:
    assert wrong("", "configmaps", {"data": {"a": ""}, "binaryData": {"a": ""}}) == [
        'data[a]: Invalid value: "a": duplicate of key present in binaryData'
    ]


def test_a_mebibyte_is_enough() -> None:
    fits, large = "x" * SIZE_LIMIT, "x" * (SIZE_LIMIT + 1)
    message = f"Too long: may not be more than {SIZE_LIMIT} bytes"
    assert wrong("", "configmaps", {"data": {"a": fits}}) == []
    assert wrong("", "configmaps", {"data": {"a": large}}) == [f"[]: {message}"]
    assert wrong("", "configmaps", {"data": {"a": "é" * (SIZE_LIMIT // 2 + 1)}}) == [f"[]: {message}"]
    assert wrong("", "configmaps", {"data": {"a": "x"}, "binaryData": {"b": coded(fits)}}) == [
        f"[]: {message}"
    ]
    assert wrong("", "secrets", {"stringData": {"a": fits}}) == []
    assert wrong("", "secrets", {"stringData": {"a": large}}) == [f"data: {message}"]


@pytest.mark.parametrize(
    ("kind", "data", "lines"),
    [
        ("Opaque", {}, []),
        ("example.com/own", {}, []),
        ("kubernetes.io/tls", {"tls.crt": ""}, ["data[tls.key]: Required value"]),
        ("kubernetes.io/tls", {"tls.crt": "", "tls.key": ""}, []),
        ("kubernetes.io/dockercfg", {}, ["data[.dockercfg]: Required value"]),
        ("kubernetes.io/dockercfg", {".dockercfg": coded("{}")}, []),
        (
            "kubernetes.io/dockerconfigjson",
            {".dockerconfigjson": coded("[]")},
            ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be a JSON object'],
        ),
        ("kubernetes.io/basic-auth", {"username": ""}, []),
        (
            "kubernetes.io/basic-auth",
            {},
            ["data[username]: Required value", "data[password]: Required value"],
        ),
        ("kubernetes.io/ssh-auth", {"ssh-privatekey": ""}, ["data[ssh-privatekey]: Required value"]),
        (
            "kubernetes.io/service-account-token",
            {},
            ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        ),
    ],
)
def test_a_secret_has_what_its_type_promises(kind: str, data: Object, lines: list[str]) -> None:
    assert wrong("", "secrets", {"type": kind, "data": data}) == lines


def test_a_secret_of_broken_json_is_told_without_its_contents() -> None:
    (line,) = wrong(
        "", "secrets", {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": coded("s3cret")}}
    )
    assert "must be JSON" in line
    assert "s3cret" not in line


def test_the_type_of_a_secret_stays() -> None:
    assert wrong("", "secrets", {"type": "x/y"}, old={}) == ['type: Invalid value: "x/y": field is immutable']
    assert wrong("", "secrets", {}, old={"type": "Opaque"}) == []


@pytest.mark.parametrize("plural", ["configmaps", "secrets"])
def test_what_is_immutable_stays(plural: str) -> None:
    frozen = {"immutable": True, "data": {"a": "YQ=="}}
    text = "Forbidden: field is immutable when `immutable` is set"
    assert wrong("", plural, frozen, old=frozen) == []
    assert wrong("", plural, {"data": {"a": "Yg=="}}, old=frozen) == [f"immutable: {text}", f"data: {text}"]
    assert wrong("", plural, {**frozen, "data": {}}, old={**frozen, "immutable": False}) == []


def test_finalizers_of_a_namespace_are_qualified() -> None:
    assert wrong("", "namespaces", {"spec": {"finalizers": ["kubernetes", "nxc.dev/x"]}}) == []
    assert wrong("", "namespaces", {"spec": {"finalizers": ["foo"]}}) == [
        'spec.finalizers: Invalid value: "foo": name is neither a standard finalizer name nor is it fully qualified'
    ]


# ---------------------------------------------------------------- events


@pytest.mark.parametrize(
    ("about", "namespace", "fits"),
    [
        ({"namespace": "ns"}, "ns", True),
        ({"namespace": "other"}, "ns", False),
        ({}, "ns", False),
        ({}, "default", True),
        ({}, "kube-system", False),
    ],
)
def test_an_event_lives_where_its_object_does(about: Object, namespace: str, fits: bool) -> None:
    found = wrong("", "events", {"involvedObject": about}, namespace=namespace)
    value = about.get("namespace", "")
    refusal = f'involvedObject.namespace: Invalid value: "{value}": does not match event.namespace'
    assert found == ([] if fits else [refusal])


def test_an_event_about_the_cluster_may_live_in_kube_system_by_the_newer_api() -> None:
    clusterwide = {**NEW_EVENT, "regarding": {"kind": "Testbed", "name": "x"}}
    assert wrong("events.k8s.io", "events", clusterwide, namespace="kube-system") == []
    assert wrong("events.k8s.io", "events", clusterwide, namespace="ns") != []


def test_the_newer_api_asks_for_more() -> None:
    assert wrong("events.k8s.io", "events", NEW_EVENT) == []
    assert wrong("events.k8s.io", "events", {"regarding": EVENT}) == [
        "eventTime: Required value",
        'type: Invalid value: "": has invalid value: ',
    ]
    long = {"reportingInstance": "x" * 129, "action": "a" * 129, "reason": "", "note": "n" * 1025}
    assert wrong("events.k8s.io", "events", {**NEW_EVENT, **long}) == [
        'reportingInstance: Invalid value: "": can have at most 128 characters',
        'action: Invalid value: "": can have at most 128 characters',
        "reason: Required value",
        'message: Invalid value: "": can have at most 1024 characters',
    ]
    assert wrong("events.k8s.io", "events", {**NEW_EVENT, "series": {"count": 1}, "deprecatedCount": 3}) == [
        'series.count: Invalid value: "": should be at least 2',
        "series.lastObservedTime: Required value",
        'count: Invalid value: "": needs to be unset',
    ]


def test_an_old_event_may_be_updated_by_the_newer_api() -> None:
    old_style = {"regarding": EVENT, "deprecatedCount": 4}
    assert wrong("events.k8s.io", "events", old_style, old=old_style) == []


# ---------------------------------------------------------------- leases and roles


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        ({}, []),
        ({"leaseDurationSeconds": 15, "leaseTransitions": 0, "holderIdentity": ""}, []),
        (
            {"leaseDurationSeconds": 0},
            ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
        ),
        (
            {"leaseTransitions": -1},
            ["spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"],
        ),
    ],
)
def test_a_lease_lasts(spec: Object, lines: list[str]) -> None:
    assert wrong("coordination.k8s.io", "leases", {"spec": spec}) == lines


GET = {"verbs": ["get"], "apiGroups": [""], "resources": ["x"]}


@pytest.mark.parametrize(
    ("plural", "rule", "lines"),
    [
        ("roles", GET, []),
        (
            "roles",
            {**GET, "verbs": []},
            ["rules[0].verbs: Required value: verbs must contain at least one value"],
        ),
        (
            "roles",
            {"verbs": ["get"]},
            [
                "rules[0].apiGroups: Required value: resource rules must supply at least one api group",
                "rules[0].resources: Required value: resource rules must supply at least one resource",
            ],
        ),
        (
            "roles",
            {"verbs": ["get"], "nonResourceURLs": ["/x"]},
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: []string{"/x"}: '
                    "namespaced rules cannot apply to non-resource URLs"
                )
            ],
        ),
        ("clusterroles", {"verbs": ["get"], "nonResourceURLs": ["/x", "/y"]}, []),
        (
            "clusterroles",
            {**GET, "nonResourceURLs": ["/x", "/y"]},
            [
                (
                    'rules[0].nonResourceURLs: Invalid value: []string{"/x", "/y"}: '
                    "rules cannot apply to both regular resources and non-resource URLs"
                )
            ],
        ),
    ],
)
def test_a_rule_is_complete(plural: str, rule: Object, lines: list[str]) -> None:
    assert wrong(RBAC, plural, {"rules": [rule]}) == lines


def test_aggregation_selects_something() -> None:
    field = "aggregationRule.clusterRoleSelectors"
    assert wrong(RBAC, "clusterroles", {"aggregationRule": {}}) == [
        f"{field}: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
    ]
    terms = [
        {"key": "a", "operator": "In"},
        {"key": "b", "operator": "Exists", "values": ["x"]},
        {"key": "c", "operator": "Foo"},
    ]
    selectors = {"clusterRoleSelectors": [{"matchExpressions": terms}]}
    assert wrong(RBAC, "clusterroles", {"aggregationRule": selectors}) == [
        (
            f"{field}[0].matchExpressions[0].values: Required value: must be specified when `operator` is "
            "'In' or 'NotIn'"
        ),
        (
            f"{field}[0].matchExpressions[1].values: Forbidden: may not be specified when `operator` is "
            "'Exists' or 'DoesNotExist'"
        ),
        f'{field}[0].matchExpressions[2].operator: Invalid value: "Foo": not a valid selector operator',
        f'{field}[0]: Invalid value: "null": invalid label selector.',
    ]


def test_a_binding_binds_a_role_to_somebody() -> None:
    good = {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "alice"}, {"kind": "ServiceAccount", "name": "robot"}],
    }
    assert wrong(RBAC, "rolebindings", good) == []
    assert wrong(RBAC, "rolebindings", {}) == [
        'roleRef.kind: Unsupported value: "": supported values: "Role", "ClusterRole"',
        "roleRef.name: Required value",
    ]
    bad = {
        "roleRef": {"kind": "Role", "name": "a/b", "apiGroup": "x"},
        "subjects": [
            {"kind": "Foo", "name": "x"},
            {"kind": "User"},
            {"kind": "User", "name": "x", "apiGroup": "y"},
            {"kind": "ServiceAccount", "name": "x", "apiGroup": "z"},
        ],
    }
    assert wrong(RBAC, "rolebindings", bad) == [
        f'roleRef.apiGroup: Unsupported value: "x": supported values: "{RBAC}"',
        "roleRef.name: Invalid value: \"a/b\": may not contain '/'",
        'subjects[0].kind: Unsupported value: "Foo": supported values: "ServiceAccount", "User", "Group"',
        "subjects[1].name: Required value",
        f'subjects[2].apiGroup: Unsupported value: "y": supported values: "{RBAC}"',
        'subjects[3].apiGroup: Unsupported value: "z": supported values: ""',
    ]


def test_a_cluster_role_binding_binds_no_role_of_a_namespace() -> None:
    given = {
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "robot"}],
    }
    assert wrong(RBAC, "clusterrolebindings", given) == [
        'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
        "subjects[0].namespace: Required value",
    ]


def test_what_a_binding_binds_stays() -> None:
    old = {"roleRef": {"kind": "Role", "name": "r"}}
    assert wrong(RBAC, "rolebindings", {"roleRef": {"kind": "Role", "name": "s"}}, old=old) == [
        f'roleRef: Invalid value: rbac.RoleRef{{APIGroup:"{RBAC}", Kind:"Role", Name:"s"}}: cannot change roleRef'
    ]
    assert wrong(RBAC, "rolebindings", {**old, "subjects": [{"kind": "User", "name": "x"}]}, old=old) == []
