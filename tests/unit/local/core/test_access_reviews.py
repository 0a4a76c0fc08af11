"""`kubectl auth can-i`, `can-i --list` and `whoami`."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.access_reviews import review
from controller.local.core.bootstrap_rbac import bootstrap_objects
from controller.local.core.errors import ApiError
from controller.local.core.rbac import Authorizer
from controller.local.core.request import User

Object = dict[str, Any]

ALICE = User("alice", "uid-1", ("system:authenticated",))
MASTER = User("root", groups=("system:masters", "system:authenticated"))
GET_SECRETS = {"verb": "get", "resource": "secrets", "namespace": "ns"}


@pytest.fixture
def authorizer() -> Authorizer:
    stored: dict[str, list[Object]] = {
        "clusterroles": [],
        "clusterrolebindings": [],
        "roles": [],
        "rolebindings": [],
    }
    for obj in bootstrap_objects():
        stored[f"{obj['kind'].lower()}s"].append(obj)
    stored["rolebindings"].append(
        {
            "metadata": {"name": "rb1", "namespace": "ns"},
            "roleRef": {"kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "User", "name": "alice"}],
        }
    )
    return Authorizer(lambda plural: stored[plural], lambda: 0)


def ask(authorizer: Authorizer, plural: str, spec: Object, user: User = ALICE, **more: Any) -> Object:
    body = {"metadata": more.pop("metadata", {}), "spec": spec}
    return review(plural, body, namespace=more.get("namespace"), user=user, authorizer=authorizer)


def test_can_i(authorizer: Authorizer) -> None:
    found = ask(authorizer, "selfsubjectaccessreviews", {"resourceAttributes": GET_SECRETS})
    assert found == {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {"creationTimestamp": None},
        "spec": {"resourceAttributes": GET_SECRETS},
        "status": {
            "allowed": True,
            "reason": 'RBAC: allowed by RoleBinding "rb1/ns" of ClusterRole "edit" to User "alice"',
        },
    }


def test_can_i_not(authorizer: Authorizer) -> None:
    elsewhere = {**GET_SECRETS, "namespace": "other"}
    assert ask(authorizer, "selfsubjectaccessreviews", {"resourceAttributes": elsewhere})["status"] == {
        "allowed": False
    }


def test_can_i_reach_a_path(authorizer: Authorizer) -> None:
    def allowed(path: str) -> bool:
        spec = {"nonResourceAttributes": {"verb": "get", "path": path}}
        found: bool = ask(authorizer, "selfsubjectaccessreviews", spec)["status"]["allowed"]
        return found

    assert allowed("/apis/nxc.dev")
    assert not allowed("/metrics")


def test_an_administrator_asks_about_somebody_else(authorizer: Authorizer) -> None:
    spec = {"user": "alice", "resourceAttributes": GET_SECRETS}
    assert ask(authorizer, "subjectaccessreviews", spec, MASTER)["status"]["allowed"]
    spec = {"user": "bob", "groups": ["system:masters"], "resourceAttributes": GET_SECRETS}
    assert ask(authorizer, "subjectaccessreviews", spec, MASTER)["status"] == {"allowed": True}


def test_a_local_review_speaks_of_its_own_namespace(authorizer: Authorizer) -> None:
    spec = {"user": "alice", "resourceAttributes": GET_SECRETS}
    found = ask(authorizer, "localsubjectaccessreviews", spec, namespace="ns")
    assert found["status"]["allowed"]
    assert found["metadata"] == {"namespace": "ns", "creationTimestamp": None}


@pytest.mark.parametrize(
    ("plural", "spec", "field", "says"),
    [
        ("selfsubjectaccessreviews", {}, "spec.resourceAttributes", "exactly one of"),
        (
            "subjectaccessreviews",
            {"resourceAttributes": GET_SECRETS},
            "spec.user",
            "at least one of user or group must be specified",
        ),
        (
            "subjectaccessreviews",
            {"user": "x", "resourceAttributes": {}, "nonResourceAttributes": {"path": "/"}},
            "spec.nonResourceAttributes",
            "cannot be specified in combination with resourceAttributes",
        ),
        (
            "localsubjectaccessreviews",
            {"user": "x", "nonResourceAttributes": {"path": "/"}},
            "spec.nonResourceAttributes",
            "disallowed on this kind of request",
        ),
        (
            "localsubjectaccessreviews",
            {"user": "x", "resourceAttributes": {"namespace": "other"}},
            "spec.resourceAttributes.namespace",
            "must match metadata.namespace",
        ),
    ],
)
def test_an_incomplete_question_is_refused(
    authorizer: Authorizer, plural: str, spec: Object, field: str, says: str
) -> None:
    with pytest.raises(ApiError) as refused:
        ask(authorizer, plural, spec, namespace="ns")
    assert refused.value.code == 422
    assert refused.value.details is not None
    causes = refused.value.details["causes"]
    assert field in [cause["field"] for cause in causes]
    assert says in refused.value.message


def test_a_review_is_not_named(authorizer: Authorizer) -> None:
    with pytest.raises(ApiError, match="must be empty"):
        ask(authorizer, "selfsubjectaccessreviews", {"resourceAttributes": {}}, metadata={"name": "x"})


def test_a_local_review_must_say_its_namespace(authorizer: Authorizer) -> None:
    spec = {"user": "x", "resourceAttributes": {"verb": "get"}}
    with pytest.raises(ApiError) as refused:
        ask(authorizer, "localsubjectaccessreviews", spec, namespace="ns")
    assert refused.value.code == 400
    assert refused.value.message == "spec.resourceAttributes.namespace must match namespace: ns"


def test_can_i_list_shows_every_rule_once(authorizer: Authorizer) -> None:
    status = ask(authorizer, "selfsubjectrulesreviews", {"namespace": "ns"})["status"]
    assert status["incomplete"] is False
    resources = status["resourceRules"]
    assert {"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["secrets"]} in resources
    assert all(resources.count(each) == 1 for each in resources)
    assert {
        "verbs": ["get"],
        "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"],
    } in (status["nonResourceRules"])
    elsewhere = ask(authorizer, "selfsubjectrulesreviews", {"namespace": "other"})["status"]["resourceRules"]
    assert "secrets" not in str(elsewhere)


def test_can_i_list_of_a_master_has_everything(authorizer: Authorizer) -> None:
    status = ask(authorizer, "selfsubjectrulesreviews", {"namespace": "ns"}, MASTER)["status"]
    assert {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]} in status["resourceRules"]
    assert {"verbs": ["*"], "nonResourceURLs": ["*"]} in status["nonResourceRules"]


def test_can_i_list_needs_a_namespace(authorizer: Authorizer) -> None:
    with pytest.raises(ApiError) as refused:
        ask(authorizer, "selfsubjectrulesreviews", {})
    assert (refused.value.code, refused.value.message) == (400, "no namespace on request")


def test_whoami(authorizer: Authorizer) -> None:
    user = User("alice", "uid-1", ("devs",), {"scopes": ("a", "b")})
    found = review("selfsubjectreviews", {}, namespace=None, user=user, authorizer=authorizer)
    assert (found["kind"], found["apiVersion"]) == ("SelfSubjectReview", "authentication.k8s.io/v1")
    assert found["status"]["userInfo"] == {
        "username": "alice",
        "uid": "uid-1",
        "groups": ["devs"],
        "extra": {"scopes": ["a", "b"]},
    }
