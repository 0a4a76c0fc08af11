from __future__ import annotations

from typing import Any

import pytest

from tests.unit.local.core.cluster import Cluster, widget, widget_definition


@pytest.fixture
def scaled() -> Cluster:
    definition = widget_definition()
    (version,) = definition["spec"]["versions"]
    version["subresources"]["scale"] = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.ready",
        "labelSelectorPath": ".status.note",
    }
    version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["ready"] = {"type": "integer"}
    cluster = Cluster()
    cluster.core.bootstrap()
    cluster.create("customresourcedefinitions", definition)
    cluster.create("widgets", widget("a", colour="red"))
    cluster.patch("widgets", "a", {"status": {"ready": 2, "note": "app=a"}}, subresource="status")
    return cluster


def scale(cluster: Cluster) -> dict[str, Any]:
    return cluster.get("widgets", "a", subresource="scale")


def test_scale_shows_one_number(scaled: Cluster) -> None:
    found = scale(scaled)
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert found["spec"] == {"replicas": 3}
    assert found["status"] == {"replicas": 2, "selector": "app=a"}


def test_scale_sets_one_number(scaled: Cluster) -> None:
    answer = scaled.patch("widgets", "a", {"spec": {"replicas": 5, "colour": "blue"}}, subresource="scale")
    assert answer["spec"] == {"replicas": 5}
    live = scaled.get("widgets", "a")
    assert live["spec"] == {"colour": "red", "size": 5}
    assert live["metadata"]["generation"] == 2
    replaced = scaled.update("widgets", {**scale(scaled), "spec": {"replicas": 7}}, subresource="scale")
    assert replaced["spec"] == {"replicas": 7}
    error = scaled.refused("update", "widgets", "a", body=answer, subresource="scale")
    assert error.code == 409


def test_no_scale_without_the_subresource(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    assert cluster.refused("get", "widgets", "a", subresource="scale").code == 404
