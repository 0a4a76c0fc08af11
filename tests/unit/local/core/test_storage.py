from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from controller.local.core.errors import ApiError, insufficient_storage
from controller.local.core.storage import Change, Storage, Write, object_key

KEY = ("g", "things")


def thing(name: str, namespace: str = "n", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def put(storage: Storage, name: str, namespace: str = "n", **more: Any) -> Change:
    (change,) = storage.commit([Write.put(KEY, thing(name, namespace, **more))])
    return change


def test_versions_grow_by_one_with_every_write() -> None:
    storage = Storage()
    first, second = put(storage, "a"), put(storage, "b")
    assert second.resource_version == first.resource_version + 1 == storage.revision
    assert first.object["metadata"]["resourceVersion"] == str(first.resource_version)


def test_a_write_leaves_the_object_before_it_untouched() -> None:
    storage = Storage()
    before = put(storage, "a", x=1).object
    after = put(storage, "a", x=2)
    assert after.type == "MODIFIED"
    assert after.previous is before
    assert before["x"] == 1
    assert before["metadata"]["resourceVersion"] == "2"


def test_a_deletion_shows_the_last_state_at_its_own_version() -> None:
    storage = Storage()
    put(storage, "a", x=1)
    (change,) = storage.commit([Write.drop(KEY, thing("a"))])
    assert (change.type, change.object["x"]) == ("DELETED", 1)
    assert change.object["metadata"]["resourceVersion"] == "3"
    assert storage.get(KEY, "n", "a") is None


def test_several_writes_are_stored_together() -> None:
    storage = Storage()
    put(storage, "a")
    changes = storage.commit([Write.put(KEY, thing("b")), Write.drop(KEY, thing("a"))])
    assert [change.resource_version for change in changes] == [3, 4]
    assert storage.collection(KEY).order == ["n/b"]


class Refusing:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def append(self, changes: Sequence[Change]) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"), [(insufficient_storage("the disk is full"), 507), (OSError("broken"), 500)]
)
def test_what_the_journal_refuses_has_not_happened(error: Exception, code: int) -> None:
    storage = Storage()
    kept = put(storage, "a", x=1).object
    seen: list[Change] = []
    storage.observers.append(seen.append)
    storage.journal = Refusing(error)
    for write in (Write.put(KEY, thing("a", x=2)), Write.put(KEY, thing("b")), Write.drop(KEY, thing("a"))):
        with pytest.raises(ApiError) as caught:
            storage.commit([write])
        assert caught.value.code == code
    assert storage.get(KEY, "n", "a") is kept
    assert storage.collection(KEY).order == ["n/a"]
    assert storage.revision == 2
    assert seen == []


def test_the_journal_hears_of_a_change_before_anybody_else() -> None:
    heard: list[str] = []

    class Noting:
        def append(self, changes: Sequence[Change]) -> None:
            assert storage.get(KEY, "n", "a") is None
            heard.append("journal")

    storage = Storage(Noting())
    storage.observers.append(lambda change: heard.append("observer"))
    put(storage, "a")
    assert heard == ["journal", "observer"]


def test_lists_are_in_the_order_of_their_keys() -> None:
    storage = Storage()
    for namespace, name in (("b", "a"), ("a", "z"), ("a", "b"), ("a-b", "c")):
        put(storage, name, namespace)
    collection = storage.collection(KEY)
    # As in etcd, where "a-b/c" sorts before "a/b".
    assert collection.keys() == ["a-b/c", "a/b", "a/z", "b/a"]
    assert collection.keys("a") == ["a/b", "a/z"]
    assert collection.keys("c") == []
    assert object_key("", "x") == "x"


def test_the_past_can_be_looked_up_until_it_is_forgotten() -> None:
    storage = Storage()
    put(storage, "a", x=1)
    then = put(storage, "b").resource_version
    put(storage, "a", x=2)
    storage.commit([Write.drop(KEY, thing("b"))])
    put(storage, "c")
    collection = storage.collection(KEY)
    objects, order = collection.at(then)
    assert order == ["n/a", "n/b"]
    assert objects["n/a"]["x"] == 1
    assert collection.order == ["n/a", "n/c"]
    storage.forget()
    assert collection.floor == storage.revision
    assert collection.changes == []


def test_the_window_bounds_what_is_remembered() -> None:
    storage = Storage(window=10)
    for number in range(100):
        put(storage, "a", x=number)
    collection = storage.collection(KEY)
    assert 10 <= len(collection.changes) <= 20
    assert collection.floor == collection.changes[0].resource_version - 1
    assert collection.end == 100


def test_loading_starts_a_new_past_at_the_stored_version() -> None:
    storage = Storage()
    obj = thing("b")
    obj["metadata"]["resourceVersion"] = "40"
    storage.load([(KEY, obj), (KEY, thing("a"))], 50)
    assert storage.collection(KEY).order == ["n/a", "n/b"]
    assert storage.collection(KEY).floor == 50
    assert put(storage, "c").resource_version == 51


def test_a_new_form_changes_neither_versions_nor_events() -> None:
    storage = Storage()
    before = put(storage, "a").object
    seen: list[Change] = []
    storage.observers.append(seen.append)
    storage.rewrite(KEY, lambda obj: {**obj, "x": 1})
    after = storage.get(KEY, "n", "a")
    assert after is not None
    assert after["x"] == 1
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert "x" not in before
    assert seen == []
