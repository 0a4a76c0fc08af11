"""The schemas of built-in kinds: complete, described, and fit for validation and server-side apply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from controller.local.core.builtin_schemas import (
    model_name,
    models,
    object_meta_schema,
    structural_schema,
    typed_schema,
)
from controller.local.core.resources import BUILTIN, Resource
from controller.local.core.schema import Structural

KINDS = pytest.mark.parametrize("resource", BUILTIN, ids=lambda resource: resource.qualified)


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in schema.get("properties", {}).items():
        yield f"{path}.{name}", value
        yield from fields(value, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from fields(schema[key], f"{path}[]")


@KINDS
def test_every_built_in_kind_has_a_schema(resource: Resource) -> None:
    schema = typed_schema(resource.group, resource.version, resource.kind)
    assert schema is not None
    assert {"apiVersion", "kind", "metadata"} <= schema["properties"].keys()


@KINDS
def test_every_field_is_described(resource: Resource) -> None:
    schema = typed_schema(resource.group, resource.version, resource.kind)
    assert schema is not None
    for path, value in fields(schema):
        assert value.get("description"), path


@KINDS
def test_every_list_says_how_it_merges(resource: Resource) -> None:
    schema = typed_schema(resource.group, resource.version, resource.kind)
    assert schema is not None
    for path, value in fields(schema):
        if value.get("type") == "array" and ".extra" not in path:
            assert value.get("x-kubernetes-list-type") in ("atomic", "set", "map"), path


@KINDS
def test_every_schema_compiles_and_takes_nulls(resource: Resource) -> None:
    schema = structural_schema(resource.group, resource.version, resource.kind)
    assert schema is not None
    assert "$ref" not in json.dumps(schema)
    compiled = Structural.compile(schema)
    nulls = dict.fromkeys(schema["properties"].keys() - {"metadata"})
    wrong = {
        cause.field
        for cause in compiled.validate(compiled.default(nulls))
        if cause.reason == "FieldValueTypeInvalid"
    }
    assert wrong == set()


def test_a_wrong_type_is_found() -> None:
    schema = structural_schema("", "v1", "ConfigMap")
    assert schema is not None
    (cause,) = Structural.compile(schema).validate({"data": {"a": 5}})
    assert (cause.reason, cause.field) == ("FieldValueTypeInvalid", "data.a")


def test_unknown_fields_are_found() -> None:
    schema = structural_schema("rbac.authorization.k8s.io", "v1", "Role")
    assert schema is not None
    rule = {"apiGroups": [""], "resources": ["x"], "verbs": ["get"], "verb": "get"}
    _, dropped = Structural.compile(schema).prune({"rules": [rule], "specs": 1})
    assert sorted(dropped) == ["rules[0].verb", "specs"]


def test_a_crds_schema_keeps_what_it_has() -> None:
    schema = structural_schema("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    assert schema is not None
    inner = {"type": "object", "properties": {"spec": {"x-kubernetes-list-type": "atomic"}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": inner}}
    pruned, dropped = Structural.compile(schema).prune({"spec": {"versions": [version]}})
    assert dropped == []
    assert pruned["spec"]["versions"][0]["schema"]["openAPIV3Schema"] == inner


def test_merge_keys_are_those_of_the_real_server() -> None:
    owners = object_meta_schema()["properties"]["ownerReferences"]
    assert owners["x-kubernetes-list-map-keys"] == ["uid"]
    assert owners["x-kubernetes-patch-merge-key"] == "uid"
    assert object_meta_schema()["properties"]["finalizers"]["x-kubernetes-list-type"] == "set"
    account = typed_schema("", "v1", "ServiceAccount")
    assert account is not None
    assert account["properties"]["secrets"]["x-kubernetes-patch-merge-key"] == "name"


def test_what_is_not_built_in_has_no_schema() -> None:
    assert structural_schema("apps", "v1", "Deployment") is None
    assert structural_schema("", "v2", "Namespace") is None
    assert structural_schema("", "v1", "Pod") is None


def test_models_are_named_as_clients_expect() -> None:
    assert model_name("", "v1", "Namespace") == "io.k8s.api.core.v1.Namespace"
    assert model_name("events.k8s.io", "v1", "Event") == "io.k8s.api.events.v1.Event"
    assert model_name("nxc.dev", "v1alpha1", "Deployment") == "dev.nxc.v1alpha1.Deployment"
    assert "io.k8s.api.coordination.v1.LeaseList" in models()
