from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.local.core.sharing import identical, shared
from tests.unit.local.core.cluster import Cluster, widget_definition

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("ab", max_size=2)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=1), inner, max_size=4)
    ),
)


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@given(VALUES, VALUES)
def test_sharing_changes_no_value(new: Any, old: Any) -> None:
    before = copy.deepcopy((new, old))
    assert text(shared(new, old)) == text(new)
    assert text([new, old]) == text(list(before))


@given(VALUES)
def test_equal_values_become_one(value: Any) -> None:
    other = copy.deepcopy(value)
    assert shared(other, value) is value


@given(VALUES, VALUES)
def test_identical_means_the_same_json(new: Any, old: Any) -> None:
    assert identical(new, old) == (text(new) == text(old))


def test_what_did_not_change_is_shared() -> None:
    old = {"a": {"b": [1, {"c": 2}]}, "d": [{"e": 1}, {"f": 2}]}
    new = copy.deepcopy(old)
    new["d"][1]["f"] = 3  # type: ignore[index]
    result = shared(new, old)
    assert result["a"] is old["a"]
    assert result["d"][0] is old["d"][0]
    assert result["d"][1] == {"f": 3}


def test_true_does_not_pass_for_one(cluster: Cluster) -> None:
    definition = widget_definition()
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["x-kubernetes-preserve-unknown-fields"] = True
    live = cluster.get("customresourcedefinitions", "widgets.test.example")
    cluster.update("customresourcedefinitions", {**live, "spec": definition["spec"]})
    body = {"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": "a"}, "spec": {"free": 1}}
    cluster.create("widgets", body)
    for value in (True, 1, 1.0):
        after = cluster.patch("widgets", "a", {"spec": {"free": value}})
        assert type(after["spec"]["free"]) is type(value)
    error = cluster.refused(
        "patch", "widgets", "a", body={"spec": {"size": True}}, patch_type="application/merge-patch+json"
    )
    assert error.code == 422


def test_a_watch_holds_little_more_than_what_changed(cluster: Cluster) -> None:
    parts = [{"name": f"part {number}", "count": number} for number in range(50)]
    body = {
        "apiVersion": "test.example/v1",
        "kind": "Widget",
        "metadata": {"name": "a"},
        "spec": {"parts": parts},
    }
    before = cluster.create("widgets", body)
    changed = copy.deepcopy(parts)
    changed[7]["count"] = 100
    after = cluster.patch("widgets", "a", {"spec": {"parts": changed}})
    same = [new is old for new, old in zip(after["spec"]["parts"], before["spec"]["parts"], strict=True)]
    assert same.count(False) == 1
