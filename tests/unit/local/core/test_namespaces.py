from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.local.core.cluster import Cluster, config, shown, widget


def test_a_new_server_has_the_usual_namespaces(cluster: Cluster) -> None:
    assert cluster.names("namespaces") == ["default", "kube-node-lease", "kube-public", "kube-system"]
    before = cluster.core.resource_version
    cluster.core.bootstrap()
    assert cluster.core.resource_version == before


def test_every_namespace_gets_an_account_and_the_root_certificate(
    make_cluster: Callable[..., Cluster],
) -> None:
    cluster = make_cluster(root_ca="PEM")
    cluster.create("namespaces", {"metadata": {"name": "mine"}})
    cluster.settle()
    for namespace in ("default", "kube-system", "mine"):
        assert cluster.names("serviceaccounts", namespace=namespace) == ["default"]
        assert cluster.get("configmaps", "kube-root-ca.crt", namespace=namespace)["data"] == {"ca.crt": "PEM"}
    cluster.delete("serviceaccounts", "default", namespace="mine")
    cluster.delete("configmaps", "kube-root-ca.crt", namespace="mine")
    cluster.settle()
    assert cluster.exists("serviceaccounts", "default", namespace="mine")
    assert cluster.exists("configmaps", "kube-root-ca.crt", namespace="mine")


def test_a_namespace_is_active_and_says_its_name(cluster: Cluster) -> None:
    created = cluster.create("namespaces", {"metadata": {"name": "mine"}, "spec": {"finalizers": ["x/y"]}})
    assert created["spec"]["finalizers"] == ["x/y", "kubernetes"]
    assert created["status"] == {"phase": "Active"}
    assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "mine"}


def test_a_namespace_is_named_by_a_label(cluster: Cluster) -> None:
    error = cluster.refused("create", "namespaces", body={"metadata": {"name": "a.b"}})
    assert "a lowercase RFC 1123 label must consist of" in error.message


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_the_namespaces_of_the_system_stay(cluster: Cluster, name: str) -> None:
    error = cluster.refused("delete", "namespaces", name)
    assert (error.code, error.message) == (
        403,
        f'namespaces "{name}" is forbidden: this namespace may not be deleted',
    )


def test_an_empty_namespace_goes(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "mine"}})
    cluster.settle()
    watch = cluster.watch("namespaces", field_selector="metadata.name=mine")
    watch.take()
    going = cluster.delete("namespaces", "mine")
    assert going["status"]["phase"] == "Terminating"
    assert "deletionTimestamp" in going["metadata"]
    assert "deletionGracePeriodSeconds" not in going["metadata"]
    cluster.settle()
    assert not cluster.exists("namespaces", "mine")
    assert shown(watch.take())[-1] == ("DELETED", "mine")


def test_everything_in_it_goes_with_a_namespace(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "mine"}})
    for number in range(5):
        cluster.create("widgets", widget(f"w{number}"), namespace="mine")
        cluster.create("configmaps", config(f"c{number}"), namespace="mine")
    cluster.create("widgets", widget("kept"))
    cluster.delete("namespaces", "mine")
    cluster.settle()
    assert cluster.names("widgets", namespace="") == ["kept"]
    assert cluster.names("configmaps", namespace="mine") == []
    assert cluster.names("serviceaccounts", namespace="mine") == []


def test_a_namespace_waits_for_finalizers_and_says_so(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "mine"}})
    cluster.create("widgets", widget("a", {"finalizers": ["x/y"]}), namespace="mine")
    cluster.delete("namespaces", "mine")
    cluster.settle()
    status = cluster.get("namespaces", "mine")["status"]
    conditions = {condition["type"]: condition for condition in status["conditions"]}
    assert conditions["NamespaceContentRemaining"]["status"] == "True"
    assert conditions["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: widgets.test.example has 1 resource instances"
    )
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: x/y in 1 resource instances"
    )
    assert conditions["NamespaceDeletionContentFailure"]["status"] == "False"
    before = cluster.core.resource_version
    cluster.settle()
    assert cluster.core.resource_version == before
    cluster.patch("widgets", "a", {"metadata": {"finalizers": None}}, namespace="mine")
    cluster.settle()
    assert not cluster.exists("namespaces", "mine")


def test_the_finalizers_of_a_namespace_are_removed_through_finalize(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "mine"}, "spec": {"finalizers": ["x/y"]}})
    live = cluster.get("namespaces", "mine")
    unchanged = cluster.update("namespaces", {**live, "spec": {"finalizers": []}})
    assert unchanged["spec"]["finalizers"] == ["x/y", "kubernetes"]
    cluster.delete("namespaces", "mine")
    cluster.settle()
    live = cluster.get("namespaces", "mine")
    assert live["spec"]["finalizers"] == ["x/y"]
    cluster.update("namespaces", {**live, "spec": {"finalizers": []}}, subresource="finalize")
    assert not cluster.exists("namespaces", "mine")


def test_a_namespace_can_come_back_under_its_name(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.create("namespaces", {"metadata": {"name": "mine"}})
        cluster.create("configmaps", config("a"), namespace="mine")
        cluster.delete("namespaces", "mine")
        cluster.settle()
        assert not cluster.exists("namespaces", "mine")


def test_a_deletion_goes_on_after_a_restart(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "mine"}})
    cluster.create("configmaps", config("a"), namespace="mine")
    cluster.delete("namespaces", "mine")
    kept = [
        obj for _, collection in cluster.core.storage.collections() for obj in collection.objects.values()
    ]
    again = Cluster()
    again.core.load(kept, cluster.core.resource_version)
    again.settle()
    assert again.names("namespaces") == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert again.names("configmaps", namespace="mine") == []
