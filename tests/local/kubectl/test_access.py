"""Who may do what: ServiceAccounts with tokens, roles and bindings, `kubectl auth`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket

AsUser = Callable[[str], Kubectl]


@pytest.fixture
def robot(k: Kubectl, as_user: AsUser) -> Kubectl:
    """kubectl with the token of a new ServiceAccount `robot`."""
    k("create serviceaccount robot")
    return as_user(k("create token robot").stdout.strip())


def test_a_service_account_is_denied_and_then_allowed_by_a_role_binding(k: Kubectl, robot: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    denied = robot.fails("get sprockets")
    assert denied.stderr == (
        'Error from server (Forbidden): sprockets.test.nxc.dev is forbidden: User "system:serviceaccount:'
        f'{k.namespace}:robot" cannot list resource "sprockets" in API group "test.nxc.dev" in the namespace '
        f'"{k.namespace}"\n'
    )
    k("create role reader --verb=get,list,watch --resource=sprockets.test.nxc.dev")
    k(f"create rolebinding robot-reads --role=reader --serviceaccount={k.namespace}:robot")
    robot.until("get sprockets", lambda output: output.code == 0, 20)
    assert robot("get sprockets -o name").stdout == "sprocket.test.nxc.dev/w\n"
    assert 'cannot delete resource "sprockets"' in robot.fails("delete sprocket w").stderr
    assert 'cannot get resource "sprockets"' in robot.fails("get sprocket w -n default").stderr
    k("delete rolebinding robot-reads")
    robot.until("get sprockets", lambda output: output.code != 0, 20)


def test_a_cluster_role_binding_allows_everywhere(k: Kubectl, robot: Kubectl) -> None:
    name = f"{k.namespace}-reader"
    k(f"create clusterrole {name} --verb=list --resource=sprockets.test.nxc.dev,namespaces")
    try:
        k(f"create clusterrolebinding {name} --clusterrole={name} --serviceaccount={k.namespace}:robot")
        robot.until("get sprockets -A", lambda output: output.code == 0, 20)
        robot("get namespaces")
    finally:
        k(f"delete clusterrole,clusterrolebinding {name} --ignore-not-found")


def test_a_cluster_role_bound_in_a_namespace_allows_there_alone(k: Kubectl, robot: Kubectl) -> None:
    k(f"create rolebinding views --clusterrole=view --serviceaccount={k.namespace}:robot")
    robot.until("get configmaps", lambda output: output.code == 0, 20)
    assert "Forbidden" in robot.fails("get configmaps -n default").stderr
    assert "Forbidden" in robot.fails("get secrets").stderr
    assert 'cannot create resource "configmaps"' in robot.fails("create configmap c").stderr


def test_edit_writes_and_view_of_secrets(k: Kubectl, robot: Kubectl) -> None:
    k(f"create rolebinding edits --clusterrole=edit --serviceaccount={k.namespace}:robot")
    robot.until("create configmap c --from-literal=a=1", lambda output: output.code == 0, 20)
    robot("create secret generic s --from-literal=a=1")
    robot("get secret s")
    assert (
        'cannot create resource "roles"' in robot.fails("create role r --verb=get --resource=secrets").stderr
    )


def test_a_role_for_named_objects_only(k: Kubectl, robot: Kubectl) -> None:
    k("create -f -", [configmap("mine"), configmap("yours")])
    k("create role one --verb=get --resource=configmaps --resource-name=mine")
    k(f"create rolebinding one --role=one --serviceaccount={k.namespace}:robot")
    robot.until("get configmap mine", lambda output: output.code == 0, 20)
    assert "Forbidden" in robot.fails("get configmap yours").stderr


def test_a_role_for_the_status_alone(k: Kubectl, robot: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    k("create role status --verb=get,patch --resource=sprockets.test.nxc.dev/status")
    k("create role read --verb=get --resource=sprockets.test.nxc.dev")
    k(f"create rolebinding status --role=status --serviceaccount={k.namespace}:robot")
    k(f"create rolebinding read --role=read --serviceaccount={k.namespace}:robot")
    patch = 'patch sprocket w --type=merge -p \'{"status":{"phase":"Fine"}}\''
    robot.until(f"{patch} --subresource=status", lambda output: output.code == 0, 20)
    assert "Forbidden" in robot.fails(patch).stderr


def test_nobody_grants_what_he_has_not(k: Kubectl, robot: Kubectl) -> None:
    k(
        "create role maker --verb=create,get"
        " --resource=roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io"
    )
    k("create role reads --verb=get --resource=configmaps")
    k("create role powers --verb=get,delete --resource=secrets")
    for role in ("maker", "reads"):
        k(f"create rolebinding {role} --role={role} --serviceaccount={k.namespace}:robot")
    robot.until("auth can-i create roles", lambda output: output.code == 0, 20)
    robot.until("create role fine --verb=get --resource=configmaps", lambda output: output.code == 0, 20)
    refused = robot.fails("create role more --verb=get --resource=secrets").stderr
    assert "is attempting to grant RBAC permissions not currently held" in refused
    assert '{APIGroups:[""], Resources:["secrets"], Verbs:["get"]}' in refused
    refused = robot.fails(f"create rolebinding up --role=powers --serviceaccount={k.namespace}:robot").stderr
    assert "is attempting to grant RBAC permissions not currently held" in refused
    robot(f"create rolebinding same --role=reads --serviceaccount={k.namespace}:other")


def test_auth_can_i(k: Kubectl, robot: Kubectl) -> None:
    assert k("auth can-i create sprockets").stdout == "yes\n"
    assert k("auth can-i '*' '*'").stdout == "yes\n"
    no = robot.fails("auth can-i create sprockets")
    assert no.stdout.startswith("no")
    k("create role reader --verb=get --resource=sprockets.test.nxc.dev")
    k(f"create rolebinding robot-reads --role=reader --serviceaccount={k.namespace}:robot")
    robot.until("auth can-i get sprockets", lambda output: output.stdout == "yes\n", 20)
    assert robot.fails("auth can-i get sprockets --subresource=status").stdout.startswith("no")
    assert robot.fails("auth can-i get sprockets -n default").stdout.startswith("no")
    robot("auth can-i get /version")


def test_auth_can_i_list(k: Kubectl, robot: Kubectl) -> None:
    k("create role reader --verb=get,list --resource=sprockets.test.nxc.dev --resource-name=w")
    k(f"create rolebinding robot-reads --role=reader --serviceaccount={k.namespace}:robot")
    listed = robot.until("auth can-i --list", lambda output: "sprockets" in output.stdout, 20)
    rule = next(line for line in listed.lines if "sprockets" in line)
    assert rule.split() == ["sprockets.test.nxc.dev", "[]", "[w]", "[get", "list]"]
    assert "selfsubjectaccessreviews.authorization.k8s.io" in listed.stdout
    assert "[/version]" in listed.stdout


def test_the_admin_may_act_as_another(k: Kubectl) -> None:
    k("create serviceaccount robot")
    robot = f"--as=system:serviceaccount:{k.namespace}:robot"
    assert k.fails(f"auth can-i get sprockets {robot}").stdout.startswith("no")
    assert "Forbidden" in k.fails(f"get sprockets {robot}").stderr
    k("create role reader --verb=get,list --resource=sprockets.test.nxc.dev")
    k("create rolebinding group-reads --role=reader --group=testers")
    k.until("get sprockets --as=somebody --as-group=testers", lambda output: output.code == 0, 20)


def test_others_may_not_act_as_another(robot: Kubectl) -> None:
    refused = robot.fails("get configmaps --as=kubernetes-admin --as-group=system:masters").stderr
    assert "cannot impersonate resource" in refused


def test_whoami(k: Kubectl, robot: Kubectl, needs: Callable[[str], None]) -> None:
    needs("selfsubjectreviews.authentication.k8s.io")
    me = robot("auth whoami -o json").json()["status"]["userInfo"]
    assert me["username"] == f"system:serviceaccount:{k.namespace}:robot"
    assert set(me["groups"]) >= {
        "system:serviceaccounts",
        f"system:serviceaccounts:{k.namespace}",
        "system:authenticated",
    }


def test_a_token_says_whose_it_is_and_ends(k: Kubectl) -> None:
    k("create serviceaccount robot")
    token = k("create token robot --duration=10m").stdout.strip()
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sub"] == f"system:serviceaccount:{k.namespace}:robot"
    assert claims["kubernetes.io"]["namespace"] == k.namespace
    assert claims["exp"] - claims["iat"] == 600


def test_a_token_of_less_than_ten_minutes_is_refused(k: Kubectl) -> None:
    k("create serviceaccount robot")
    refused = k.fails("create token robot --duration=1m")
    assert (
        "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes"
        in refused.stderr
    )


def test_a_token_for_nobody_is_refused(k: Kubectl) -> None:
    assert 'serviceaccounts "nobody" not found' in k.fails("create token nobody").stderr


def test_a_token_dies_with_its_service_account(k: Kubectl, robot: Kubectl) -> None:
    robot("auth can-i --list")
    k("delete serviceaccount robot")
    robot.until(
        "auth can-i --list",
        lambda output: "Unauthorized" in output.stderr or "logged in" in output.stderr,
        30,
    )


def test_a_token_bound_to_a_secret_dies_with_it(k: Kubectl, as_user: AsUser) -> None:
    k("create serviceaccount robot")
    k("create secret generic s")
    bound = as_user(k("create token robot --bound-object-kind=Secret --bound-object-name=s").stdout.strip())
    bound("auth can-i --list")
    k("delete secret s")
    bound.until("auth can-i --list", lambda output: output.code != 0, 30)


def test_rubbish_for_a_token_is_unauthorized(as_user: AsUser) -> None:
    refused = as_user("rubbish").fails("get configmaps")
    assert "You must be logged in to the server" in refused.stderr


def test_every_service_account_may_ask_for_versions_and_discovery(robot: Kubectl) -> None:
    robot("version")
    robot("api-resources")
    robot("get --raw /healthz")
    assert "Forbidden" in robot.fails("get --raw /metrics").stderr


def test_auth_reconcile(k: Kubectl) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r", "namespace": k.namespace},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }
    assert "reconciled" in k("auth reconcile -f -", role).stdout
    assert k.get("role r")["rules"] == role["rules"]


def test_a_role_binding_cannot_change_its_role(k: Kubectl) -> None:
    k("create rolebinding b --clusterrole=view --user=u")
    binding = k.get("rolebinding b")
    binding["roleRef"]["name"] = "edit"
    assert "cannot change roleRef" in k.fails("replace -f -", binding).stderr


def test_a_role_without_verbs_is_refused(k: Kubectl) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": []}],
    }
    assert (
        "rules[0].verbs: Required value: verbs must contain at least one value"
        in k.fails("create -f -", role).stderr
    )


def test_new_namespaces_get_a_default_service_account(k: Kubectl) -> None:
    k.until("get serviceaccount default", lambda output: output.code == 0, 20)
