"""kubectl create KIND: what it makes of its arguments."""

from __future__ import annotations

from pathlib import Path

from tests.local.kubectl.runner import Kubectl


def test_namespace(k: Kubectl) -> None:
    name = f"{k.namespace}-more"
    assert k(f"create namespace {name}").stdout == f"namespace/{name} created\n"
    live = k.get(f"namespace {name}")
    assert live["spec"]["finalizers"] == ["kubernetes"]
    assert live["status"] == {"phase": "Active"}
    k(f"delete namespace {name} --wait=false")


def test_configmap_from_literals_and_files(k: Kubectl, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "file.txt").write_text("text\n", encoding="utf-8")
    (files / "file.bin").write_bytes(b"\xff\x00")
    k(f"create configmap c --from-literal=a=1 --from-file={files}")
    live = k.get("configmap c")
    assert live["data"] == {"a": "1", "file.txt": "text\n"}
    assert live["binaryData"] == {"file.bin": "/wA="}


def test_secret(k: Kubectl) -> None:
    k("create secret generic s --from-literal=user=me")
    assert k.get("secret s")["data"] == {"user": "bWU="}
    k("create secret docker-registry d --docker-username=u --docker-password=p --docker-server=registry.test")
    assert k.get("secret d")["type"] == "kubernetes.io/dockerconfigjson"


def test_service_account(k: Kubectl) -> None:
    assert k("create serviceaccount robot").stdout == "serviceaccount/robot created\n"
    assert k.exists("serviceaccount robot")


def test_role_and_binding(k: Kubectl) -> None:
    k("create role r --verb=get,list --resource=configmaps,sprockets.test.nxc.dev")
    assert k.get("role r")["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["test.nxc.dev"], "resources": ["sprockets"], "verbs": ["get", "list"]},
    ]
    k("create rolebinding b --role=r --user=u --group=g --serviceaccount=n:s")
    live = k.get("rolebinding b")
    assert live["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    assert live["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "u"},
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]


def test_a_role_of_an_unknown_resource_is_refused(k: Kubectl) -> None:
    assert (
        "the server doesn't have a resource type"
        in k.fails("create role r --verb=get --resource=gizmos").stderr
    )
