"""Field sets: their algebra, and fieldsV1."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.core.fieldset import FieldSet, Path, key_element, spell, value_element

ELEMENTS = st.one_of(
    st.sampled_from(["f:a", "f:b", "f:a.b", "f:"]),
    st.builds(lambda name: key_element({"name": name}), st.text("ab<", max_size=2)),
    st.builds(value_element, st.booleans() | st.integers(-2, 2) | st.text("xé", max_size=2)),
    st.builds(lambda index: f"i:{index}", st.integers(0, 3)),
)
PATHS = st.lists(ELEMENTS, min_size=1, max_size=3).map(tuple)
SETS = st.sets(PATHS, max_size=6)


@given(SETS)
def test_a_set_comes_back_from_fields_v1(paths: set[Path]) -> None:
    fields = FieldSet.of(paths)
    assert FieldSet.from_json(fields.to_json()) == fields
    assert set(fields) == paths
    assert all(path in fields for path in paths)


@given(SETS, SETS)
def test_union_intersection_and_difference_are_those_of_sets(left: set[Path], right: set[Path]) -> None:
    one, other = FieldSet.of(left), FieldSet.of(right)
    assert set(one | other) == left | right
    assert set(one & other) == left & right
    assert set(one - other) == left - right
    assert bool(one) == bool(left)


@given(SETS, SETS)
def test_without_drops_what_lies_below_too(left: set[Path], right: set[Path]) -> None:
    kept = {path for path in left if not any(path[: len(gone)] == gone for gone in right)}
    assert set(FieldSet.of(left).without(FieldSet.of(right))) == kept


def test_fields_v1_marks_members_with_children_by_a_dot_and_sorts() -> None:
    paths = [
        ("f:spec", "f:roles", key_element({"name": "b"})),
        ("f:spec", "f:roles", key_element({"name": "b"}), "f:count"),
        ("f:spec", "f:roles", key_element({"name": "a"}), "f:name"),
        ("f:spec", "f:flavour"),
        ("f:metadata", "f:finalizers", value_element("z/y")),
    ]
    assert list(FieldSet.of(paths).to_json()) == ["f:metadata", "f:spec"]
    assert FieldSet.of(paths).to_json()["f:spec"] == {
        "f:flavour": {},
        "f:roles": {'k:{"name":"a"}': {"f:name": {}}, 'k:{"name":"b"}': {".": {}, "f:count": {}}},
    }


def test_elements_are_canonical_however_they_were_written() -> None:
    written: dict[str, Any] = {'k:{"b": 1, "a": 2.0}': {}, 'v: "x"': {}, "i:01": {}}
    assert FieldSet.from_json(written).members == {'k:{"a":2,"b":1}', 'v:"x"', "i:1"}


def test_elements_of_a_future_kind_are_dropped() -> None:
    assert set(FieldSet.from_json({"f:a": {}, "z:what": {}})) == {("f:a",)}


@pytest.mark.parametrize(
    "fields", [[], {"f": {}}, {"a": {}}, {"v:{": {}}, {"i:x": {}}, {"k:1": {}}, {"f:a": 1}]
)
def test_malformed_fields_are_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="fieldsV1"):
        FieldSet.from_json(fields)


def test_a_path_is_spelled_as_in_a_conflict() -> None:
    path = (
        "f:spec",
        "f:ports",
        key_element({"protocol": "TCP", "port": 80}),
        "f:tags",
        value_element("x"),
        "i:2",
    )
    assert spell(path) == '.spec.ports[port=80,protocol="TCP"].tags[="x"][2]'
