"""Validation rules: what is refused when a CRD is created, and what an object that breaks one is told.

Texts and results were compared with a real API server, rule by rule.
"""

from typing import Any

import pytest

from controller.local.core.schema import SchemaError, Structural

RULE = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0]"
PROPERTIES: dict[str, Any] = {
    "x": {"type": "integer"},
    "d": {"type": "number"},
    "b": {"type": "boolean"},
    "s": {"type": "string"},
    "l": {
        "type": "array",
        "items": {"type": "object", "properties": {"n": {"type": "string"}, "c": {"type": "integer"}}},
    },
    "ls": {"type": "array", "items": {"type": "string"}},
    "li": {"type": "array", "items": {"type": "integer"}},
    "m": {"type": "object", "additionalProperties": {"type": "string"}},
    "t": {"type": "string", "format": "date-time"},
    "u": {"type": "string", "format": "duration"},
    "by": {"type": "string", "format": "byte"},
    "either": {"x-kubernetes-int-or-string": True},
    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "o": {"type": "object", "properties": {"a-b": {"type": "string"}, "namespace": {"type": "string"}}},
}  # fmt: skip


def ruled(rule: str, **more: Any) -> Structural:
    return Structural.compile({
        "type": "object",
        "properties": {"spec": {
            "type": "object", "properties": PROPERTIES, "x-kubernetes-validations": [{"rule": rule, **more}],
        }},
    })  # fmt: skip


def refused(rule: str, **more: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        ruled(rule, **more)
    (cause,) = caught.value.causes
    assert cause.field.startswith(RULE)
    return str(cause)


def broken(rule: str, spec: dict[str, Any], old: dict[str, Any] | None = None, **more: Any) -> list[str]:
    schema = ruled(rule, **more)
    obj = {"spec": spec}
    assert schema.validate(obj) == []
    return [str(cause) for cause in schema.rules(obj, {"spec": old} if old is not None else None)]


@pytest.mark.parametrize(
    ("rule", "column", "problem"),
    [
        ("self.x <", 9, "Syntax error: mismatched input '<EOF>' expecting "),
        ("self.nope == 1", 5, "undefined field 'nope'"),
        ("has(self.nope)", 4, "undefined field 'nope'"),
        ("self.metadata.name == ''", 5, "undefined field 'metadata'"),
        ("self.free.x == 1", 10, "undefined field 'x'"),
        ("self.l.all(i, i.nope == 1)", 16, "undefined field 'nope'"),
        ("self.l.map(i, i.n).exists(n, n == 1)", 32,
         "found no matching overload for '_==_' applied to '(string, int)'"),
        ("self.s + 1 == 2", 8, "found no matching overload for '_+_' applied to '(string, int)'"),
        ("self.x == 1.0", 8, "found no matching overload for '_==_' applied to '(int, double)'"),
        ("self.x == null", 8, "found no matching overload for '_==_' applied to '(int, null)'"),
        ("self.x.size() == 1", 12, "found no matching overload for 'size' applied to 'int.()'"),
        ("self.x.y == 1", 7, "type 'int' does not support field selection"),
        ("self.x.all(i, i == 1)", 5,
         "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),
        ("self.l.exists(i, i.n)", 19, "expected type 'bool' but found 'string'"),
        ("1 in self.ls", 3, "found no matching overload for '@in' applied to '(int, list(string))'"),
        ("foo(1) == 1", 4, "undeclared reference to 'foo' (in container '')"),
        ("self.l.foo() == 1", 11, "undeclared reference to 'foo' (in container '')"),
        ("foo == 1", 1, "undeclared reference to 'foo' (in container '')"),
        ("ip('1.2.3.4').family() == 4", 3, "undeclared reference to 'ip' (in container '')"),
        ("self.s.matches('[')", 16, "invalid matches argument"),
        ("[1, 'a'].size() == 2", 5, "expected type 'int' but found 'string'"),
        ("self.?x.orValue(1) == 1", 5, "unsupported syntax '.?'"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_hold_is_refused_with_its_place(rule: str, column: int, problem: str) -> None:
    text = refused(rule)
    assert f'.rule: Invalid value: {{"Rule":"{rule}","Message":""' in text
    assert f"compilation failed: ERROR: <input>:1:{column}: {problem}" in text
    assert f"\n | {rule}\n | {'.' * (column - 1)}^" in text


def test_a_rule_must_be_a_condition_and_its_message_a_text() -> None:
    assert refused("self.x").endswith(": cel expression must evaluate to a bool")
    assert refused("self.x == 1", messageExpression="self.x").endswith(
        ": messageExpression must evaluate to a string"
    )
    assert ".messageExpression: " in refused("self.x == 1", messageExpression="'a' +")


@pytest.mark.parametrize(
    ("rule", "more", "cause"),
    [
        ("", {}, ".rule: Required value: rule is not specified"),
        ("self.x ==\n1", {}, ".message: Required value: message must be specified if rule contains line breaks"),
        ("self.x == 1", {"message": " "}, '.message: Invalid value: " ": must be non-empty if specified'),
        ("self.x == 1", {"message": "a\nb"}, '.message: Invalid value: "a\\nb": must not contain line breaks'),
        ("self.x == 1", {"fieldPath": ".nope"}, '.fieldPath: Invalid value: ".nope": must be a valid path'),
        ("self.x == 1", {"reason": "Nope"},
         ('.reason: Unsupported value: "Nope": supported values: "FieldValueDuplicate", "FieldValueForbidden", '
         '"FieldValueInvalid", "FieldValueRequired"')),
        ("self.x == 1", {"optionalOldSelf": True},
         ".optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule"),
        ("self == oldSelf", {"optionalOldSelf": True},
         ".optionalOldSelf: Invalid value: true: this server does not run rules with optionalOldSelf; leave it out"),
        ("self.x == 1 || " * 700 + "true", {}, "the expression is longer than 10000 characters"),
    ],
)  # fmt: skip
def test_the_rest_of_a_rule_is_checked_too(rule: str, more: dict[str, Any], cause: str) -> None:
    assert cause in refused(rule, **more)


def test_old_values_are_unknown_inside_a_list_without_keys() -> None:
    item = {"type": "object", "properties": {"n": {"type": "string"}},
            "x-kubernetes-validations": [{"rule": "self.n == oldSelf.n"}]}  # fmt: skip
    with pytest.raises(SchemaError) as caught:
        Structural.compile(
            {
                "type": "object",
                "properties": {
                    "spec": {"type": "object", "properties": {"l": {"type": "array", "items": item}}}
                },
            }
        )
    assert str(caught.value).endswith(
        "oldSelf cannot be used on the uncorrelatable portion of the schema within "
        "spec.validation.openAPIV3Schema.properties[spec].properties[l]"
    )


HOLDS: list[tuple[str, dict[str, Any]]] = [
    ("self.x < 1.5 && self.d * 2.0 > 1.0 && self.d > 0", {"x": 1, "d": 1}),
    ("self.either == 1 || self.either == 'a'", {"either": "a"}),
    ("self.o.a__dash__b == 'a' && self.o.__namespace__ == 'b' && self.o.namespace == 'b'",
     {"o": {"a-b": "a", "namespace": "b"}}),
    ("has(self.x) && !has(self.o.a__dash__b)", {"x": 1, "o": {}}),
    ("self.t > timestamp('2020-01-01T00:00:00Z') && self.t.getHours() == 22", {"t": "2021-01-01T00:00:00+02:00"}),
    ("self.u < duration('1h') && self.u == duration('60s') && string(self.u) == '60s'", {"u": "1m"}),
    ("self.by == b'x' && self.by.size() == 1 && string(self.by) == 'x'", {"by": "eA=="}),
    ("self.m.all(k, k.size() < 3 && self.m[k] == 'v') && 'k' in self.m && self.m.k == 'v'", {"m": {"k": "v"}}),
    ("self.l.map(i, i.n).exists_one(n, n == 'x') && self.l.filter(i, i.c > 1).size() == 1",
     {"l": [{"n": "x", "c": 1}, {"n": "y", "c": 2}]}),
    ("self.l.map(i, i.c > 1, i.n) == ['y'] && self.l[0].c == 1", {"l": [{"n": "x", "c": 1}, {"n": "y", "c": 2}]}),
    ("self.l.all(i, self.l.exists(j, i.n == j.n))", {"l": [{"n": "x"}, {"n": "y"}]}),
    ("self.l.all(self, self.n == 'x')", {"l": [{"n": "x"}]}),
    ("self.li.sum() == 3 && self.li.min() == 1 && self.li.max() == 2 && self.li.isSorted()", {"li": [1, 2]}),
    ("self.ls.indexOf('a') == 1 && self.ls.lastIndexOf('a') == 2 && self.ls.join(',') == 'b,a,a'",
     {"ls": ["b", "a", "a"]}),
    ("self.s.split(',').size() == 2 && self.s.charAt(1) == ',' && self.s.indexOf('b') == 2", {"s": "a,b"}),
    ("self.s.substring(1, 2) == 'B' && self.s.lowerAscii() == 'abé' && self.s.replace('B', 'x') == 'axé'",
     {"s": "aBé"}),
    ("self.s.size() == 1 && size(self.s) == 1 && self.s == 'é'", {"s": "é"}),
    ("self.s.trim() == 'a' && self.s.startsWith(' ') && self.s.contains('a') && self.s.matches('^ a $')", {"s": " a "}),
    ("self.s.find('[0-9]+') == '12' && self.s.findAll('[0-9]').size() == 3", {"s": "a12b3"}),
    ("sets.contains(self.ls, ['a']) && sets.intersects(self.li, [1, 9]) && sets.equivalent(self.ls, ['b', 'a'])",
     {"ls": ["a", "b"], "li": [1]}),
    ("isQuantity(self.s) && quantity(self.s) == quantity('1024Mi') && sign(quantity(self.s)) == 1", {"s": "1Gi"}),
    ("quantity(self.s).isGreaterThan(quantity('1.4')) && quantity(self.s).add(1).compareTo(quantity('2500m')) == 0",
     {"s": "1500m"}),
    ("!isQuantity(self.s) && isURL(self.s) && url(self.s).getHost() == 'h:80' && url(self.s).getPort() == '80'",
     {"s": "http://h:80/p?a=x"}),
    ("url(self.s).getQuery()['a'][0] == 'x' && url(self.s).getEscapedPath() == '/p'", {"s": "http://h/p?a=x"}),
    ("string(self.x) == '1' && string(self.b) == 'true' && string(self.d) == '1.5' && int(self.d) == 1",
     {"x": 1, "b": True, "d": 1.5}),
    ("self.x / 2 == 1 && -self.x < 0 && self.x % 2 == 1 && (self.x > 1 ? true : false)", {"x": 3}),
    ("self.s == \"a'b\" && self.s == 'a\\'b' && self.s == '''a'b'''", {"s": "a'b"}),
    ("self.s == r'\\d' || self.b // a comment", {"s": "x", "b": True}),
    ("type(self.x) == int && {'a': self.x}.a == 1 && [self.x, 2].max() == 2", {"x": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "spec"), HOLDS)
def test_a_rule_that_holds(rule: str, spec: dict[str, Any]) -> None:
    assert broken(rule, spec) == []


@pytest.mark.parametrize(
    ("rule", "spec", "problem"),
    [
        ("self.x == 1", {"x": 2}, "Invalid value: failed rule: self.x == 1"),
        ("self.x == 1", {}, 'Invalid value: "object": no such key: x evaluating rule: self.x == 1'),
        ("1 / self.x == 1", {"x": 0}, 'Invalid value: "object": division by zero evaluating rule: 1 / self.x == 1'),
        ("1 % self.x == 1", {"x": 0}, 'Invalid value: "object": modulus by zero evaluating rule: 1 % self.x == 1'),
        ("9223372036854775807 + self.x > 0", {"x": 1},
         'Invalid value: "object": integer overflow evaluating rule: 9223372036854775807 + self.x > 0'),
        ("self.li[1] == 1", {"li": []},
         'Invalid value: "object": index out of bounds: 1 evaluating rule: self.li[1] == 1'),
        ("self.either < 3", {"either": "a"},
         ("Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, function "
         "or macro signature for rule: self.either < 3")),
        ("int(self.s) == 1", {"s": "x"},
         "Invalid value: \"object\": type conversion error from 'string' to 'int' evaluating rule: int(self.s) == 1"),
        ("bool(self.s)", {"s": "x"},
         "Invalid value: \"object\": type conversion error from 'string' to 'bool' evaluating rule: bool(self.s)"),
        ("self.s.charAt(5) == 'a'", {"s": "x"},
         "Invalid value: \"object\": index out of range: 5 evaluating rule: self.s.charAt(5) == 'a'"),
        ("self.li.min() == 1", {"li": []},
         'Invalid value: "object": min called on empty list evaluating rule: self.li.min() == 1'),
        ("url(self.s).getHost() == 'x'", {"s": "1Gi"},
         ('Invalid value: "object": URL parse error during conversion from string: parse "1Gi": invalid URI for '
         "request evaluating rule: url(self.s).getHost() == 'x'")),
        ("quantity(self.s).asInteger() == 1", {"s": "1.5"},
         'Invalid value: "object": cannot convert value to integer evaluating rule: quantity(self.s).asInteger() == 1'),
        ("self.s.findAll('(a+)+').size() > 0", {"s": "x"},
         ("Invalid value: \"object\": this server cannot search for '(a+)+': it repeats a repetition evaluating rule: "
         "self.s.findAll('(a+)+').size() > 0")),
    ],
)  # fmt: skip
def test_a_rule_that_fails(rule: str, spec: dict[str, Any], problem: str) -> None:
    assert broken(rule, spec) == [f"spec: {problem}"]


def test_nothing_is_logged_when_an_object_is_wrong(capfd: pytest.CaptureFixture[str], caplog: Any) -> None:
    assert broken("self.li.min() == 1", {"li": []})
    assert (capfd.readouterr().err, caplog.records) == ("", [])


def test_a_rule_says_what_its_author_wants_it_to_say() -> None:
    assert broken("self.x == 1", {"x": 2}, message=" must be one ") == ["spec: Invalid value: must be one"]
    assert broken("self.x == 1", {"x": 2}, messageExpression="'not ' + string(self.x)") == [
        "spec: Invalid value: not 2"
    ]
    fallback = broken("self.x == 1", {"x": 2}, messageExpression="self.s", message="stated")
    assert fallback == ["spec: Invalid value: stated"], "where the message cannot be made"
    assert broken("self.x == 1", {"x": 2, "s": "a\nb"}, messageExpression="self.s", message="m") == [
        "spec: Invalid value: m"
    ]


@pytest.mark.parametrize(
    ("reason", "problem"),
    [
        ("FieldValueInvalid", "Invalid value: no"),
        ("FieldValueForbidden", "Forbidden: no"),
        ("FieldValueRequired", "Required value: no"),
        ("FieldValueDuplicate", "Duplicate value"),
    ],
)
def test_a_rule_chooses_its_reason_and_field(reason: str, problem: str) -> None:
    schema = ruled("self.x == 1", message="no", reason=reason, fieldPath=".o['a-b']")
    (cause,) = schema.rules({"spec": {"x": 2}})
    assert (cause.reason, str(cause)) == (reason, f"spec.o.a-b: {problem}")


def test_transition_rules_wait_for_a_value_that_was_there_before() -> None:
    rule = "self.x >= oldSelf.x"
    assert broken(rule, {"x": 1}) == []
    assert broken(rule, {"x": 2}, {"x": 1}) == []
    assert broken(rule, {"x": 1}, {"x": 2}) == ["spec: Invalid value: failed rule: self.x >= oldSelf.x"]


def test_transition_rules_follow_the_items_of_a_list_map_by_key() -> None:
    role = {
        "type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.count >= oldSelf.count", "message": "may only grow"}],
    }  # fmt: skip
    roles = {
        "type": "array",
        "items": role,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    schema = Structural.compile(
        {"type": "object", "properties": {"spec": {"type": "object", "properties": {"roles": roles}}}}
    )

    def spec(**counts: int) -> dict[str, Any]:
        return {"spec": {"roles": [{"name": name, "count": count} for name, count in counts.items()]}}

    assert schema.rules(spec(b=2, new=1, a=1), spec(a=1, b=2)) == []
    (cause,) = schema.rules(spec(b=1, a=1), spec(a=1, b=2))
    assert str(cause) == "spec.roles[0]: Invalid value: may only grow"


def test_rules_stand_on_scalars_and_map_entries_too() -> None:
    entry = {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'bad'", "message": "is bad"}]}
    schema = Structural.compile({
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {
            "m": {"type": "object", "additionalProperties": entry}, "s": {**entry, "nullable": True},
        }}},
    })  # fmt: skip
    found = schema.rules({"spec": {"m": {"a": "good", "b": "bad"}, "s": "bad"}})
    assert sorted(map(str, found)) == [
        'spec.m[b]: Invalid value: "bad": is bad',
        'spec.s: Invalid value: "bad": is bad',
    ]
    assert schema.rules({"spec": {"s": None}}) == []


def test_the_root_sees_names_and_nothing_else_of_the_metadata() -> None:
    schema = Structural.compile({
        "type": "object",
        "x-kubernetes-validations": [
            {"rule": "self.metadata.name.size() <= 3", "message": "name too long"},
            {"rule": "self.kind == 'K' && self.apiVersion == 'v1' && self.spec.x == 1"},
        ],
        "properties": {"spec": {"type": "object", "properties": {"x": {"type": "integer"}}}},
    })  # fmt: skip
    obj = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "abcd", "labels": {}}, "spec": {"x": 1}}
    assert [str(cause) for cause in schema.rules(obj)] == ["<nil>: Invalid value: name too long"]
    with pytest.raises(SchemaError, match="undefined field 'labels'"):
        Structural.compile(
            {"type": "object", "x-kubernetes-validations": [{"rule": "self.metadata.labels.size() == 0"}]}
        )


def test_rules_are_not_evaluated_on_an_object_of_wrong_shape_and_that_is_said() -> None:
    schema = ruled("self.x == 1")
    wrong = {"spec": {"x": "1"}}
    assert [str(cause) for cause in schema.problems(wrong)] == [
        'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"',
        (
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
            "correct the existing errors to complete validation"
        ),
    ]


def test_an_evaluation_that_would_take_for_ever_is_cut_short() -> None:
    rule = "self.li.all(a, self.li.all(b, self.li.all(c, self.li.all(d, a + b + c + d > 0))))"
    (cause,) = broken(rule, {"li": list(range(1000))})
    assert cause == (
        'spec: Invalid value: "object": validation failed due to running out of cost budget, no further validation '
        "rules will be run"
    )


def test_a_default_that_breaks_a_rule_is_refused() -> None:
    field = {"type": "string", "x-kubernetes-validations": [{"rule": "self != 'bad'", "message": "is bad"}]}
    outer = {"type": "object", "default": {"a": "bad"}, "properties": {"a": field}}
    for properties, place in (
        ({"a": {**field, "default": "bad"}}, "[a].default"),
        ({"o": outer}, "[o].default.a"),
    ):
        with pytest.raises(SchemaError) as caught:
            Structural.compile(
                {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
            )
        assert str(caught.value) == (
            f'spec.validation.openAPIV3Schema.properties[spec].properties{place}: Invalid value: "bad": is bad'
        )
