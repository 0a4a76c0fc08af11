"""CustomResourceDefinitions: installed, upgraded under live objects, removed."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.local.kubectl.runner import Kubectl, Output
from tests.local.kubectl.serving import served
from tests.local.scratch import GROUP, definition


class Crd:
    """A CRD of the test's own, and objects of its kind."""

    def __init__(self) -> None:
        self.plural = f"gizmos{secrets.token_hex(2)}"
        self.group = GROUP  # one that has kinds already: a new group takes long to reach an aggregated server
        self.kind = self.plural.capitalize().removesuffix("s")
        self.name = f"{self.plural}.{self.group}"

    def manifest(self, **properties: Any) -> dict[str, Any]:
        return definition(self.plural, self.kind, self.group, **properties)

    def thing(self, name: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": self.kind,
            "metadata": {"name": name},
            "spec": spec,
        }


@pytest.fixture
def crd(k: Kubectl) -> Iterator[Crd]:
    own = Crd()
    yield own
    k.run(f"delete crd {own.name} --ignore-not-found --timeout=30s")


def gone(output: Output) -> bool:
    return "the server doesn't have a resource type" in output.stderr or "could not find" in output.stderr


def install(k: Kubectl, crd: Crd, manifest: dict[str, Any]) -> None:
    k("apply -f -", manifest)
    served(k, manifest)


def schema(manifest: dict[str, Any]) -> dict[str, Any]:
    """The schema of `spec` in the only version, to be changed in place."""
    version = manifest["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def test_a_new_kind_is_served_once_established(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create -f -", crd.thing("g", a=1))
    assert k(f"get {crd.plural} -o name").stdout == f"{crd.kind.lower()}.{crd.group}/g\n"
    live = k.get(f"crd {crd.name}")
    conditions = {c["type"]: c["status"] for c in live["status"]["conditions"]}
    assert conditions["NamesAccepted"] == "True"
    assert conditions["Established"] == "True"
    assert live["status"]["storedVersions"] == ["v1"]
    assert live["status"]["acceptedNames"]["plural"] == crd.plural


def test_a_field_added_by_an_upgrade_is_kept_from_then_on(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create --validate=ignore -f -", crd.thing("g", a=1, b="dropped"))
    assert k.get(f"{crd.plural} g")["spec"] == {"a": 1}
    install(k, crd, crd.manifest(a={"type": "integer"}, b={"type": "string"}))
    k.until(
        f'patch {crd.plural} g --type=merge -p \'{{"spec":{{"b":"kept"}}}}\' -o jsonpath=\'{{.spec.b}}\'',
        lambda output: output.stdout == "kept",
        20,
    )
    assert k.get(f"{crd.plural} g")["spec"] == {"a": 1, "b": "kept"}


def test_a_default_added_by_an_upgrade_shows_on_live_objects(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create -f -", crd.thing("g", a=1))
    before = k.get(f"{crd.plural} g")["metadata"]["resourceVersion"]
    install(k, crd, crd.manifest(a={"type": "integer"}, b={"type": "string", "default": "new"}))
    shown = k.until(f"get {crd.plural} g -o json", lambda output: output.json()["spec"].get("b") == "new", 20)
    assert shown.json()["metadata"]["resourceVersion"] == before, "reading is no write"


def test_a_stricter_schema_holds_for_the_next_write(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create -f -", crd.thing("g", a=50))
    install(k, crd, crd.manifest(a={"type": "integer", "maximum": 10}))
    refused = k.until(
        f'patch {crd.plural} g --type=merge -p \'{{"spec":{{"a":60}}}}\'',
        lambda output: output.code != 0,
        20,
    )
    assert "spec.a: Invalid value: 60: spec.a in body should be less than or equal to 10" in refused.stderr
    assert k.get(f"{crd.plural} g")["spec"]["a"] >= 50, "what is stored is still served"
    k(f'patch {crd.plural} g --type=merge -p \'{{"spec":{{"a":9}}}}\'')


def test_columns_and_fields_of_an_upgrade_show_in_new_watches(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create -f -", crd.thing("g", a=1))
    manifest = crd.manifest(a={"type": "integer"}, b={"type": "string"})
    manifest["spec"]["versions"][0]["additionalPrinterColumns"] = [
        {"name": "B", "type": "string", "jsonPath": ".spec.b"}
    ]
    install(k, crd, manifest)
    k.until(f"get {crd.plural}", lambda output: output.lines[0].split() == ["NAME", "B"], 20)
    with k.start(f"get {crd.plural} -w") as watch:
        watch.until("NAME", "B")
        watch.until("g")
        k(f'patch {crd.plural} g --type=merge -p \'{{"spec":{{"b":"later"}}}}\'')
        watch.until("g", "later")


def test_a_version_added_by_an_upgrade_serves_the_same_objects(k: Kubectl, crd: Crd) -> None:
    manifest = crd.manifest(a={"type": "integer"})
    install(k, crd, manifest)
    k("create -f -", crd.thing("g", a=1))
    second = copy.deepcopy(manifest)
    second["spec"]["versions"][0]["storage"] = False
    second["spec"]["versions"].append({**copy.deepcopy(manifest["spec"]["versions"][0]), "name": "v2"})
    install(k, crd, second)
    k.until(f"get {crd.plural}.v2.{crd.group} g", lambda output: output.code == 0, 30)
    assert k.get(f"{crd.plural}.v2.{crd.group} g")["apiVersion"] == f"{crd.group}/v2"
    assert k.get(f"{crd.plural}.v1.{crd.group} g")["apiVersion"] == f"{crd.group}/v1"
    assert k.get(f"crd {crd.name}")["status"]["storedVersions"] == ["v1", "v2"]
    third = copy.deepcopy(second)
    third["spec"]["versions"][0]["served"] = False
    k("apply -f -", third)
    k.until(
        f"get --raw /apis/{crd.group}/v1/namespaces/{k.namespace}/{crd.plural}", lambda o: o.code != 0, 30
    )
    without = copy.deepcopy(second)
    del without["spec"]["versions"][0]
    refused = k.fails("apply -f -", without)
    assert 'status.storedVersions[0]: Invalid value: "v1": ' in refused.stderr


def test_deleting_the_definition_deletes_its_objects(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    k("create -f -", [crd.thing("g", a=1), crd.thing("h", a=1)])
    k(f"delete crd {crd.name} --timeout=40s")
    k.until(f"get {crd.plural}", gone, 30)
    install(k, crd, crd.manifest(a={"type": "integer"}))
    assert k(f"get {crd.plural} -o name").stdout == ""


def test_the_status_subresource_can_come_with_an_upgrade(k: Kubectl, crd: Crd) -> None:
    manifest = crd.manifest(a={"type": "integer"})
    schema(manifest)
    install(k, crd, manifest)
    k("create -f -", crd.thing("g", a=1))
    k.fails(f"patch {crd.plural} g --subresource=status --type=merge -p '{{}}'")
    manifest["spec"]["versions"][0]["subresources"] = {"status": {}}
    manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"] = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
    }
    install(k, crd, manifest)
    k.until(
        f'patch {crd.plural} g --subresource=status --type=merge -p \'{{"status":{{"ok":true}}}}\'',
        lambda output: output.code == 0,
        30,
    )
    assert k.get(f"{crd.plural} g")["status"] == {"ok": True}


def refusal(k: Kubectl, manifest: dict[str, Any]) -> str:
    return k.fails("create --validate=ignore -f -", manifest).stderr


def test_a_definition_without_a_schema_is_refused(k: Kubectl, crd: Crd) -> None:
    manifest = crd.manifest(a={"type": "integer"})
    del manifest["spec"]["versions"][0]["schema"]
    assert "spec.versions[0].schema.openAPIV3Schema: Required value" in refusal(k, manifest)


def test_a_schema_that_is_not_structural_is_refused(k: Kubectl, crd: Crd) -> None:
    said = refusal(k, crd.manifest(a={"description": "no type"}))
    assert "spec.validation.openAPIV3Schema.properties[spec].properties[a].type: Required value" in said


def test_a_name_that_does_not_match_is_refused(k: Kubectl, crd: Crd) -> None:
    manifest = crd.manifest(a={"type": "integer"})
    manifest["metadata"]["name"] = f"others.{crd.group}"
    assert "metadata.name: Invalid value" in refusal(k, manifest)
    assert 'must be spec.names.plural+"."+spec.group' in refusal(k, manifest)


def test_two_storage_versions_are_refused(k: Kubectl, crd: Crd) -> None:
    manifest = crd.manifest(a={"type": "integer"})
    manifest["spec"]["versions"].append({**copy.deepcopy(manifest["spec"]["versions"][0]), "name": "v2"})
    assert "must have exactly one version marked as storage version" in refusal(k, manifest)


def test_a_rule_that_does_not_compile_is_refused(k: Kubectl, crd: Crd) -> None:
    said = refusal(
        k,
        crd.manifest(a={"type": "integer", "x-kubernetes-validations": [{"rule": "self.nothing() == 3"}]}),
    )
    assert "x-kubernetes-validations[0].rule: Invalid value" in said
    assert "undeclared reference to 'nothing'" in said or "nothing" in said


def test_a_default_that_does_not_fit_its_schema_is_refused(k: Kubectl, crd: Crd) -> None:
    said = refusal(k, crd.manifest(a={"type": "integer", "default": "many"}))
    assert "properties[a].default: Invalid value" in said


def test_a_list_map_without_its_key_required_is_refused(k: Kubectl, crd: Crd) -> None:
    said = refusal(
        k,
        crd.manifest(
            a={
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            }
        ),
    )
    assert (
        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
        in said
    )


def test_names_in_use_are_not_accepted(k: Kubectl, crd: Crd) -> None:
    install(k, crd, crd.manifest(a={"type": "integer"}))
    rival = Crd()
    manifest = rival.manifest(a={"type": "integer"})
    manifest["spec"]["names"]["kind"] = crd.kind
    try:
        k("create -f -", manifest)
        told = k.until(
            f"get crd {rival.name} -o json",
            lambda output: bool(output.json().get("status", {}).get("conditions")),
            20,
        ).json()
        conditions = {c["type"]: c for c in told["status"]["conditions"]}
        assert conditions["NamesAccepted"]["status"] == "False"
        assert conditions["NamesAccepted"]["reason"] == "KindConflict"
        assert f'"{crd.kind}" is already in use' in conditions["NamesAccepted"]["message"]
        assert conditions["Established"]["status"] == "False"
    finally:
        k(f"delete crd {rival.name} --timeout=30s")
