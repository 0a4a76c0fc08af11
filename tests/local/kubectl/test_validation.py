"""What the server and kubectl refuse, warn of, or let pass; names that the server makes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


def test_an_unknown_field_is_refused_by_default(k: Kubectl) -> None:
    refused = k.fails("apply -f -", sprocket("w", colr="red"))
    assert 'unknown field "' in refused.stderr
    assert "colr" in refused.stderr
    assert not k.exists("sprocket w")


def test_validate_warn_lets_it_pass_and_says_so(k: Kubectl) -> None:
    made = k("apply --validate=warn -f -", sprocket("w", colr="red"))
    assert "unknown field" in made.stderr
    assert "created" in made.stdout
    assert "colr" not in k.get("sprocket w")["spec"], "an unknown field is pruned"


def test_validate_ignore_is_silent(k: Kubectl) -> None:
    made = k("apply --validate=ignore -f -", sprocket("w", colr="red"))
    assert made.stderr == ""
    assert "colr" not in k.get("sprocket w")["spec"]


def test_an_unknown_field_deep_in_a_list(k: Kubectl) -> None:
    refused = k.fails("apply -f -", sprocket("w", parts=[{"name": "a"}, {"name": "b", "colour": "red"}]))
    assert "unknown field" in refused.stderr
    assert "parts" in refused.stderr
    assert "colour" in refused.stderr


def test_unknown_fields_are_kept_where_the_schema_says_so(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", anything={"goes": [1, {"here": None}]}))
    assert k.get("sprocket w")["spec"]["anything"]["goes"][0] == 1


def test_a_duplicate_field_is_refused(k: Kubectl) -> None:
    text = '{"apiVersion":"test.nxc.dev/v1","kind":"Sprocket","metadata":{"name":"w"},"spec":{"size":1,"size":2}}'
    path = f"/apis/test.nxc.dev/v1/namespaces/{k.namespace}/sprockets?fieldValidation=Strict"
    refused = k.fails(f"create --raw '{path}' -f -", text)
    assert 'strict decoding error: duplicate field "spec.size"' in refused.stderr


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"size": None}, "spec.size: "),
    "too small": (
        {"size": 0},
        "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1",
    ),
    "wrong type": (
        {"size": "big"},
        'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
    ),
    "not in the enum": (
        {"colour": "mauve"},
        'spec.colour: Unsupported value: "mauve": supported values: "red", "green", "blue"',
    ),
    "pattern": (
        {"serial": "lower"},
        "spec.serial: Invalid value: \"lower\": spec.serial in body should match '^[A-Z0-9-]*$'",
    ),
    "too long": ({"serial": "A" * 21}, "spec.serial: Too long: may not be more than 20 bytes"),
    "too many": ({"tags": [str(n) for n in range(9)]}, "spec.tags: Too many: 9: must have at most 8 items"),
    "duplicate in a set": ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
    "duplicate in a map": (
        {"parts": [{"name": "a"}, {"name": "a"}]},
        'spec.parts[1]: Duplicate value: {"name":"a"}',
    ),
    "key missing": ({"parts": [{"count": 1}]}, "spec.parts[0].name: Required value"),
    "date": (
        {"due": "tomorrow"},
        'spec.due: Invalid value: "tomorrow": spec.due in body must be of type date-time: "tomorrow"',
    ),
    "int or string": ({"limit": True}, "spec.limit"),
    "too many properties": (
        {"options": {str(n): "" for n in range(9)}},
        "spec.options: Too many: 9: must have at most 8 items",
    ),
    "null": ({"colour": None, "parts": None, "tags": [None]}, "spec.tags[0]"),
    "rule": ({"low": 2, "high": 1}, "low must not exceed high"),
    "not an object": ({"settings": [1]}, 'spec.settings in body must be of type object: "array"'),
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_object_is_refused_with_its_field(k: Kubectl, case: str) -> None:
    spec, message = INVALID[case]
    refused = k.fails("create --validate=ignore -f -", sprocket("w", **spec))
    assert 'The Sprocket "w" is invalid' in refused.stderr
    assert message in refused.stderr


def test_several_faults_are_told_together(k: Kubectl) -> None:
    refused = k.fails("create -f -", sprocket("w", size=0, colour="mauve")).stderr
    assert "spec.size" in refused
    assert "spec.colour" in refused


@pytest.mark.parametrize("name", ["Upper", "under_score", "-dash", "a" * 254, "dots..dots"])
def test_an_invalid_name_is_refused(k: Kubectl, name: str) -> None:
    for thing in (sprocket(name), configmap(name)):
        refused = k.fails("create -f -", thing)
        assert "metadata.name: Invalid value" in refused.stderr


def test_no_name_at_all_is_refused(k: Kubectl) -> None:
    refused = k.fails("create -f -", {**configmap("x"), "metadata": {}})
    assert (
        "resource name may not be empty" in refused.stderr
        or "name or generateName is required" in refused.stderr
    )


def test_generate_name(k: Kubectl) -> None:
    names = set()
    for _ in range(3):
        made = k(
            "create -f - -o jsonpath='{.metadata.name}'",
            {**sprocket("x"), "metadata": {"generateName": "w-"}},
        )
        names.add(made.stdout)
    assert len(names) == 3
    assert all(name.startswith("w-") and len(name) == 7 for name in names)
    assert k.get(f"sprocket {names.pop()}")["metadata"]["generateName"] == "w-"


def test_wrong_api_version(k: Kubectl) -> None:
    refused = k.fails("create -f -", {**sprocket("w"), "apiVersion": "test.nxc.dev/v9"})
    assert 'no matches for kind "Sprocket" in version "test.nxc.dev/v9"' in refused.stderr


def test_rubbish_is_refused(k: Kubectl) -> None:
    k.fails("create -f -", "{{{")
    k.fails("create -f -", "just words")
    k.fails("create -f -", "apiVersion: v1\nmetadata: {name: x}\n")


def test_defaults_are_set(k: Kubectl) -> None:
    k("create -f -", sprocket("w", parts=[{"name": "arm"}]))
    spec = k.get("sprocket w")["spec"]
    assert spec == {"size": 1, "colour": "red", "replicas": 1, "parts": [{"name": "arm", "count": 1}]}


def test_null_takes_the_default(k: Kubectl) -> None:
    k("create -f -", sprocket("w", colour=None, note=None))
    spec = k.get("sprocket w")["spec"]
    assert spec["colour"] == "red"
    assert spec["note"] is None, "but a nullable field keeps its null"


def test_core_kinds_are_validated(k: Kubectl) -> None:
    bad = {**configmap("c"), "data": {"no/slash": "x"}}
    assert 'data[no/slash]: Invalid value: "no/slash"' in k.fails("create -f -", bad).stderr
    k("create -f -", {**configmap("c", a="1"), "immutable": True})
    refused = k.fails('patch configmap c -p \'{"data":{"a":"2"}}\'')
    assert "data: Forbidden: field is immutable when `immutable` is set" in refused.stderr


def test_a_wrong_type_in_a_core_kind(k: Kubectl) -> None:
    refused = k.fails("create -f -", {**configmap("c"), "data": {"n": 1}})
    assert "data" in refused.stderr


def test_secrets_take_string_data(k: Kubectl) -> None:
    k(
        "create -f -",
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "value"}},
    )
    secret = k.get("secret s")
    assert secret["data"] == {"key": "dmFsdWU="}
    assert secret["type"] == "Opaque"
    assert "stringData" not in secret


def test_a_secrets_type_cannot_change(k: Kubectl) -> None:
    k("create secret generic s")
    refused = k.fails('patch secret s -p \'{"type":"other"}\'')
    assert "type: Invalid value" in refused.stderr
    assert "field is immutable" in refused.stderr


def test_a_big_body_is_refused(k: Kubectl) -> None:
    refused = k.fails("create --validate=ignore -f -", configmap("c", a="x" * 4_000_000))
    assert (
        "Too long" in refused.stderr
        or "too large" in refused.stderr.lower()
        or "limit is 3145728" in refused.stderr
    )


def test_a_configmap_of_more_than_a_megabyte_is_refused(k: Kubectl) -> None:
    refused = k.fails("create --validate=ignore -f -", configmap("c", a="x" * 1_100_000))
    assert "Too long: must have at most 1048576 bytes" in refused.stderr or "Too long" in refused.stderr
