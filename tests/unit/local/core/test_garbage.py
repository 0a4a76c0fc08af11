from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.local.core.cluster import Cluster, config, owner, widget, widget_definition


def owned(
    cluster: Cluster, name: str, *owners: dict[str, object], finalizers: tuple[str, ...] = ()
) -> dict[str, object]:
    metadata: dict[str, object] = {"ownerReferences": list(owners)}
    if finalizers:
        metadata["finalizers"] = list(finalizers)
    return cluster.create("widgets", widget(name, metadata))


def test_background_dependents_go_after_their_owner(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    child = owned(cluster, "child", owner(parent))
    owned(cluster, "grandchild", owner(child))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Background")
    assert cluster.names("widgets") == ["child", "grandchild"]
    cluster.settle()
    assert cluster.names("widgets") == []


def test_one_owner_is_enough_to_live(cluster: Cluster) -> None:
    first, second = cluster.create("widgets", widget("p1")), cluster.create("configmaps", config("p2"))
    owned(cluster, "child", owner(first), owner(second))
    cluster.delete("widgets", "p1")
    cluster.settle()
    references = cluster.get("widgets", "child")["metadata"]["ownerReferences"]
    assert [reference["name"] for reference in references] == ["p2"]
    cluster.delete("configmaps", "p2")
    cluster.settle()
    assert not cluster.exists("widgets", "child")


def test_a_foreground_owner_waits_for_what_blocks_it(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    owned(cluster, "blocking", owner(parent, blockOwnerDeletion=True), finalizers=("x/y",))
    owned(cluster, "free", owner(parent))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    cluster.settle()
    assert cluster.names("widgets") == ["blocking", "parent"]
    assert "deletionTimestamp" in cluster.get("widgets", "blocking")["metadata"]
    cluster.patch("widgets", "blocking", {"metadata": {"finalizers": None}})
    cluster.settle()
    assert cluster.names("widgets") == []


def test_what_does_not_block_does_not_keep_its_owner(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    owned(cluster, "held", owner(parent), finalizers=("x/y",))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    cluster.settle()
    assert cluster.names("widgets") == ["held"]
    assert "deletionTimestamp" in cluster.get("widgets", "held")["metadata"]


def test_foreground_goes_down_the_tree(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    child = owned(cluster, "child", owner(parent, blockOwnerDeletion=True))
    owned(cluster, "grandchild", owner(child, blockOwnerDeletion=True), finalizers=("x/y",))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    cluster.settle()
    assert cluster.names("widgets") == ["child", "grandchild", "parent"]
    cluster.patch("widgets", "grandchild", {"metadata": {"finalizers": None}})
    cluster.settle()
    assert cluster.names("widgets") == []


def test_unblocking_lets_the_owner_go(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    owned(cluster, "child", owner(parent, blockOwnerDeletion=True), finalizers=("x/y",))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    cluster.settle()
    unblocked = [owner(parent, blockOwnerDeletion=False)]
    cluster.patch("widgets", "child", {"metadata": {"ownerReferences": unblocked}})
    cluster.settle()
    assert cluster.names("widgets") == ["child"]


def test_orphans_lose_their_owner_and_stay(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    other = cluster.create("configmaps", config("other"))
    owned(cluster, "a", owner(parent))
    owned(cluster, "b", owner(parent, blockOwnerDeletion=True), owner(other))
    cluster.settle()
    cluster.delete("widgets", "parent", propagation_policy="Orphan")
    cluster.settle()
    assert cluster.names("widgets") == ["a", "b"]
    assert "ownerReferences" not in cluster.get("widgets", "a")["metadata"]
    (kept,) = cluster.get("widgets", "b")["metadata"]["ownerReferences"]
    assert kept["name"] == "other"


@pytest.mark.parametrize("policy", ["Foreground", "Background"])
def test_owners_in_a_circle_all_go(cluster: Cluster, policy: str) -> None:
    first = cluster.create("widgets", widget("a"))
    second = owned(cluster, "b", owner(first, blockOwnerDeletion=True))
    cluster.patch("widgets", "a", {"metadata": {"ownerReferences": [owner(second, blockOwnerDeletion=True)]}})
    cluster.settle()
    assert cluster.names("widgets") == ["a", "b"]
    cluster.delete("widgets", "a", propagation_policy=policy)
    cluster.settle()
    assert cluster.names("widgets") == []


def test_an_owner_that_was_never_there_is_absent(cluster: Cluster) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "nobody"}
    owned(cluster, "child", ghost)
    cluster.settle()
    assert cluster.names("widgets") == []


def test_an_owner_of_the_same_name_is_not_the_owner(cluster: Cluster) -> None:
    first = cluster.create("configmaps", config("parent"))
    owned(cluster, "child", owner(first))
    cluster.settle()
    cluster.delete("configmaps", "parent")
    cluster.create("configmaps", config("parent"))
    cluster.settle()
    assert cluster.names("widgets") == []


def test_an_owner_in_another_namespace_is_absent(cluster: Cluster) -> None:
    elsewhere = cluster.create("configmaps", config("parent"), namespace="kube-system")
    owned(cluster, "child", owner(elsewhere))
    cluster.settle()
    assert cluster.names("widgets") == []
    assert cluster.exists("configmaps", "parent", namespace="kube-system")


def test_a_cluster_wide_owner_owns_in_every_namespace(cluster: Cluster) -> None:
    role = cluster.create("clusterroles", {"metadata": {"name": "r"}, "rules": []})
    owned(cluster, "child", owner(role))
    cluster.settle()
    assert cluster.names("widgets") == ["child"]
    cluster.delete("clusterroles", "r")
    cluster.settle()
    assert cluster.names("widgets") == []


def test_a_namespaced_owner_of_a_cluster_wide_object_decides_nothing(cluster: Cluster) -> None:
    parent = cluster.create("configmaps", config("parent"))
    metadata = {"name": "r", "ownerReferences": [owner(parent)]}
    cluster.create("clusterroles", {"metadata": metadata, "rules": []})
    cluster.delete("configmaps", "parent")
    cluster.settle()
    assert cluster.exists("clusterroles", "r")


def test_an_owner_of_an_unknown_kind_decides_nothing(cluster: Cluster) -> None:
    unknown = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "uid": "1"}
    owned(cluster, "child", unknown)
    cluster.settle()
    assert cluster.exists("widgets", "child")


def test_adopting_an_absent_owner_later_is_noticed(cluster: Cluster) -> None:
    cluster.create("widgets", widget("child"))
    cluster.settle()
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "nobody"}
    cluster.patch("widgets", "child", {"metadata": {"ownerReferences": [ghost]}})
    cluster.settle()
    assert cluster.names("widgets") == []


def test_a_schema_that_an_object_breaks_does_not_stop_its_collection(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    owned(cluster, "child", owner(parent, blockOwnerDeletion=True))
    definition = cluster.get("customresourcedefinitions", "widgets.test.example")
    versions = widget_definition()["spec"]["versions"]
    versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["required"] = ["colour"]
    cluster.update(
        "customresourcedefinitions", {**definition, "spec": {**definition["spec"], "versions": versions}}
    )
    assert cluster.refused("create", "widgets", body=widget("x")).code == 422
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    cluster.settle()
    assert cluster.names("widgets") == []


def test_collection_goes_on_after_a_restart(cluster: Cluster) -> None:
    parent = cluster.create("widgets", widget("parent"))
    owned(cluster, "child", owner(parent, blockOwnerDeletion=True))
    owned(cluster, "left", {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "nobody"})
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    kept = [
        obj for _, collection in cluster.core.storage.collections() for obj in collection.objects.values()
    ]
    again = Cluster()
    again.core.load(kept, cluster.core.resource_version)
    assert again.names("widgets") == ["child", "left", "parent"]
    again.settle()
    assert again.names("widgets") == []


@settings(max_examples=60, deadline=None)
@given(
    edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.booleans()), max_size=14),
    root=st.integers(0, 7),
    policy=st.sampled_from(["Background", "Foreground"]),
)
def test_exactly_what_has_no_owner_left_goes(
    edges: list[tuple[int, int, bool]], root: int, policy: str
) -> None:
    """Against the definition: an object goes when it had owners and all of them are gone."""
    cluster = Cluster()
    cluster.core.bootstrap()
    objects = {number: cluster.create("configmaps", config(f"c{number}")) for number in range(8)}
    owners: dict[int, dict[int, bool]] = {}
    for above, below, blocking in edges:
        if above < below:  # no circles
            owners.setdefault(below, {})[above] = blocking
    for below, above in owners.items():
        references = [
            owner(objects[number], blockOwnerDeletion=blocking) for number, blocking in above.items()
        ]
        cluster.patch("configmaps", f"c{below}", {"metadata": {"ownerReferences": references}})
    cluster.delete("configmaps", f"c{root}", propagation_policy=policy)
    cluster.settle()
    gone = {root}
    for number in range(8):
        if owners.get(number) and set(owners[number]) <= gone:
            gone.add(number)
    assert cluster.names("configmaps") == [f"c{number}" for number in range(8) if number not in gone]
    for number in set(range(8)) - gone:
        references = cluster.get("configmaps", f"c{number}")["metadata"].get("ownerReferences", [])
        assert {reference["name"] for reference in references} == {
            f"c{above}" for above in owners.get(number, {}) if above not in gone
        }
