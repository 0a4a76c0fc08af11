"""The CRDs teach, limit and protect: what holds for every field of all four."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cel
import pytest

from controller import shipped
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, TESTBED
from tests.conformance.objects import FULL

ROOT = Path(__file__).parents[2]
CRDS = {crd["spec"]["names"]["kind"]: crd for crd in shipped.crds()}
SHORT = {"Composition": "nxcomp", "Deployment": "nxd", "DeployedNode": "nxn", "Testbed": "nxt"}

Schema = dict[str, Any]


def root(kind: str) -> Schema:
    schema: Schema = CRDS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """The schema and every schema below it, each with its path."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    for inner, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(schema.get(inner), dict):
            yield from nodes(schema[inner], path + mark)


def everything() -> list[Any]:
    return [
        pytest.param(path, schema, id=path)
        for kind in CRDS
        for path, schema in nodes(root(kind), kind)
        if not path.endswith(".metadata")  # the API server's own
    ]


def test_four_kinds_under_the_names_that_the_operator_uses() -> None:
    for kind in (COMPOSITION, DEPLOYMENT, NODE, TESTBED):
        crd = CRDS[kind.kind]
        spec = crd["spec"]
        assert crd["metadata"]["name"] == f"{kind.plural}.{kind.group}"
        assert [version["name"] for version in spec["versions"]] == [kind.version]
        assert (spec["scope"] == "Namespaced") is kind.namespaced
        assert spec["names"]["categories"] == ["nxc"]
        assert spec["names"]["shortNames"] == [SHORT[kind.kind]]
        assert spec["versions"][0]["subresources"] == {"status": {}}
    assert len(CRDS) == 4


@pytest.mark.parametrize(("path", "schema"), everything())
def test_every_field_is_described_and_limited(path: str, schema: Schema) -> None:
    assert schema.get("description", "").strip().endswith((".", ").")), "kubectl explain would say nothing"
    match schema["type"]:
        case "string":
            free = path.split(".")[1:] in (["apiVersion"], ["kind"])
            assert free or schema.get("format") or schema.get("enum") or "maxLength" in schema
        case "array":
            assert "maxItems" in schema
            assert schema["x-kubernetes-list-type"] in ("set", "map", "atomic")
        case "object":
            assert "properties" in schema or "maxProperties" in schema
        case "integer" | "number":
            assert "minimum" in schema or schema.get("format") == "int64"
        case other:
            assert other == "boolean"
    if ".spec." in path and schema["type"] in ("integer", "number"):
        assert {"minimum", "maximum"} <= schema.keys()


@pytest.mark.parametrize("kind", CRDS)
def test_rules_speak_and_run(kind: str) -> None:
    for path, schema in nodes(root(kind), kind):
        for rule in schema.get("x-kubernetes-validations", []):
            assert rule["message"].strip(), path
            assert rule.get("reason", "") != "FieldValueDuplicate", (
                "a server drops the message of such a rule"
            )
            cel.compile(rule["rule"])  # raises what the local control plane would refuse


def test_conditions_are_the_same_everywhere() -> None:
    found = [root(kind)["properties"]["status"]["properties"]["conditions"]["items"] for kind in CRDS]
    assert all(items == found[0] for items in found)


def test_the_full_examples_have_every_field() -> None:
    for manifest in FULL:
        kind = manifest["kind"]
        given = set(paths(manifest["spec"]))
        written = {
            path.removeprefix(f"{kind}.spec.")
            for path, schema in nodes(root(kind)["properties"]["spec"], f"{kind}.spec")
            if "properties" not in schema and not path.endswith(("[]", "{}"))
        }
        # a source is one of four, and a role has count or hostnames
        missing = {path for path in written - given if not path.startswith("source.")}
        assert not missing, kind


def paths(value: Any, path: str = "") -> Iterator[str]:
    """The schema paths of everything in a manifest."""
    yield path
    match value:
        case dict():
            for name, inner in value.items():
                yield from paths(inner, f"{path}.{name}".lstrip("."))
        case list():
            for inner in value:
                yield from paths(inner, f"{path}[]")


def test_each_field_of_a_deployment_says_what_a_change_does() -> None:
    for name, schema in root("Deployment")["properties"]["spec"]["properties"].items():
        assert "A change while it runs: " in schema["description"], name


def test_columns_point_at_fields() -> None:
    for kind, crd in CRDS.items():
        known = {path.removeprefix(kind) for path, _ in nodes(root(kind), kind)} | {
            ".metadata.creationTimestamp"
        }
        version = crd["spec"]["versions"][0]
        for column in version["additionalPrinterColumns"]:
            path = re.sub(r'\[\?\(@\.type=="\w+"\)\]', "[]", column["jsonPath"])
            assert path in known, (kind, column)
        for field in version.get("selectableFields", []):
            assert field["jsonPath"] in known, (kind, field)


def test_the_api_reference_is_current() -> None:
    check = [sys.executable, ".ci/api_reference.py", "crds", "docs/api-reference.md", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
