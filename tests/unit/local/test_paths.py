"""Every URL is read as the real server reads it."""

from __future__ import annotations

import pytest

from controller.local.access import of_resource
from controller.local.paths import Target, target, verb


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/namespaces", Target("", "v1", "namespaces")),
        ("/api/v1/namespaces/lab", Target("", "v1", "namespaces", name="lab")),
        ("/api/v1/namespaces/lab/status", Target("", "v1", "namespaces", name="lab", subresource="status")),
        (
            "/api/v1/namespaces/lab/finalize",
            Target("", "v1", "namespaces", name="lab", subresource="finalize"),
        ),
        ("/api/v1/namespaces/lab/secrets", Target("", "v1", "secrets", "lab")),
        ("/api/v1/namespaces/lab/secrets/", Target("", "v1", "secrets", "lab")),
        ("/api/v1/namespaces/lab/secrets/s", Target("", "v1", "secrets", "lab", "s")),
        (
            "/api/v1/namespaces/lab/serviceaccounts/a/token",
            Target("", "v1", "serviceaccounts", "lab", "a", "token"),
        ),
        ("/apis/nxc.dev/v1alpha1/deployments", Target("nxc.dev", "v1alpha1", "deployments")),
        ("/apis/nxc.dev/v1alpha1/testbeds/local", Target("nxc.dev", "v1alpha1", "testbeds", name="local")),
        (
            "/apis/nxc.dev/v1alpha1/namespaces/lab/deployments/a%2Eb/status",
            Target("nxc.dev", "v1alpha1", "deployments", "lab", "a.b", "status"),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Abasic-user",
            Target("rbac.authorization.k8s.io", "v1", "clusterroles", name="system:basic-user"),
        ),
        ("/", None),
        ("/api", None),
        ("/api/v1", None),
        ("/apis/nxc.dev/v1alpha1", None),
        ("/openapi/v3/apis/nxc.dev/v1alpha1", None),
        ("/api/v1/namespaces/lab/secrets/s/a/b", None),
        ("/api/v1/namespaces//secrets", None),
        ("/version", None),
    ],
)
def test_target(path: str, expected: Target | None) -> None:
    assert target(path) == expected


@pytest.mark.parametrize(
    ("method", "path", "watch", "expected"),
    [
        ("GET", "/api/v1/secrets", False, "list"),
        ("HEAD", "/api/v1/secrets", False, "list"),
        ("GET", "/api/v1/secrets", True, "watch"),
        ("GET", "/api/v1/namespaces/a/secrets/s", True, "get"),
        ("POST", "/api/v1/namespaces/a/secrets", False, "create"),
        ("PUT", "/api/v1/namespaces/a/secrets/s", False, "update"),
        ("PUT", "/api/v1/namespaces/a/secrets", False, None),
        ("PATCH", "/api/v1/namespaces/a/secrets/s", False, "patch"),
        ("PATCH", "/api/v1/namespaces/a/secrets", False, None),
        ("DELETE", "/api/v1/namespaces/a/secrets/s", False, "delete"),
        ("DELETE", "/api/v1/namespaces/a/secrets", False, "deletecollection"),
        ("TRACE", "/api/v1/namespaces/a/secrets", False, None),
        ("POST", "/api/v1/namespaces/a/secrets/s", False, None),
        ("POST", "/api/v1/namespaces/a/serviceaccounts/s/token", False, "create"),
    ],
)
def test_verb(method: str, path: str, watch: bool, expected: str | None) -> None:
    found = target(path)
    assert found is not None
    assert verb(method, found, watch=watch) == expected


def test_rules_in_a_namespace_apply_to_the_namespace_itself() -> None:
    found = target("/api/v1/namespaces/lab")
    assert found is not None
    assert of_resource(found, "get", {}).namespace == "lab"


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("metadata.name=a", "a"),
        ("status.phase=x,metadata.name==a", "a"),
        ("metadata.name!=a", ""),
        ("metadata.namespace=a", ""),
        ("", ""),
    ],
)
def test_a_list_of_one_name_may_be_allowed_by_that_name(selector: str, name: str) -> None:
    found = target("/api/v1/namespaces/lab/secrets")
    assert found is not None
    assert of_resource(found, "watch", {"fieldSelector": selector}).name == name
