from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.local.core.errors import ApiError
from controller.local.core.watch import INITIAL_EVENTS_END
from tests.unit.local.core.cluster import Cluster, config, shown, widget


def version(cluster: Cluster) -> str:
    return str(cluster.core.resource_version)


def test_a_watch_shows_what_happens_after_its_version(cluster: Cluster) -> None:
    cluster.create("widgets", widget("before"))
    watch = cluster.watch("widgets", resource_version=version(cluster))
    assert watch.take() == []
    cluster.create("widgets", widget("a"))
    cluster.patch("widgets", "a", {"spec": {"size": 4}})
    cluster.delete("widgets", "a")
    events = watch.take()
    assert shown(events) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [event.resource_version for event in events]
    assert versions == sorted(set(versions))
    assert [event.object["metadata"]["resourceVersion"] for event in events] == [str(v) for v in versions]


def test_a_watch_starts_in_the_past_that_is_remembered(cluster: Cluster) -> None:
    start = version(cluster)
    cluster.create("widgets", widget("a"))
    cluster.delete("widgets", "a")
    watch = cluster.watch("widgets", resource_version=start)
    assert shown(watch.take()) == [("ADDED", "a"), ("DELETED", "a")]


@pytest.mark.parametrize("start", ["", "0"])
def test_without_a_version_the_present_comes_first(cluster: Cluster, start: str) -> None:
    cluster.create("widgets", widget("b"))
    cluster.create("widgets", widget("a"))
    cluster.create("widgets", widget("gone"))
    cluster.delete("widgets", "gone")
    watch = cluster.watch("widgets", resource_version=start)
    assert shown(watch.take()) == [("ADDED", "a"), ("ADDED", "b")]
    cluster.delete("widgets", "a")
    assert shown(watch.take()) == [("DELETED", "a")]


def test_streaming_lists_end_with_a_bookmark(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    watch = cluster.watch(
        "widgets", send_initial_events=True, resource_version_match="NotOlderThan", allow_bookmarks=True
    )
    first, last = watch.take()
    assert first.type == "ADDED"
    assert last.type == "BOOKMARK"
    assert last.object == {
        "kind": "Widget",
        "apiVersion": "test.example/v1",
        "metadata": {"resourceVersion": version(cluster), "annotations": {INITIAL_EVENTS_END: "true"}},
    }
    assert watch.take() == []


def test_initial_events_may_be_declined(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    watch = cluster.watch(
        "widgets", send_initial_events=False, resource_version_match="NotOlderThan", allow_bookmarks=True
    )
    assert watch.take() == []
    cluster.create("widgets", widget("b"))
    assert shown(watch.take()) == [("ADDED", "b")]


def test_events_can_be_taken_in_small_bites(cluster: Cluster) -> None:
    for name in "abc":
        cluster.create("widgets", widget(name))
    watch = cluster.watch("widgets")
    cluster.create("widgets", widget("d"))
    taken = [shown(watch.take(1)) for _ in range(5)]
    assert taken == [[("ADDED", "a")], [("ADDED", "b")], [("ADDED", "c")], [("ADDED", "d")], []]


def test_what_leaves_the_selector_is_deleted_and_what_enters_added(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"labels": {"on": "yes"}}))
    watch = cluster.watch("widgets", label_selector="on=yes", resource_version=version(cluster))
    cluster.patch("widgets", "a", {"metadata": {"labels": {"on": "no"}}, "spec": {"size": 9}})
    (event,) = watch.take()
    assert event.type == "DELETED"
    assert event.object["metadata"]["labels"] == {"on": "yes"}
    assert event.object["spec"]["size"] == 3
    assert event.object["metadata"]["resourceVersion"] == version(cluster)
    cluster.patch("widgets", "a", {"spec": {"size": 10}})
    assert watch.take() == []
    cluster.patch("widgets", "a", {"metadata": {"labels": {"on": "yes"}}})
    cluster.patch("widgets", "a", {"spec": {"size": 11}})
    cluster.delete("widgets", "a")
    assert shown(watch.take()) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_watches_keep_to_their_namespace_and_name(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "other"}})
    here = cluster.watch("configmaps", resource_version=version(cluster))
    everywhere = cluster.watch("configmaps", resource_version=version(cluster), namespace="")
    named = cluster.watch("configmaps", resource_version=version(cluster), field_selector="metadata.name=b")
    cluster.create("configmaps", config("a"))
    cluster.create("configmaps", config("b"))
    cluster.create("configmaps", config("c"), namespace="other")
    assert shown(here.take()) == [("ADDED", "a"), ("ADDED", "b")]
    assert shown(everywhere.take()) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
    assert shown(named.take()) == [("ADDED", "b")]


def test_watchers_share_the_objects_they_are_shown(cluster: Cluster) -> None:
    watches = [cluster.watch("widgets", resource_version=version(cluster)) for _ in range(3)]
    cluster.create("widgets", widget("a"))
    first, *others = [watch.take()[0].object for watch in watches]
    assert all(obj is first for obj in others)


def test_a_reader_is_woken_once_when_there_is_more(cluster: Cluster) -> None:
    woken: list[int] = []
    watch = cluster.watch("widgets", resource_version=version(cluster))
    watch.on_ready = lambda: woken.append(1)
    assert watch.take() == []
    cluster.create("widgets", widget("a"))
    cluster.create("widgets", widget("b"))
    assert len(woken) == 1
    assert len(watch.take()) == 2
    cluster.create("widgets", widget("c"))
    assert len(woken) == 2


def test_other_namespaces_wake_nobody(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "other"}})
    woken: list[int] = []
    watch = cluster.watch("configmaps", resource_version=version(cluster))
    watch.on_ready = lambda: woken.append(1)
    watch.take()
    cluster.create("configmaps", config("c"), namespace="other")
    assert woken == []


def test_a_version_that_is_forgotten_is_gone(cluster: Cluster) -> None:
    start = version(cluster)
    cluster.create("widgets", widget("a"))
    cluster.core.storage.forget()
    watch = cluster.watch("widgets", resource_version=start)
    (event,) = watch.take()
    assert event.type == "ERROR"
    assert (event.object["code"], event.object["reason"]) == (410, "Expired")
    assert event.object["message"].startswith(f"too old resource version: {start} (")
    assert watch.closed
    assert watch.take() == []


def test_a_slow_reader_is_told_to_start_anew(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(window=10)
    cluster.create("widgets", widget("a"))
    watch = cluster.watch("widgets", resource_version=version(cluster))
    for size in range(100):
        cluster.patch("widgets", "a", {"spec": {"size": size}})
    (event,) = watch.take()
    assert (event.type, event.object["code"]) == ("ERROR", 410)


def test_a_bookmark_tells_how_far_the_watch_is(cluster: Cluster) -> None:
    watch = cluster.watch("widgets", resource_version=version(cluster))
    cluster.create("widgets", widget("a"))
    cluster.create("widgets", widget("b"))
    (first,) = watch.take(1)
    assert watch.bookmark().resource_version == first.resource_version
    watch.take()
    cluster.create("configmaps", config("elsewhere"))
    watch.take()
    assert watch.bookmark().object["metadata"]["resourceVersion"] == version(cluster)


def test_a_watch_from_the_future_shows_only_the_future(cluster: Cluster) -> None:
    watch = cluster.watch("widgets", resource_version=str(cluster.core.resource_version + 2))
    for name in "abc":
        cluster.create("widgets", widget(name))
    assert shown(watch.take()) == [("ADDED", "c")]


def test_a_closed_watch_is_forgotten(cluster: Cluster) -> None:
    watch = cluster.watch("widgets")
    watch.close()
    watch.close()
    assert watch.closed
    assert cluster.core.storage.collection(("test.example", "widgets")).watches == []


def test_removing_the_definition_ends_its_watches(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    watch = cluster.watch("widgets", resource_version=version(cluster))
    woken: list[int] = []
    watch.on_ready = lambda: woken.append(1)
    watch.take()
    cluster.delete("customresourcedefinitions", "widgets.test.example")
    cluster.settle()
    assert woken == [1]
    assert shown(watch.take()) == [("DELETED", "a")]
    assert watch.closed


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"send_initial_events": True},
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (
            {"resource_version_match": "NotOlderThan"},
            "forbidden for watch unless sendInitialEvents is provided",
        ),
        ({"resource_version_match": "Exact", "send_initial_events": True}, "Unsupported value"),
        ({"resource_version": "abc"}, 'parsing "abc": invalid syntax'),
    ],
)
def test_a_wrong_question_is_refused(cluster: Cluster, query: dict[str, object], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        cluster.watch("widgets", **query)


def test_a_streaming_list_of_the_future_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match="Too large resource version"):
        cluster.watch(
            "widgets",
            send_initial_events=True,
            resource_version_match="NotOlderThan",
            resource_version="99999",
        )
