"""What users may do on a fresh server."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.bootstrap_rbac import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, bootstrap_objects
from controller.local.core.builtin_rules import default_builtin, validate_builtin
from controller.local.core.rbac import GROUP, Attributes, Authorizer
from controller.local.core.request import User
from controller.local.core.resources import BUILTIN

AUTHENTICATED = ("system:authenticated",)
OPERATOR = User(f"system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}", groups=AUTHENTICATED)


def fresh(*grants: tuple[str, str]) -> Authorizer:
    """A server where each (role, user) of `grants` is bound in the namespace ns."""
    stored: dict[str, list[dict[str, Any]]] = {"roles": [], "rolebindings": []}
    for obj in bootstrap_objects():
        stored.setdefault(f"{obj['kind'].lower()}s", []).append(obj)
    for role, user in grants:
        stored["rolebindings"].append(
            {
                "metadata": {"name": f"{user}-{role}", "namespace": "ns"},
                "roleRef": {"kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "User", "name": user}],
            }
        )
    return Authorizer(lambda plural: stored[plural], lambda: 0)


def may(user: str, verb: str, what: str, namespace: str = "ns") -> bool:
    """`user` has the role of the same name in ns; `what` is `deployments.nxc.dev` or `deployments/status.nxc.dev`."""
    resource, _, group = what.partition(".")
    plural, _, subresource = resource.partition("/")
    asked = Attributes(verb, group, "v1", plural, subresource, namespace)
    grants = [(user, user)] if user in ("admin", "edit", "view") else []
    return fresh(*grants).authorize(User(user, groups=AUTHENTICATED), asked).allowed


@pytest.mark.parametrize("what", ["compositions", "deployments", "deployednodes", "deployments/status"])
def test_view_reads_our_kinds_and_changes_nothing(what: str) -> None:
    assert may("view", "get", f"{what}.nxc.dev")
    assert may("view", "watch", f"{what}.nxc.dev")
    assert not may("view", "update", f"{what}.nxc.dev")
    assert not may("view", "delete", f"{what}.nxc.dev")


def test_view_does_not_read_secrets() -> None:
    assert may("view", "list", "configmaps")
    assert may("view", "get", "events")
    assert not may("view", "get", "secrets")
    assert may("edit", "get", "secrets")


def test_edit_writes_what_users_write() -> None:
    assert may("edit", "create", "deployments.nxc.dev")
    assert may("edit", "patch", "compositions.nxc.dev")
    assert may("edit", "delete", "deployednodes.nxc.dev")
    assert may("edit", "create", "configmaps")


def test_edit_leaves_the_controllers_work_alone() -> None:
    assert not may("edit", "create", "deployednodes.nxc.dev")
    assert not may("edit", "patch", "deployednodes.nxc.dev")
    assert not may("edit", "patch", "deployments/status.nxc.dev")
    assert not may("edit", "create", f"rolebindings.{GROUP}")


def test_admin_may_also_let_others_in() -> None:
    assert may("admin", "create", f"rolebindings.{GROUP}")
    assert may("admin", "create", "deployments.nxc.dev")
    assert not may("admin", "create", f"rolebindings.{GROUP}", namespace="other")
    assert not may("admin", "escalate", f"roles.{GROUP}")


def test_admin_may_bind_view_and_edit_but_not_cluster_admin() -> None:
    authorizer = fresh(("admin", "admin"))
    admin = User("admin", groups=AUTHENTICATED)

    def binding(role: str) -> dict[str, Any]:
        return {
            "metadata": {"name": "b", "namespace": "ns"},
            "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": "bob"}],
        }

    for role in ("view", "edit", "admin"):
        authorizer.require_no_escalation(admin, "create", "rolebindings", binding(role))
    with pytest.raises(Exception, match="not currently held"):
        authorizer.require_no_escalation(admin, "create", "rolebindings", binding("cluster-admin"))


def test_everybody_who_is_known_may_look_around() -> None:
    authorizer = fresh()
    anyone = User("anyone", groups=AUTHENTICATED)
    nobody = User("system:anonymous", groups=("system:unauthenticated",))
    assert authorizer.authorize(anyone, Attributes("get", path="/openapi/v3/apis/nxc.dev/v1alpha1")).allowed
    assert authorizer.authorize(nobody, Attributes("get", path="/version")).allowed
    assert not authorizer.authorize(nobody, Attributes("get", path="/api")).allowed
    assert may("anyone", "create", "selfsubjectaccessreviews.authorization.k8s.io", "")
    assert may("anyone", "create", "selfsubjectreviews.authentication.k8s.io", "")
    assert not may("anyone", "list", "namespaces", "")


def test_everybody_who_is_known_reads_testbeds_and_nobody_writes_them() -> None:
    assert may("anyone", "list", "testbeds.nxc.dev", "")
    assert not may("anyone", "patch", "testbeds.nxc.dev", "")


def test_the_operator_may_do_its_work_and_no_more() -> None:
    authorizer = fresh()

    def allowed(verb: str, group: str, plural: str, namespace: str = "ns") -> bool:
        return authorizer.authorize(
            OPERATOR, Attributes(verb, group, "v1", plural, namespace=namespace)
        ).allowed

    assert allowed("update", "nxc.dev", "deployments")
    assert allowed("create", "nxc.dev", "deployednodes")
    assert allowed("create", "", "secrets")
    assert allowed("create", "", "events")
    assert allowed("update", "coordination.k8s.io", "leases")
    assert allowed("watch", "apiextensions.k8s.io", "customresourcedefinitions", "")
    assert not allowed("delete", "", "namespaces", "")
    assert not allowed("create", GROUP, "rolebindings")
    assert not allowed("update", "", "configmaps")


def test_what_the_server_starts_with_is_valid_and_fresh() -> None:
    resources = {resource.kind: resource for resource in BUILTIN if resource.group == GROUP}
    objects = bootstrap_objects()
    for obj in objects:
        resource = resources[obj["kind"]]
        stored = default_builtin(resource, obj)
        assert stored == obj, obj["metadata"]["name"]
        assert validate_builtin(resource, stored) == []
    objects[0]["rules"].clear()
    assert bootstrap_objects()[0]["rules"]


def test_aggregated_roles_show_their_rules() -> None:
    rules = {obj["metadata"]["name"]: obj.get("rules") for obj in bootstrap_objects()}
    assert all(rule in rules["edit"] for rule in rules["view"])
    assert all(rule in rules["admin"] for rule in rules["edit"])
