"""The roles and bindings that a server starts with: Kubernetes' own, as far as their kinds are served."""

from __future__ import annotations

from typing import Any

from controller.local.core.rbac import GROUP, aggregated_rules

AGGREGATE = f"{GROUP}/aggregate-to-"
"""Label prefix: a ClusterRole with `AGGREGATE + "view": "true"` gives its rules to `view`."""

OPERATOR_ROLE = "nxc-controller"
OPERATOR_NAMESPACE = "nxc-system"
OPERATOR_ACCOUNT = "nxc-controller"
"""The operator's ServiceAccount, bound to its role; the same names as in the Helm chart."""

_READ = ["get", "list", "watch"]
_WRITE = ["create", "delete", "deletecollection", "patch", "update"]
_NXC = "nxc.dev"

Rules = list[dict[str, Any]]


def _rule(groups: str, resources: str, verbs: list[str]) -> dict[str, Any]:
    """`resources` separated by blanks; `groups` is one group."""
    return {"apiGroups": [groups], "resources": resources.split(), "verbs": verbs}


_RULES: dict[str, Rules] = {
    "cluster-admin": [_rule("*", "*", ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}],
    "system:basic-user": [
        _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ["create"]),
        _rule("authentication.k8s.io", "selfsubjectreviews", ["create"]),
    ],
    "system:discovery": [
        {
            "nonResourceURLs": [
                "/api",
                "/api/*",
                "/apis",
                "/apis/*",
                "/healthz",
                "/livez",
                "/openapi",
                "/openapi/*",
                "/readyz",
                "/version",
                "/version/",
            ],
            "verbs": ["get"],
        }
    ],
    "system:public-info-viewer": [
        {"nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"], "verbs": ["get"]}
    ],
    "nxc-testbed-viewer": [_rule(_NXC, "testbeds testbeds/status", _READ)],
    OPERATOR_ROLE: [
        _rule(_NXC, "*", ["*"]),
        _rule("", "namespaces", _READ),
        _rule("", "configmaps", _READ),
        _rule("", "secrets", [*_READ, "create", "delete", "patch", "update"]),
        _rule("", "events", [*_READ, "create", "patch", "update"]),
        _rule("events.k8s.io", "events", [*_READ, "create", "patch", "update"]),
        _rule("coordination.k8s.io", "leases", [*_READ, "create", "delete", "patch", "update"]),
        _rule("apiextensions.k8s.io", "customresourcedefinitions", _READ),
        _rule("authorization.k8s.io", "subjectaccessreviews", ["create"]),
    ],
}

_AGGREGATED: dict[str, tuple[str, Rules]] = {
    "system:aggregate-to-view": (
        "view",
        [
            _rule("", "configmaps serviceaccounts", _READ),
            _rule("", "events namespaces/status", _READ),
            _rule("", "namespaces", _READ),
            _rule("events.k8s.io", "events", _READ),
            _rule("coordination.k8s.io", "leases", _READ),
        ],
    ),
    "system:aggregate-to-edit": (
        "edit",
        [
            _rule("", "secrets", _READ),
            _rule("", "serviceaccounts", ["impersonate"]),
            _rule("", "configmaps secrets serviceaccounts", _WRITE),
            _rule("", "serviceaccounts/token", ["create"]),
            _rule("", "events", _WRITE),
            _rule("events.k8s.io", "events", _WRITE),
            _rule("coordination.k8s.io", "leases", _WRITE),
        ],
    ),
    "system:aggregate-to-admin": (
        "admin",
        [
            _rule("authorization.k8s.io", "localsubjectaccessreviews", ["create"]),
            _rule(GROUP, "rolebindings roles", [*_READ, *_WRITE]),
        ],
    ),
    "nxc-view": (
        "view",
        [
            _rule(
                _NXC,
                "compositions compositions/status deployednodes deployednodes/status deployments "
                "deployments/status testbeds testbeds/status",
                _READ,
            )
        ],
    ),
    "nxc-edit": (
        "edit",
        [
            _rule(_NXC, "compositions deployments", _WRITE),
            _rule(_NXC, "deployednodes", ["delete", "deletecollection"]),  # its replacement follows
        ],
    ),
}
"""ClusterRoles that give their rules to one of the three below: name -> (to which, rules)."""

_TIERS = {"admin": (), "edit": ("admin",), "view": ("edit",)}
"""Each of the three gives what it has to the next stronger one."""

_BINDINGS: dict[str, list[tuple[str, str]]] = {
    "cluster-admin": [("Group", "system:masters")],
    "system:basic-user": [("Group", "system:authenticated")],
    "system:discovery": [("Group", "system:authenticated")],
    "system:public-info-viewer": [("Group", "system:authenticated"), ("Group", "system:unauthenticated")],
    "nxc-testbed-viewer": [("Group", "system:authenticated")],
    OPERATOR_ROLE: [("ServiceAccount", OPERATOR_ACCOUNT)],
}
"""ClusterRoleBindings, each named as the ClusterRole it gives."""


def bootstrap_objects() -> list[dict[str, Any]]:
    """ClusterRoles and ClusterRoleBindings, to be created at every start where they are missing.

    cluster-admin, admin, edit, view (by aggregation, with the nxc.dev kinds; view does not read Secrets),
    system:basic-user, system:discovery, system:public-info-viewer, nxc-testbed-viewer (Testbeds belong to no
    namespace, so that everybody may read them) and the operator's own role. Made anew by every call."""
    roles = [_cluster_role(name, rules, {}) for name, rules in _RULES.items()]
    roles += [_cluster_role(name, rules, {tier: "true"}) for name, (tier, rules) in _AGGREGATED.items()]
    tiers = [_cluster_role(tier, [], dict.fromkeys(stronger, "true")) for tier, stronger in _TIERS.items()]
    for tier in tiers:
        label = AGGREGATE + tier["metadata"]["name"]
        tier["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    for tier in tiers:
        tier["rules"] = aggregated_rules(tier, roles + tiers)
    return roles + tiers + [_binding(name, subjects) for name, subjects in _BINDINGS.items()]


def _object(kind: str, name: str, labels: dict[str, str], **parts: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **labels}},
        **parts,
    }


def _cluster_role(name: str, rules: Rules, tiers: dict[str, str]) -> dict[str, Any]:
    labels = {AGGREGATE + tier: value for tier, value in tiers.items()}
    copied = [{key: list(values) for key, values in rule.items()} for rule in rules]
    return _object("ClusterRole", name, labels, rules=copied)


def _binding(name: str, subjects: list[tuple[str, str]]) -> dict[str, Any]:
    return _object(
        "ClusterRoleBinding",
        name,
        {},
        roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": name},
        subjects=[
            {"kind": kind, "name": subject, "namespace": OPERATOR_NAMESPACE}
            if kind == "ServiceAccount"
            else {"kind": kind, "name": subject, "apiGroup": GROUP}
            for kind, subject in subjects
        ],
    )
