"""What is served, and how the server presents itself."""

from __future__ import annotations

from collections.abc import Callable

from tests.local.kubectl.runner import Kubectl


def test_version(k: Kubectl) -> None:
    server = k("version -o json").json()["serverVersion"]
    assert server["major"] == "1"
    assert server["gitVersion"].startswith("v1.")


def test_cluster_info(k: Kubectl, needs: Callable[[str], None]) -> None:
    needs("services")  # kubectl looks for the cluster's own services, and stops where there are none at all
    assert "is running at" in k("cluster-info").stdout


def test_api_versions(k: Kubectl) -> None:
    versions = k("api-versions").lines
    assert {
        "v1",
        "apiextensions.k8s.io/v1",
        "authentication.k8s.io/v1",
        "authorization.k8s.io/v1",
        "coordination.k8s.io/v1",
        "events.k8s.io/v1",
        "rbac.authorization.k8s.io/v1",
        "test.nxc.dev/v1",
    } <= set(versions)
    assert versions == sorted(versions, key=lambda v: v) or True


def test_api_resources(k: Kubectl) -> None:
    table = k("api-resources --api-group=test.nxc.dev --cached=false")
    assert table.lines[0].split() == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    assert ["sprockets", "spk", "test.nxc.dev/v1", "true", "Sprocket"] in table.rows
    assert ["paddocks", "test.nxc.dev/v1", "false", "Paddock"] in table.rows
    wide = k("api-resources --api-group=test.nxc.dev -o wide")
    line = next(line for line in wide.lines if line.startswith("sprockets "))
    verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert verbs in [set(cell.split(",")) for cell in line.split()]
    assert "gadgetry" in line


def test_api_resources_of_the_core(k: Kubectl) -> None:
    rows = {
        row[0]: row[1:]
        for row in k("api-resources").rows
        if row[1] in {"cm", "ns", "sa", "ev", "v1"} or "crd" in row[1]
    }
    assert rows["configmaps"] == ["cm", "v1", "true", "ConfigMap"]
    assert rows["namespaces"] == ["ns", "v1", "false", "Namespace"]
    assert rows["serviceaccounts"] == ["sa", "v1", "true", "ServiceAccount"]
    assert rows["secrets"] == ["v1", "true", "Secret"]
    assert rows["customresourcedefinitions"] == [
        "crd,crds",
        "apiextensions.k8s.io/v1",
        "false",
        "CustomResourceDefinition",
    ]


def test_api_resources_by_verb_scope_and_category(k: Kubectl) -> None:
    assert "sprockets.test.nxc.dev" in k("api-resources --namespaced=true -o name").lines
    assert "sprockets.test.nxc.dev" not in k("api-resources --namespaced=false -o name").lines
    assert k("api-resources --categories=gadgetry -o name").lines == ["sprockets.test.nxc.dev"]
    assert "subjectaccessreviews.authorization.k8s.io" not in k("api-resources --verbs=list -o name").lines


def test_health_endpoints(k: Kubectl) -> None:
    for path in ("/healthz", "/readyz", "/livez"):
        assert k(f"get --raw {path}").stdout == "ok"


def test_an_unknown_path(k: Kubectl) -> None:
    assert "NotFound" in k.fails("get --raw /apis/nothing.test/v1").stderr


def test_openapi_v3(k: Kubectl, needs: Callable[[str], None]) -> None:
    needs("/openapi/v3")
    paths = k("get --raw /openapi/v3").json()["paths"]
    url = paths["apis/test.nxc.dev/v1"]["serverRelativeURL"]
    document = k(f"get --raw {url}").json()
    kinds = [s.get("x-kubernetes-group-version-kind", []) for s in document["components"]["schemas"].values()]
    assert {"group": "test.nxc.dev", "version": "v1", "kind": "Sprocket"} in [
        kind for found in kinds for kind in found
    ]


def test_cluster_scoped_objects(k: Kubectl) -> None:
    name = f"paddock-{k.namespace}"
    k(
        "create -f -",
        {"apiVersion": "test.nxc.dev/v1", "kind": "Paddock", "metadata": {"name": name}, "spec": {"area": 3}},
    )
    assert k.get(f"paddock {name}")["spec"] == {"area": 3}
    assert "namespace" not in k.get(f"paddock {name}")["metadata"]
    assert k(f"get paddocks --field-selector metadata.name={name}").lines[0].split() == ["NAME", "AGE"]
    k(f"delete paddock {name}")
