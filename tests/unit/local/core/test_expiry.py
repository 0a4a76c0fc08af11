from __future__ import annotations

from typing import Any

from tests.unit.local.core.cluster import Cluster


def event(name: str) -> dict[str, Any]:
    involved = {"kind": "Widget", "name": "a", "namespace": "default"}
    return {"metadata": {"name": name}, "involvedObject": involved, "reason": "Booted", "message": "it runs"}


def test_events_go_after_an_hour(cluster: Cluster) -> None:
    cluster.create("events", event("old"))
    cluster.later(1800)
    cluster.create("events", event("young"))
    cluster.settle()
    cluster.later(1801)
    cluster.settle()
    assert cluster.names("events") == ["young"]


def test_an_event_that_is_repeated_lives_on(cluster: Cluster) -> None:
    cluster.create("events", event("e"))
    cluster.later(1800)
    cluster.patch("events", "e", {"count": 2})
    cluster.later(1801)
    cluster.settle()
    assert cluster.names("events") == ["e"]
    cluster.later(3600)
    cluster.settle()
    assert cluster.names("events") == []


def test_a_deleted_event_does_not_trouble_its_successor(cluster: Cluster) -> None:
    cluster.create("events", event("e"))
    cluster.later(1800)
    cluster.delete("events", "e")
    cluster.create("events", event("e"))
    cluster.later(1801)
    cluster.settle()
    assert cluster.names("events") == ["e"]


def test_events_expire_after_a_restart_too(cluster: Cluster) -> None:
    cluster.create("events", event("e"))
    kept = [
        obj for _, collection in cluster.core.storage.collections() for obj in collection.objects.values()
    ]
    again = Cluster()
    again.core.load(kept, cluster.core.resource_version)
    again.later(3601)
    again.settle()
    assert again.names("events") == []
