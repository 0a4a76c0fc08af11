from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED, Key
from controller.runtime.store import ANY_TESTBED, Store


def deployment(name: str = "web", *, uid: str = "u1", version: int = 1, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "lab", "uid": uid, "resourceVersion": str(version)},
        "spec": {"compositionRef": {"name": "c"}, "flavour": "simulated"} | spec,
    }


def dnode(host: str, *, deployment: str = "web", version: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{deployment}.{host}",
            "namespace": "lab",
            "uid": f"n-{host}",
            "resourceVersion": str(version),
        },
        "spec": {"deployment": deployment, "host": host, "testbed": "local"},
    }


WEB = Key(DEPLOYMENT, "lab", "web")


def test_an_older_version_tells_nothing():
    store = Store()
    assert store.put(DEPLOYMENT, deployment(version=5, flavour="new"))
    assert not store.put(DEPLOYMENT, deployment(version=4, flavour="old"))
    assert not store.put(DEPLOYMENT, deployment(version=5, flavour="again"))
    found = store.deployment("lab", "web")
    assert found is not None
    assert found.flavour == "new"


def test_a_deleted_object_is_not_raised_by_a_late_answer():
    store = Store()
    store.put(DEPLOYMENT, deployment())
    assert store.remove(DEPLOYMENT, deployment())
    assert not store.put(DEPLOYMENT, deployment(version=9))
    assert store.put(DEPLOYMENT, deployment(uid="u2", version=10))


def test_the_deletion_of_an_earlier_object_of_the_name_does_not_take_the_present_one():
    store = Store()
    store.put(DEPLOYMENT, deployment(uid="u2", version=3))
    assert not store.remove(DEPLOYMENT, deployment(uid="u1"))
    assert store.get(WEB) is not None


def test_a_listing_finds_what_vanished_and_keeps_what_is_newer():
    store = Store()
    store.put(DEPLOYMENT, deployment("gone", uid="a", version=3))
    store.put(DEPLOYMENT, deployment("written-meanwhile", uid="b", version=12))
    changed = store.replace(DEPLOYMENT, [deployment("web", version=7)], "10")
    assert {key.name for key in changed} == {"gone", "web"}
    assert {key.name for key, _ in store.all(DEPLOYMENT)} == {"web", "written-meanwhile"}


def test_a_listing_replaces_an_object_that_was_made_anew_under_its_name():
    store = Store()
    store.put(DEPLOYMENT, deployment(uid="u1", version=3))
    assert store.replace(DEPLOYMENT, [deployment(uid="u2", version=5)], "6") == [WEB]
    assert not store.put(DEPLOYMENT, deployment(uid="u1", version=9))


def test_a_listing_that_was_long_on_its_way_does_not_bury_what_was_made_anew_since():
    store = Store()
    store.put(DEPLOYMENT, deployment(uid="u2", version=9))
    assert store.replace(DEPLOYMENT, [deployment(uid="u1", version=3)], "6") == []
    assert store.put(DEPLOYMENT, deployment(uid="u2", version=10))
    found = store.get(WEB)
    assert found is not None
    assert found.meta.uid == "u2"


def test_references_find_their_users_and_follow_edits():
    store = Store()
    store.put(DEPLOYMENT, deployment())
    assert store.users(Key(COMPOSITION, "lab", "c")) == (WEB,)
    assert store.users(ANY_TESTBED) == (WEB,)
    store.put(DEPLOYMENT, deployment(version=2, testbedRef={"name": "local"}))
    assert store.users(ANY_TESTBED) == (WEB,)
    assert store.users(Key(TESTBED, "", "local")) == (WEB,)
    store.remove(DEPLOYMENT, deployment())
    assert store.users(Key(TESTBED, "", "local")) == ()


def test_users_come_in_the_order_in_which_they_came_to_refer_whatever_their_names_hash_to():
    store = Store()
    names = [f"web{number}" for number in range(20)]
    for name in names:
        store.put(DEPLOYMENT, deployment(name, uid=name))
    assert [key.name for key in store.users(ANY_TESTBED)] == names


def test_nodes_of_a_deployment_come_by_host():
    store = Store()
    for host in ("b", "a"):
        store.put(NODE, dnode(host))
    store.put(NODE, dnode("x", deployment="other"))
    assert [node.spec.host for node in store.nodes_of(WEB)] == ["a", "b"]


def test_an_object_that_cannot_be_read_is_kept_apart():
    store = Store()
    broken = deployment(roles=[{"name": "a", "resources": {"memory": "lots"}}])
    assert store.put(DEPLOYMENT, broken)
    assert store.deployment("lab", "web") is None
    entry = store.get(WEB)
    assert entry is not None
    assert "lots" in entry.broken


EVENTS = st.lists(
    st.tuples(st.sampled_from(["put", "remove"]), st.sampled_from("ab"), st.integers(1, 4)), max_size=25
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_whatever_the_order_of_news_a_listing_makes_the_store_true(events: list, rng: Any):
    """Each name has one uid a life; versions grow with each life's events; news may come in any order."""
    store, truth, version = Store(), {}, 0
    news = []
    for what, name, life in events:
        version += 1
        obj = deployment(name, uid=f"{name}{life}", version=version)
        if what == "put" and truth.get(name, obj)["metadata"]["uid"] == obj["metadata"]["uid"]:
            truth[name] = obj
            news.append((what, obj))
        elif what == "remove" and name in truth:
            news.append((what, truth.pop(name)))
    rng.shuffle(news)
    for what, obj in news:
        (store.put if what == "put" else store.remove)(DEPLOYMENT, obj)
    alive = {obj["metadata"]["uid"] for obj in truth.values()}
    buried = {obj["metadata"]["uid"] for what, obj in news if what == "remove"}
    store.replace(DEPLOYMENT, list(truth.values()), str(version))
    known = {entry.meta.uid for _, entry in store.all(DEPLOYMENT)}
    assert known <= alive
    assert alive - buried <= known  # a uid that was deleted never lives again in Kubernetes
    for obj in truth.values():
        for user in store.users(Key(COMPOSITION, "lab", "c")):
            assert store.get(user) is not None
        del obj
