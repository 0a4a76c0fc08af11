"""Structural schemas: what is refused, pruned and defaulted. Texts are those of a real API server."""

import copy
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.local.core.schema import SchemaError, Structural

ROOT = "spec.validation.openAPIV3Schema"


def compiled(properties: dict[str, Any], **spec: Any) -> Structural:
    """A schema whose spec has `properties`."""
    return Structural.compile(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": properties, **spec}}}
    )


def refused(properties: dict[str, Any], **spec: Any) -> list[str]:
    with pytest.raises(SchemaError) as caught:
        compiled(properties, **spec)
    return [str(cause).removeprefix(f"{ROOT}.properties[spec].") for cause in caught.value.causes]


@pytest.mark.parametrize(
    ("node", "cause"),
    [
        ({"type": "array"}, "properties[a].items: Required value: must be specified"),
        ({}, "properties[a].type: Required value: must not be empty for specified object fields"),
        (
            {"type": "array", "items": {}},
            "properties[a].items.type: Required value: must not be empty for specified array items",
        ),
        (
            {"type": "foo"},
            ('properties[a].type: Unsupported value: "foo": supported values: "array", "boolean", "integer", "number", '
            '"object", "string"'),
        ),
        (
            {"type": "string", "anyOf": [{"type": "string"}]},
            "properties[a].anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "string", "allOf": [{"description": "x"}]},
            "properties[a].allOf[0].description: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True},
         ("properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity "
         "becomes quadratic")),
        ({"$ref": "#/x", "type": "string"}, "properties[a].$ref: Forbidden: $ref is not supported"),
        ({"type": "object", "x-kubernetes-list-type": "set"},
         'properties[a].type: Invalid value: "object": must be array if x-kubernetes-list-type is specified'),
        ({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}}},
          "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]},
         ("properties[a].items.properties[n].default: Required value: this property is in x-kubernetes-list-map-keys, "
         "so it must have a default or be a required property")),
        ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
         ("properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if "
          "x-kubernetes-list-type is map")),
        ({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"},
         ("properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with "
         "x-kubernetes-list-type=set")),
        ({"type": "string", "x-kubernetes-preserve-unknown-fields": False},
         "properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"),
        ({"type": "string", "default": 1},
         'properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"'),
        ({"type": "object", "default": {"z": 1}, "properties": {"y": {"type": "integer"}}},
         'properties[a].default: Invalid value: {"z":1}: must not have unknown fields'),
        ({"type": 5}, "properties[a].type: Invalid value: int: must be a string"),
        ("string", "properties[a]: Invalid value: str: must be an object"),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_structural_is_refused_naming_the_place(node: Any, cause: str) -> None:
    assert cause in refused({"a": node})


def test_at_the_root_what_is_validated_must_be_declared() -> None:
    with pytest.raises(SchemaError) as caught:
        Structural.compile({"type": "object", "oneOf": [{"properties": {"b": {"minLength": 1}}}]})
    assert str(caught.value) == (
        f"{ROOT}.properties[b]: Required value: because it is defined in {ROOT}.oneOf[0].properties[b]"
    )


def test_a_bad_pattern_is_refused() -> None:
    (cause,) = refused({"a": {"type": "string", "pattern": "("}})
    assert cause.startswith(
        'properties[a].pattern: Invalid value: "(": must be a valid regular expression, '
        "but isn't: error parsing regexp"
    )


def test_all_problems_are_reported_at_once() -> None:
    assert len(refused({"a": {"type": "array"}, "b": {}, "c": {"type": "string", "pattern": "("}})) == 3


@pytest.mark.parametrize(
    ("metadata", "allowed"),
    [
        ({"type": "object", "properties": {"name": {"type": "string", "maxLength": 40}}}, True),
        ({"type": "object"}, True),
        ({"type": "object", "properties": {"labels": {"type": "object"}}}, False),
    ],
)
def test_at_the_root_metadata_may_only_restrict_names(metadata: dict[str, Any], allowed: bool) -> None:
    schema = {"type": "object", "properties": {"metadata": metadata}}
    if allowed:
        Structural.compile(schema)
        return
    with pytest.raises(SchemaError, match="must not specify anything other than name and generateName"):
        Structural.compile(schema)


def test_causes_stand_where_the_caller_says_the_schema_stands() -> None:
    with pytest.raises(SchemaError) as caught:
        Structural.compile({"type": "array"}, "spec.versions[1].schema.openAPIV3Schema")
    assert {cause.field.split(".")[1] for cause in caught.value.causes} == {"versions[1]"}


def test_int_or_string_may_be_spelled_out_in_any_of() -> None:
    either = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    schema = compiled(
        {"a": either, "b": {"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": either["anyOf"]}]}}
    )
    assert schema.validate({"spec": {"a": 1, "b": "1"}}) == []


PRUNED = compiled(
    {
        "known": {"type": "string"},
        "roles": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "object", "properties": {"a": {"type": "string"}}},
        },
        "any": {"type": "object", "additionalProperties": True},
        "free": {
            "type": "object", "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"strict": {"type": "object", "properties": {"b": {"type": "string"}}}},
        },
        "resource": {
            "type": "object", "x-kubernetes-embedded-resource": True,
            "properties": {"spec": {"type": "object", "properties": {"c": {"type": "string"}}}},
        },
    }
)  # fmt: skip


def test_unknown_fields_are_pruned_and_named() -> None:
    obj = {
        "apiVersion": "v1", "kind": "K", "metadata": {"whatever": 1}, "extra": 1,
        "spec": {
            "known": "x", "gone": 1, "roles": [{"name": "a"}, {"name": "b", "colour": "red"}],
            "labels": {"x": {"a": "1", "z": 1}},
            "free": {"kept": {"deep": 1}, "strict": {"b": "1", "z": 1}},
            "resource": {
                "apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "spec": {"c": "1", "z": 1}, "z": 1,
            },
        },
    }  # fmt: skip
    before = copy.deepcopy(obj)
    pruned, dropped = PRUNED.prune(obj)
    assert obj == before
    assert dropped == [
        "extra", "spec.free.strict.z", "spec.gone", "spec.labels.x.z", "spec.resource.spec.z", "spec.resource.z",
        "spec.roles[1].colour",
    ]  # fmt: skip
    assert pruned["metadata"] == {"whatever": 1}
    assert pruned["spec"]["free"] == {"kept": {"deep": 1}, "strict": {"b": "1"}}
    assert pruned["spec"]["roles"] == [{"name": "a"}, {"name": "b"}]
    assert pruned["spec"]["resource"] == {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "n"},
        "spec": {"c": "1"},
    }


def test_an_object_without_unknown_fields_comes_back_as_it_is() -> None:
    obj = {"metadata": {}, "spec": {"known": "x"}}
    assert PRUNED.prune(obj)[0] is obj


DEFAULTED = compiled(
    {
        "mode": {"type": "string", "default": "A"},
        "plain": {"type": "string"},
        "nullable": {"type": "string", "nullable": True, "default": "B"},
        "inner": {"type": "object", "default": {}, "properties": {"deep": {"type": "integer", "default": 3}}},
        "outer": {"type": "object", "properties": {"deep": {"type": "integer", "default": 4}}},
        "roles": {
            "type": "array",
            "items": {"type": "object", "properties": {"count": {"type": "integer", "default": 1}}},
        },
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"mode": "A", "nullable": "B", "inner": {"deep": 3}}),
        ({"mode": None, "plain": None, "nullable": None, "inner": None},
         {"mode": "A", "nullable": None, "inner": {"deep": 3}}),
        ({"mode": "x", "nullable": "y", "inner": {"deep": 0}, "outer": {}},
         {"mode": "x", "nullable": "y", "inner": {"deep": 0}, "outer": {"deep": 4}}),
        ({"roles": [{}, {"count": 2}, {"count": None}], "labels": {"a": None, "b": "1"}},
         {"mode": "A", "nullable": "B", "inner": {"deep": 3}, "labels": {"b": "1"},
          "roles": [{"count": 1}, {"count": 2}, {"count": 1}]}),
    ],
)  # fmt: skip
def test_defaults_fill_what_is_missing_or_null(spec: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(spec)
    assert DEFAULTED.default({"spec": spec})["spec"] == expected
    assert spec == before


def test_defaults_are_fresh_for_every_object() -> None:
    first = DEFAULTED.default({"spec": {}})
    first["spec"]["inner"]["deep"] = 99
    assert DEFAULTED.default({"spec": {}})["spec"]["inner"] == {"deep": 3}


def test_a_complete_object_comes_back_as_it_is() -> None:
    obj = {"spec": {"mode": "x", "nullable": None, "inner": {"deep": 0}}}
    assert DEFAULTED.default(obj) is obj


VALUES = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["x", ""]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(
            st.sampled_from(["mode", "deep", "count", "known", "a", "strict", "z"]), below, max_size=3
        )
    ),
    max_leaves=6,
)
SPECS = st.dictionaries(
    st.sampled_from(["mode", "inner", "outer", "roles", "labels", "free", "resource", "known", "nope"]),
    VALUES,
)


@given(SPECS)
@settings(max_examples=100, deadline=None)
def test_pruning_and_defaulting_are_idempotent(spec: dict[str, Any]) -> None:
    pruned, _ = PRUNED.prune({"spec": spec})
    assert PRUNED.prune(pruned) == (pruned, [])
    filled = DEFAULTED.default({"spec": spec})
    assert DEFAULTED.default(filled) == filled


def test_a_typical_object_passes_in_well_under_half_a_millisecond() -> None:
    role = {
        "type": "object", "required": ["name"],
        "properties": {
            "name": {"type": "string", "maxLength": 63, "pattern": "^[a-z]+$"},
            "count": {"type": "integer", "default": 1, "minimum": 1},
            "minReady": {"type": "integer"},
        },
        "x-kubernetes-validations": [{"rule": "!has(self.minReady) || self.minReady <= self.count"}],
    }  # fmt: skip
    schema = Structural.compile({
        "type": "object",
        "x-kubernetes-validations": [{"rule": "self.metadata.name.size() <= 40"}],
        "properties": {"spec": {"type": "object", "properties": {
            "flavour": {"type": "string", "enum": ["vm", "docker"]},
            "roles": {"type": "array", "maxItems": 64, "items": role, "x-kubernetes-list-type": "map",
                      "x-kubernetes-list-map-keys": ["name"]},
        }}},
    })  # fmt: skip
    obj = {
        "metadata": {"name": "web"},
        "spec": {"flavour": "vm", "roles": [{"name": "a", "minReady": 1}, {"name": "b"}]},
    }

    def once() -> float:
        start = time.perf_counter()
        pruned, _ = schema.prune(obj)
        filled = schema.default(pruned)
        assert schema.problems(filled, filled) == []
        return time.perf_counter() - start

    once()
    assert min(once() for _ in range(200)) < 0.0005
