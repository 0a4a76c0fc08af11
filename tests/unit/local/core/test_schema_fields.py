"""A misspelt field in a CRD's schema is found; the expected warnings are a real server's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from controller import shipped
from controller.local.core.schema_fields import prune_definition

BASE = "spec.versions[0].schema.openAPIV3Schema"


def definition(schema: Any) -> dict[str, Any]:
    return {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}}


MISSPELT = """
type: object
bad1: 1
properties:
  spec:
    type: object
    bad2: 1
    x-kubernetes-validations: [{rule: "true", bad9: 1}]
    externalDocs: {url: x, bad8: 1}
    properties:
      "a.b": {type: string, maxlength: 5, default: {zz: 1}}
      list: {type: array, items: {type: object, bad3: 1, properties: {q: {type: string, bad4: 1}}}}
      map: {type: object, additionalProperties: {type: object, bad5: 1}}
      text: {type: string, anyOf: [{pattern: x, bad6: 1}], not: {pattern: z, bad7: 1}}
"""


def test_unknown_fields_are_named_where_the_real_server_names_them() -> None:
    _, dropped = prune_definition(definition(yaml.safe_load(MISSPELT)))
    assert dropped == [
        f"{BASE}.bad1",
        f"{BASE}.properties.spec.bad2",
        f"{BASE}.properties.spec.externalDocs.bad8",
        f"{BASE}.properties.spec.properties.a.b.maxlength",
        f"{BASE}.properties.spec.properties.text.anyOf[0].bad6",
        f"{BASE}.properties.spec.properties.text.not.bad7",
        f"{BASE}.properties.spec.x-kubernetes-validations[0].bad9",
    ]


def test_unknown_fields_are_dropped_everywhere_and_data_is_left_alone() -> None:
    given = definition(yaml.safe_load(MISSPELT))
    before = repr(given)
    pruned, _ = prune_definition(given)
    schema = pruned["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert "bad" not in repr(schema)
    assert schema["properties"]["spec"]["properties"]["a.b"] == {"type": "string", "default": {"zz": 1}}
    assert repr(given) == before
    assert prune_definition(pruned) == (pruned, [])


def test_our_own_definitions_have_nothing_to_drop() -> None:
    documents = list(shipped.crds())
    assert documents
    for document in documents:
        assert prune_definition(document) == (document, [])


@pytest.mark.parametrize(
    "schema", [None, [], "x", {"properties": []}, {"items": True}, {"anyOf": {}}, {"not": 1}]
)
def test_parts_of_the_wrong_type_are_left_for_decoding(schema: Any) -> None:
    assert prune_definition(definition(schema)) == (definition(schema), [])


@pytest.mark.parametrize(
    "given", [{}, {"spec": None}, {"spec": {"versions": None}}, {"spec": {"versions": [1, {}]}}]
)
def test_a_definition_without_schemas_is_left_alone(given: dict[str, Any]) -> None:
    assert prune_definition(given) == (given, [])
