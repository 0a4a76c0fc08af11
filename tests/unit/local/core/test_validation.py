"""Validation of custom resources: the causes a user reads, as a real API server words them."""

from typing import Any

import pytest

from controller.local.core.schema import Structural


def causes(node: dict[str, Any], *values: Any, key: str = "a") -> list[str]:
    """What is wrong with spec.a (absent without a value), whose schema is `node`."""
    schema = Structural.compile(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": {key: node}}}}
    )
    return [
        str(cause) for cause in schema.validate({"spec": dict.fromkeys([key], *values) if values else {}})
    ]


@pytest.mark.parametrize(
    ("node", "value", "cause"),
    [
        ({"type": "integer"}, "x", 'spec.a: Invalid value: "string": spec.a in body must be of type integer: "string"'),
        ({"type": "integer"}, True,
         'spec.a: Invalid value: "boolean": spec.a in body must be of type integer: "boolean"'),
        ({"type": "string"}, 1, 'spec.a: Invalid value: "integer": spec.a in body must be of type string: "integer"'),
        ({"type": "boolean"}, 1, 'spec.a: Invalid value: "integer": spec.a in body must be of type boolean: "integer"'),
        ({"type": "object"}, [], 'spec.a: Invalid value: "array": spec.a in body must be of type object: "array"'),
        ({"type": "string"}, None, 'spec.a: Invalid value: "null": spec.a in body must be of type string: "null"'),
        ({"x-kubernetes-int-or-string": True}, True,
         'spec.a: Invalid value: "boolean": spec.a in body must be of type integer,string: "boolean"'),
        ({"type": "string", "enum": ["A", "B"]}, "C", 'spec.a: Unsupported value: "C": supported values: "A", "B"'),
        ({"type": "integer", "enum": [1, 2]}, 3, 'spec.a: Unsupported value: 3: supported values: "1", "2"'),
        ({"type": "string", "maxLength": 3}, "four", "spec.a: Too long: may not be more than 3 bytes"),
        ({"type": "string", "minLength": 3}, "é",
         'spec.a: Invalid value: "é": spec.a in body should be at least 3 chars long'),
        ({"type": "string", "pattern": "^[a-z]+$"}, "A\n",
         'spec.a: Invalid value: "A\\n": spec.a in body should match \'^[a-z]+$\''),
        ({"type": "integer", "minimum": 1}, 0,
         "spec.a: Invalid value: 0: spec.a in body should be greater than or equal to 1"),
        ({"type": "integer", "maximum": 5}, 6,
         "spec.a: Invalid value: 6: spec.a in body should be less than or equal to 5"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 0.0,
         "spec.a: Invalid value: 0: spec.a in body should be greater than 0"),
        ({"type": "number", "maximum": 2.5, "exclusiveMaximum": True}, 2.5,
         "spec.a: Invalid value: 2.5: spec.a in body should be less than 2.5"),
        ({"type": "integer", "multipleOf": 4}, 6, "spec.a: Invalid value: 6: spec.a in body should be a multiple of 4"),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 1}, [1, 2],
         "spec.a: Too many: 2: must have at most 1 item"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1}, [],
         "spec.a: Invalid value: 0: spec.a in body should have at least 1 items"),
        ({"type": "array", "items": {"type": "integer"}}, [1, "x"],
         'spec.a[1]: Invalid value: "string": spec.a[1] in body must be of type integer: "string"'),
        ({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 1}, {"b": "", "c": ""},
         "spec.a: Too many: 2: must have at most 1 item"),
        ({"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}, {},
         "spec.a: Invalid value: 0: spec.a in body should have at least 1 properties"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, {"b": 1},
         'spec.a.b: Invalid value: "integer": spec.a.b in body must be of type string: "integer"'),
        ({"type": "object", "required": ["b"], "properties": {"b": {"type": "string"}}}, {},
         "spec.a.b: Required value"),
        ({"type": "string", "format": "date-time"}, "yesterday",
         'spec.a: Invalid value: "yesterday": spec.a in body must be of type date-time: "yesterday"'),
        ({"type": "string", "format": "date-time"}, 5,
         'spec.a: Invalid value: "int64": spec.a in body must be of type date-time: "int64"'),
        ({"type": "integer", "format": "int32"}, 2**31,
         '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.a'),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}, ["a", "b", "a", "a"],
         'spec.a[2]: Duplicate value: "a"'),
        ({"type": "string", "not": {"enum": ["x"]}}, "x",
         '<nil>: Invalid value: "": "spec.a" must not validate the schema (not)'),
    ],
)  # fmt: skip
def test_one_problem_is_one_cause(node: dict[str, Any], value: Any, cause: str) -> None:
    assert causes(node, value) == [cause]


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"type": "string", "maxLength": 2}, "éé"),
        ({"type": "string", "format": "unheard-of"}, "x"),
        ({"type": "string", "pattern": "^(?i)A[[:digit:]]$"}, "a1"),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": ["thing"]}),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"x": 1}),
        ({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}, ["a", "b"]),
        ({"type": "integer", "multipleOf": 2, "minimum": 2, "maximum": 4}, 4),
        ({"type": "number", "multipleOf": 0.1}, 0.3),
    ],
)
def test_what_the_schema_allows_passes(node: dict[str, Any], value: Any) -> None:
    assert causes(node, value) == []


def test_an_absent_field_is_not_checked() -> None:
    assert causes({"type": "string", "minLength": 9}) == []


ONE_OF = {
    "type": "object", "properties": {"b": {"type": "string"}, "c": {"type": "string", "maxLength": 1}},
    "oneOf": [{"required": ["b"]}, {"required": ["c"]}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": ""}, []),
        ({}, ['<nil>: Invalid value: "": "spec.a" must validate one and only one schema (oneOf). Found none valid',
              "spec.a.b: Required value"]),
        ({"b": "", "c": ""},
         [('<nil>: Invalid value: "": "spec.a" must validate one and only one schema (oneOf). '
           "Found 2 valid alternatives")]),
    ],
)  # fmt: skip
def test_one_of(value: Any, expected: list[str]) -> None:
    assert causes(ONE_OF, value) == expected


def test_a_failed_any_of_reports_the_branch_that_came_furthest() -> None:
    node = {
        "type": "object", "properties": {"b": {"type": "string"}, "c": {"type": "string"}},
        "anyOf": [{"required": ["b"]}, {"required": ["c"], "properties": {"c": {"maxLength": 2}}}],
    }  # fmt: skip
    assert causes(node, {"c": "xxx"}) == [
        '<nil>: Invalid value: "": "spec.a" must validate at least one schema (anyOf)',
        "spec.a.c: Too long: may not be more than 2 bytes",
    ]


def test_all_of_reports_every_branch() -> None:
    node = {"type": "string", "allOf": [{"maxLength": 3}, {"pattern": "^a"}]}
    assert causes(node, "bbbb") == [
        "spec.a: Too long: may not be more than 3 bytes",
        "spec.a: Invalid value: \"bbbb\": spec.a in body should match '^a'",
        '<nil>: Invalid value: "": "spec.a" must validate all the schemas (allOf). None validated',
    ]
    assert causes(node, "bb")[-1].endswith("must validate all the schemas (allOf)")


LIST_MAP = {
    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
    "items": {
        "type": "object", "required": ["port"],
        "properties": {"port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}},
    },
}  # fmt: skip


def test_list_map_keys_must_be_unique() -> None:
    ports = [{"port": 1, "protocol": "TCP"}, {"port": 1, "protocol": "UDP"}, {"port": 1, "protocol": "TCP"}]
    assert causes(LIST_MAP, ports) == ['spec.a[2]: Duplicate value: {"port":1,"protocol":"TCP"}']


def test_duplicates_that_were_there_before_are_forgiven() -> None:
    schema = Structural.compile(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": LIST_MAP}}}}
    )
    twice = {"spec": {"a": [{"port": 1}, {"port": 1}]}}
    assert schema.validate(twice, {"spec": {}}) != []
    assert schema.validate(twice, twice) == []


def test_a_fraction_is_no_integer() -> None:
    assert causes({"type": "integer"}, 1.5) == [
        'spec.a: Invalid value: "number": spec.a in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.a',
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "0.5"), (-2.0, "-2"), (1e6, "1e+06"), (123456.0, "123456"), (2147483648.5, "2.1474836485e+09")],
)
def test_doubles_are_spelled_as_by_the_server(value: float, shown: str) -> None:
    assert causes({"type": "number", "enum": [7]}, value) == [
        f'spec.a: Unsupported value: {shown}: supported values: "7"'
    ]


def test_a_number_beyond_64_bits_is_no_integer() -> None:
    assert causes({"type": "integer", "format": "int64"}, 10**20) == [
        'spec.a: Invalid value: "float64": spec.a in body must be of type int64: "float64"',
        '<nil>: Invalid value: "": Checked value must be of type integer with format int64 in spec.a',
    ]


STRICTER = Structural.compile({
    "type": "object",
    "properties": {"spec": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 3},
            "other": {"type": "string"},
            "items": {"type": "array", "items": {"type": "integer", "minimum": 5}},
            "roles": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object", "required": ["name", "count"],
                    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}, "n": {"type": "integer"}},
                },
            },
        },
        "x-kubernetes-validations": [{"rule": "!has(self.other) || self.other != 'bad'", "message": "is bad"}],
    }},
})  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"name": "long"}, {"name": "long", "other": "x"}, []),
        ({"name": "long"}, {"name": "longer"}, ["spec.name: Too long: may not be more than 3 bytes"]),
        ({"items": [1]}, {"items": [1], "other": "x"}, []),
        ({"items": [1]}, {"items": [1, 9]},
         ["spec.items[0]: Invalid value: 1: spec.items[0] in body should be greater than or equal to 5"]),
        ({"roles": [{"name": "a"}]}, {"roles": [{"name": "b", "count": 1}, {"name": "a"}]}, []),
        ({"roles": [{"name": "a"}]}, {"roles": [{"name": "a", "n": 1}]}, ["spec.roles[0].count: Required value"]),
        ({"other": "bad"}, {"other": "bad"}, []),
        ({"other": "bad"}, {"other": "bad", "name": "x"}, ["spec: Invalid value: is bad"]),
    ],
)  # fmt: skip
def test_what_did_not_change_may_stay_wrong_under_a_stricter_schema(
    old: dict[str, Any], new: dict[str, Any], expected: list[str]
) -> None:
    found = STRICTER.problems({"spec": new}, {"spec": old})
    assert [str(cause) for cause in found if cause.field != "<nil>"] == expected
    assert STRICTER.problems({"spec": old}) != [], "a new object has to be right"


def test_on_status_only_the_status_is_validated_and_named_from_there() -> None:
    schema = Structural.compile({
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"a": {"type": "integer"}}},
            "status": {
                "type": "object", "required": ["phase"],
                "properties": {
                    "phase": {"type": "string"},
                    "names": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                },
            },
        },
    })  # fmt: skip
    wrong = {"spec": {"a": "x"}, "status": {"phase": 1, "names": ["x", "x"]}}
    assert [str(cause) for cause in schema.problems(wrong, None, "status")] == [
        'status.phase: Invalid value: "integer": phase in body must be of type string: "integer"',
        'status.names[1]: Duplicate value: "x"',
    ]
    assert [str(cause) for cause in schema.problems({"status": 5}, None, "status")] == [
        'status: Invalid value: "integer":  in body must be of type object: "integer"'
    ]
    assert [str(cause) for cause in schema.problems({"status": {}}, None, "status")] == [
        "status.phase: Required value"
    ]
    assert schema.problems({"spec": {}}, None, "status") == []
