"""What kubectl reads from OpenAPI: `explain`, server-side validation, dry run, strategic merge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from controller.local.core import openapi
from controller.local.core.resources import Registry, Resource

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Machines that run a composition.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"flavour": {"type": "string", "description": "How the machines are made."}},
        }
    },
}
DEPLOYMENTS = Resource(
    group="nxc.dev",
    version="v1alpha1",
    plural="deployments",
    singular="deployment",
    kind="Deployment",
    list_kind="DeploymentList",
    namespaced=True,
    storage=("nxc.dev", "deployments"),
    storage_version="nxc.dev/v1alpha1",
    subresources=("status",),
    custom=True,
    openapi=SCHEMA,
)
GVK = "x-kubernetes-group-version-kind"


@pytest.fixture
def registry() -> Registry:
    found = Registry()
    found.add(DEPLOYMENTS)
    return found


def document(registry: Registry, group: str, version: str) -> dict[str, Any]:
    found = openapi.document(registry, group, version)
    assert found is not None
    return found


def every(registry: Registry) -> list[dict[str, Any]]:
    return [
        document(registry, group, version)
        for group in registry.groups()
        for version in registry.versions(group)
    ]


def test_the_index_names_every_group_version(registry: Registry) -> None:
    paths = openapi.index(registry)["paths"]
    assert {"api/v1", "apis/nxc.dev/v1alpha1", "apis/rbac.authorization.k8s.io/v1"} <= paths.keys()
    address = paths["apis/nxc.dev/v1alpha1"]["serverRelativeURL"]
    assert address.startswith("/openapi/v3/apis/nxc.dev/v1alpha1?hash=")


def test_the_hash_changes_with_the_document_and_only_then(registry: Registry) -> None:
    before = openapi.index(registry)["paths"]
    changed = {**SCHEMA, "description": "Other."}
    registry.add(
        Resource(
            **{name: getattr(DEPLOYMENTS, name) for name in DEPLOYMENTS.__slots__} | {"openapi": changed}
        )
    )
    after = openapi.index(registry)["paths"]
    assert after["api/v1"] == before["api/v1"]
    assert after["apis/nxc.dev/v1alpha1"] != before["apis/nxc.dev/v1alpha1"]


def test_what_is_not_served_has_no_document(registry: Registry) -> None:
    assert openapi.document(registry, "apps", "v1") is None


def test_explain_finds_the_kind_by_its_path_and_the_schema_by_the_kind(registry: Registry) -> None:
    found = document(registry, "nxc.dev", "v1alpha1")
    get = found["paths"]["/apis/nxc.dev/v1alpha1/namespaces/{namespace}/deployments"]["get"]
    kind = {"group": "nxc.dev", "version": "v1alpha1", "kind": "Deployment"}
    assert get[GVK] == kind
    (schema,) = [each for each in found["components"]["schemas"].values() if kind in each.get(GVK, [])]
    assert schema["description"] == "Machines that run a composition."
    assert (
        schema["properties"]["spec"]["properties"]["flavour"]["description"] == "How the machines are made."
    )
    assert schema["properties"]["apiVersion"]["type"] == "string"
    assert schema["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]


def test_a_custom_schema_is_not_changed_by_describing_it(registry: Registry) -> None:
    before = json.dumps(SCHEMA)
    document(registry, "nxc.dev", "v1alpha1")
    openapi.swagger(registry)
    assert json.dumps(SCHEMA) == before


def test_every_reference_leads_somewhere(registry: Registry) -> None:
    for found in every(registry):
        text = json.dumps(found)
        names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
        assert names <= found["components"]["schemas"].keys()
        assert names


def test_every_patch_declares_dry_run_and_field_validation(registry: Registry) -> None:
    patches = [
        item["patch"] for found in every(registry) for item in found["paths"].values() if "patch" in item
    ]
    assert len(patches) > 10
    for patch in patches:
        assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {
            parameter["name"] for parameter in patch["parameters"]
        }


def test_strategic_merge_is_offered_for_built_in_kinds_alone(registry: Registry) -> None:
    strategic = "application/strategic-merge-patch+json"
    core = document(registry, "", "v1")["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"]
    ours = document(registry, "nxc.dev", "v1alpha1")["paths"][
        "/apis/nxc.dev/v1alpha1/namespaces/{namespace}/deployments/{name}"
    ]["patch"]
    assert strategic in core["requestBody"]["content"]
    assert strategic not in ours["requestBody"]["content"]
    assert "application/apply-patch+yaml" in ours["requestBody"]["content"]


def test_paths_are_those_that_are_served(registry: Registry) -> None:
    core = document(registry, "", "v1")["paths"]
    assert set(core["/api/v1/namespaces/{name}"]) == {"get", "put", "patch", "delete", "parameters"}
    assert "delete" not in core["/api/v1/namespaces"]  # namespaces have no deletecollection
    assert set(core["/api/v1/configmaps"]) == {"get", "parameters"}  # over all namespaces
    reviews = document(registry, "authorization.k8s.io", "v1")["paths"]
    assert set(reviews["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"]) == {"post", "parameters"}
    assert (
        "/apis/nxc.dev/v1alpha1/namespaces/{namespace}/deployments/{name}/status"
        in (document(registry, "nxc.dev", "v1alpha1")["paths"])
    )


def test_operation_ids_are_unique(registry: Registry) -> None:
    ids = [
        operation["operationId"]
        for found in every(registry)
        for item in found["paths"].values()
        for name, operation in item.items()
        if name != "parameters"
    ]
    assert len(ids) == len(set(ids))
    assert "replaceNxcDevV1alpha1NamespacedDeploymentStatus" in ids


def test_documents_are_made_once_until_the_registry_changes(registry: Registry) -> None:
    first = document(registry, "nxc.dev", "v1alpha1")
    assert document(registry, "nxc.dev", "v1alpha1") is first
    registry.remove(DEPLOYMENTS)
    assert openapi.document(registry, "nxc.dev", "v1alpha1") is None


def test_version_2_says_the_same_in_its_own_form(registry: Registry) -> None:
    found = openapi.swagger(registry)
    assert found["swagger"] == "2.0"
    text = json.dumps(found)
    assert "#/components/" not in text
    names = {part.split('"')[0] for part in text.split("#/definitions/")[1:]}
    assert names <= found["definitions"].keys()
    patch = found["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"]
    assert patch["parameters"][0]["in"] == "body"
    assert "requestBody" not in patch
    assert {"name": "dryRun", "in": "query", "type": "string"}.items() <= patch["parameters"][1].items()
    assert found["definitions"]["io.k8s.api.core.v1.ConfigMap"]["properties"]["metadata"]["$ref"] == (
        "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
    )
