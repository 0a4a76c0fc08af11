from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.api import Preconditions
from tests.unit.local.core.cluster import Cluster, config, shown, widget


def test_a_plain_object_goes_at_once(cluster: Cluster) -> None:
    uid = cluster.create("widgets", widget("a"))["metadata"]["uid"]
    assert cluster.delete("widgets", "a") == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "a", "group": "test.example", "kind": "widgets", "uid": uid},
    }
    assert cluster.refused("delete", "widgets", "a").code == 404


def test_a_finalizer_holds_the_object_back(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x/y"]}))
    watch = cluster.watch("widgets")
    watch.take()
    going = cluster.delete("widgets", "a")
    metadata = going["metadata"]
    assert metadata["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert metadata["generation"] == 2
    cluster.later(5)
    assert cluster.delete("widgets", "a") is going
    done = cluster.patch("widgets", "a", {"metadata": {"finalizers": []}})
    assert "finalizers" not in done["metadata"]
    assert not cluster.exists("widgets", "a")
    first, last = watch.take()
    assert (first.type, last.type) == ("MODIFIED", "DELETED")
    # The last state that was stored, as the real server shows it.
    assert last.object["metadata"]["finalizers"] == ["x/y"]


def test_a_terminating_object_can_still_be_changed(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x/y", "x/z"]}))
    cluster.delete("widgets", "a")
    assert cluster.patch("widgets", "a", {"spec": {"size": 9}})["metadata"]["generation"] == 3
    kept = cluster.patch("widgets", "a", {"metadata": {"deletionTimestamp": None, "labels": {"a": "b"}}})
    assert "deletionTimestamp" in kept["metadata"]
    fewer = cluster.patch("widgets", "a", {"metadata": {"finalizers": ["x/z"]}})
    assert fewer["metadata"]["finalizers"] == ["x/z"]


def test_no_finalizer_is_added_to_a_terminating_object(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x/y"]}))
    cluster.delete("widgets", "a")
    error = cluster.refused(
        "patch", "widgets", "a", patch_type="application/merge-patch+json",
        body={"metadata": {"finalizers": ["x/y", "x/z"]}},
    )  # fmt: skip
    assert error.code == 422
    assert error.message == (
        'Widget.test.example "a" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added '
        'if the object is being deleted, found new finalizers []string{"x/z"}'
    )


def test_a_dry_run_of_the_last_finalizer_keeps_the_object(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x/y"]}))
    cluster.delete("widgets", "a", dry_run=True)
    assert "deletionTimestamp" not in cluster.get("widgets", "a")["metadata"]
    cluster.delete("widgets", "a")
    cluster.patch("widgets", "a", {"metadata": {"finalizers": None}}, dry_run=True)
    assert cluster.exists("widgets", "a")


def test_preconditions_protect_from_deleting_another(cluster: Cluster) -> None:
    live = cluster.create("widgets", widget("a"))
    uid, version = live["metadata"]["uid"], live["metadata"]["resourceVersion"]
    error = cluster.refused("delete", "widgets", "a", body={"preconditions": {"uid": "x"}})
    assert error.code == 409
    assert error.message == (
        'Operation cannot be fulfilled on Widget.test.example "a": the UID in the precondition (x) does not match '
        f"the UID in record ({uid}). The object might have been deleted and then recreated"
    )
    error = cluster.refused("delete", "widgets", "a", preconditions=Preconditions(resource_version="1"))
    assert f"does not match the ResourceVersion in record ({version})" in error.message
    cluster.delete("widgets", "a", preconditions=Preconditions(uid, version))
    assert not cluster.exists("widgets", "a")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"propagationPolicy": "Bogus"}, 'supported values: "Foreground", "Background", "Orphan", "nil"'),
        ({"propagationPolicy": "Orphan", "orphanDependents": True}, "cannot be both set"),
    ],
)
def test_wrong_delete_options_are_refused(cluster: Cluster, body: dict[str, Any], message: str) -> None:
    cluster.create("widgets", widget("a"))
    error = cluster.refused("delete", "widgets", "a", body=body)
    assert error.code == 422
    assert error.message.startswith('DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy')
    assert message in error.message


def test_deleting_a_collection_answers_with_what_it_found(cluster: Cluster) -> None:
    for name in "abc":
        labels = {"labels": {"go": "no" if name == "c" else "yes"}}
        cluster.create("widgets", widget(name, {**labels, "finalizers": ["x/y"]} if name == "b" else labels))
    watch = cluster.watch("widgets", resource_version=str(cluster.core.resource_version))
    answer = cluster.call("deletecollection", "widgets", label_selector="go=yes").object
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b"]
    assert "deletionTimestamp" not in answer["items"][1]["metadata"]
    assert cluster.names("widgets") == ["b", "c"]
    assert shown(watch.take()) == [("DELETED", "a"), ("MODIFIED", "b")]


def test_a_collection_is_deleted_within_one_namespace(cluster: Cluster) -> None:
    cluster.create("configmaps", config("a"), namespace="kube-system")
    cluster.create("configmaps", config("a"))
    cluster.call("deletecollection", "configmaps")
    assert cluster.names("configmaps", namespace="") == ["a"]
    assert cluster.refused("deletecollection", "configmaps", namespace="").code == 404


@pytest.mark.parametrize(
    ("query", "finalizers"),
    [
        ({"propagation_policy": "Foreground"}, ["foregroundDeletion"]),
        ({"propagation_policy": "Orphan"}, ["orphan"]),
        ({"orphan_dependents": True}, ["orphan"]),
        ({"body": {"propagationPolicy": "Foreground"}}, ["foregroundDeletion"]),
    ],
)
def test_policies_are_finalizers(cluster: Cluster, query: dict[str, Any], finalizers: list[str]) -> None:
    cluster.create("widgets", widget("a"))
    assert cluster.delete("widgets", "a", **query)["metadata"]["finalizers"] == finalizers
    cluster.settle()
    assert not cluster.exists("widgets", "a")


def test_a_body_makes_the_parameters_void(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    body = {"kind": "DeleteOptions", "propagationPolicy": "Background"}
    assert cluster.delete("widgets", "a", body=body, propagation_policy="Orphan")["status"] == "Success"


def test_a_later_policy_replaces_an_earlier_one(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x/y"]}))
    cluster.delete("widgets", "a", propagation_policy="Foreground")
    assert cluster.delete("widgets", "a", propagation_policy="Orphan")["metadata"]["finalizers"] == [
        "x/y",
        "orphan",
    ]
    assert cluster.delete("widgets", "a", propagation_policy="Background")["metadata"]["finalizers"] == [
        "x/y"
    ]
    # deletionTimestamp moves no more, and generation grew once.
    assert cluster.get("widgets", "a")["metadata"]["generation"] == 2
