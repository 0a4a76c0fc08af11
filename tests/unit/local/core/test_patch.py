"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386)."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.core.errors import ApiError
from controller.local.core.patch import json_patch, merge_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text("abc", max_size=1), below, max_size=3)
    ),
    max_leaves=8,
)

# RFC 7386, appendix A.
RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("document", "patch", "result"), RFC_7386)
def test_merge_patch_follows_the_vectors_of_rfc_7386(document: Any, patch: Any, result: Any) -> None:
    assert merge_patch(document, patch) == result


@given(JSON, JSON)
def test_merge_patch_changes_neither_argument_and_is_idempotent(document: Any, patch: Any) -> None:
    before = copy.deepcopy((document, patch))
    once = merge_patch(document, patch)
    assert (document, patch) == before
    assert merge_patch(once, patch) == once


@given(JSON)
def test_an_empty_merge_patch_changes_nothing_in_an_object(document: Any) -> None:
    assert merge_patch({"spec": document}, {}) == {"spec": document}


@given(JSON, JSON)
def test_replacing_by_json_patch_puts_the_value_there_and_leaves_the_argument(old: Any, new: Any) -> None:
    document = {"a": old}
    assert json_patch(document, [{"op": "replace", "path": "/a", "value": new}]) == {"a": new}
    assert document == {"a": old}


def test_json_patch_applies_operations_in_order() -> None:
    operations = [
        {"op": "test", "path": "/a", "value": [1]},
        {"op": "add", "path": "/a/-", "value": 2},
        {"op": "copy", "from": "/a/1", "path": "/b"},
        {"op": "move", "from": "/a/0", "path": "/c~1d"},
        {"op": "remove", "path": "/b"},
    ]
    assert json_patch({"a": [1]}, operations) == {"a": [2], "c/d": 1}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/nope"},
        {"op": "replace", "path": "/nope", "value": 1},
        {"op": "add", "path": "/nope/below", "value": 1},
        {"op": "add", "path": "/l/9", "value": 1},
        {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "move", "from": "/nope", "path": "/a"},
    ],
)
def test_a_json_patch_that_does_not_apply_is_invalid_and_says_which_operation(
    operation: dict[str, Any],
) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"a": 1, "l": []}, [{"op": "test", "path": "/a", "value": 1}, operation])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == "the server rejected our request due to an error in our request"
    assert caught.value.details is not None
    (cause,) = caught.value.details["causes"]
    assert cause["message"].startswith(f"operation 1 ({operation['op']}): ")
    assert cause["field"] == operation["path"]


def test_testing_for_null_passes_where_nothing_is_as_in_the_real_server() -> None:
    assert json_patch({"a": 1}, [{"op": "test", "path": "/b", "value": None}]) == {"a": 1}


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ({"a": 1}, "cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ([1], "cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        ([{"op": "foo", "path": "/a"}], 'invalid operation {"op":"foo","path":"/a"}: unsupported operation'),
        ([{"path": "/a"}], "unsupported operation"),
    ],
)
def test_what_is_no_json_patch_is_a_bad_request(operations: Any, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({}, operations)
    assert caught.value.code == 400
    assert message in caught.value.message


def test_a_json_patch_of_too_many_operations_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)
    assert caught.value.code == 413
