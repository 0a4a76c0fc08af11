from __future__ import annotations

from collections.abc import Sequence

import pytest

from controller.local.core.api import ApiCore, Request
from controller.local.core.errors import ApiError, insufficient_storage
from controller.local.core.storage import Change
from tests.unit.local.core.cluster import Cluster, config, owner, widget, widget_definition


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"plural": "gadgets"}, ""),
        ({"plural": "configmaps", "version": "v2"}, ""),
        ({"plural": "configmaps", "group": "apps"}, ""),
        ({"plural": "configmaps", "subresource": "status"}, "a"),
        ({"plural": "namespaces", "namespace": "default"}, ""),
        ({"plural": "configmaps", "namespace": ""}, "a"),
    ],
)
def test_urls_that_lead_nowhere(cluster: Cluster, query: dict[str, str], name: str) -> None:
    error = cluster.refused("get" if name else "list", name=name, **query)
    assert (error.code, error.message) == (404, "the server could not find the requested resource")


def test_verbs_that_a_resource_does_not_have(cluster: Cluster) -> None:
    error = cluster.refused("list", "selfsubjectaccessreviews")
    assert error.code == 405
    assert error.message == (
        'list is not supported on resources of kind "selfsubjectaccessreviews.authorization.k8s.io"'
    )
    assert cluster.refused("deletecollection", "namespaces").code == 405
    assert cluster.refused("delete", "widgets", "a", subresource="status").code == 405


def test_a_watch_is_not_handled_but_opened(cluster: Cluster) -> None:
    with pytest.raises(ApiError):
        cluster.core.handle(cluster.request("watch", "widgets"))


def test_reviews_are_answered_by_whoever_decides() -> None:
    def review(request: Request, resource: object) -> dict[str, object]:
        return {**request.body, "status": {"allowed": True}}

    core = ApiCore(clock=lambda: Cluster().now, new_uid=lambda: "u", new_suffix=lambda: "x", review=review)
    cluster = Cluster()
    cluster.core = core
    answer = cluster.call("create", "selfsubjectaccessreviews", body={"spec": {}})
    assert (answer.code, answer.object["status"]) == (201, {"allowed": True})
    assert Cluster().refused("create", "selfsubjectaccessreviews", body={}).code == 404


def test_events_are_the_same_in_both_groups(cluster: Cluster) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Widget", "name": "a", "namespace": "default"},
        "reason": "Booted",
        "message": "it runs",
        "type": "Normal",
        "source": {"component": "nxc"},
        "count": 2,
    }
    created = cluster.create("events", event)
    assert created["apiVersion"] == "v1"
    new = cluster.get("events", "e", group="events.k8s.io")
    assert new["apiVersion"] == "events.k8s.io/v1"
    assert (new["note"], new["regarding"]["name"], new["deprecatedCount"]) == ("it runs", "a", 2)
    assert "message" not in new
    query = {"group": "events.k8s.io", "field_selector": "regarding.name=a"}
    assert cluster.names("events", **query) == ["e"]
    assert cluster.names("events", field_selector="involvedObject.name=b") == []
    assert cluster.names("events", field_selector="involvedObject.kind=Widget,type=Normal,source=nxc") == [
        "e"
    ]
    modern = {
        "metadata": {"name": "f"},
        "regarding": {"kind": "Widget", "name": "a", "namespace": "default"},
        "reason": "Booted",
        "note": "again",
        "type": "Normal",
        "action": "Boot",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "nxc.dev/c",
        "reportingInstance": "c-0",
    }
    cluster.create("events", modern, group="events.k8s.io")
    assert cluster.get("events", "f")["message"] == "again"
    watch = cluster.watch("events", group="events.k8s.io")
    assert [taken.object["note"] for taken in watch.take()] == ["it runs", "again"]


def test_the_same_calls_give_the_same_server(cluster: Cluster) -> None:
    def run() -> list[object]:
        one = Cluster(root_ca="PEM")
        one.core.bootstrap()
        one.create("configmaps", config("a"))
        one.create("namespaces", {"metadata": {"generateName": "n-"}})
        one.settle()
        return [dict(collection.objects) for _, collection in one.core.storage.collections()]

    assert run() == run()


def test_background_work_ends(cluster: Cluster) -> None:
    cluster.settle()
    assert cluster.core.step() is False
    cluster.create("namespaces", {"metadata": {"name": "n"}})
    assert cluster.core.step() is True
    with pytest.raises(RuntimeError, match="has not ended after 0 steps"):
        cluster.core.settle(0)


class Disk:
    """A journal that can be full."""

    def __init__(self) -> None:
        self.full = False

    def append(self, changes: Sequence[Change]) -> None:
        if self.full:
            raise insufficient_storage("the disk is full")


def test_background_work_survives_a_full_disk() -> None:
    disk = Disk()
    cluster = Cluster(journal=disk, root_ca="PEM")
    cluster.core.bootstrap()
    cluster.create("customresourcedefinitions", widget_definition())
    cluster.create("namespaces", {"metadata": {"name": "going"}})
    cluster.settle()
    for number in range(3):
        cluster.create("configmaps", config(f"c{number}"), namespace="going")
    parent = cluster.create("widgets", widget("parent"))
    cluster.create("widgets", widget("child", {"ownerReferences": [owner(parent, blockOwnerDeletion=True)]}))
    cluster.delete("namespaces", "going")
    cluster.create("namespaces", {"metadata": {"name": "coming"}})
    cluster.delete("widgets", "parent", propagation_policy="Foreground")
    disk.full = True
    before = cluster.core.resource_version
    for _ in range(20):
        with pytest.raises(ApiError) as caught:
            cluster.core.step()
        assert caught.value.code == 507
    assert cluster.refused("create", "configmaps", body=config("x")).code == 507
    assert cluster.core.resource_version == before
    disk.full = False
    cluster.settle()
    assert cluster.names("widgets") == []
    assert not cluster.exists("namespaces", "going")
    assert cluster.names("serviceaccounts", namespace="coming") == ["default"]
    assert cluster.names("configmaps", namespace="coming") == ["kube-root-ca.crt"]


def test_a_definition_is_served_once_the_disk_takes_its_conditions() -> None:
    class OneMore(Disk):
        def append(self, changes: Sequence[Change]) -> None:
            super().append(changes)
            self.full = changes[0].storage[1] == "customresourcedefinitions" and changes[0].type == "ADDED"

    disk = OneMore()
    cluster = Cluster(journal=disk)
    cluster.core.bootstrap()
    assert cluster.call("create", "customresourcedefinitions", body=widget_definition()).code == 201
    assert cluster.refused("list", "widgets").code == 404
    disk.full = False
    cluster.settle()
    assert cluster.names("widgets") == []


def test_a_refused_write_wakes_nobody(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    before = cluster.core.resource_version
    assert cluster.refused("create", "widgets", body=widget("a")).code == 409
    assert cluster.refused("create", "widgets", body=widget("b", size="x")).code == 422
    assert cluster.core.resource_version == before
