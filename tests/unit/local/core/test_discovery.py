"""kubectl and other clients find out what is served."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.local.core import discovery
from controller.local.core.resources import Registry, Resource

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
    short_names=("nxd",),
    categories=("nxc",),
    subresources=("scale", "status"),
    custom=True,
)


def registry() -> Registry:
    found = Registry()
    found.add(DEPLOYMENTS)
    found.add(replace(DEPLOYMENTS, version="v1beta1"))
    found.add(replace(DEPLOYMENTS, group="a.example", version="v1", kind="Other"))
    return found


def entries(group: str, version: str) -> dict[str, dict[str, Any]]:
    found = discovery.resource_list(registry(), group, version)
    assert found is not None
    return {entry["name"]: entry for entry in found["resources"]}


def test_the_server_says_which_kubernetes_it_is_like() -> None:
    version = discovery.version_info()
    assert (version["major"], version["minor"]) == ("1", "32")
    assert version["gitVersion"].startswith("v1.32.")


def test_the_core_api_has_one_version_at_the_servers_address() -> None:
    found = discovery.core_versions("127.0.0.1:6443")
    assert found["versions"] == ["v1"]
    assert found["serverAddressByClientCIDRs"][0]["serverAddress"] == "127.0.0.1:6443"


def test_built_in_groups_come_before_custom_ones() -> None:
    names = [group["name"] for group in discovery.group_list(registry())["groups"]]
    assert names[-2:] == ["a.example", "nxc.dev"]
    assert "rbac.authorization.k8s.io" in names
    assert "" not in names


def test_a_group_prefers_its_most_mature_version() -> None:
    found = discovery.group(registry(), "nxc.dev")
    assert found == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "nxc.dev",
        "versions": [
            {"groupVersion": "nxc.dev/v1beta1", "version": "v1beta1"},
            {"groupVersion": "nxc.dev/v1alpha1", "version": "v1alpha1"},
        ],
        "preferredVersion": {"groupVersion": "nxc.dev/v1beta1", "version": "v1beta1"},
    }


def test_what_is_not_served_is_none() -> None:
    assert discovery.group(registry(), "apps") is None
    assert discovery.group(registry(), "") is None
    assert discovery.resource_list(registry(), "apps", "v1") is None
    assert discovery.resource_list(registry(), "nxc.dev", "v1") is None


def test_a_custom_resource_is_listed_with_names_and_verbs() -> None:
    entry = entries("nxc.dev", "v1alpha1")["deployments"]
    assert entry.pop("storageVersionHash")
    assert entry == {
        "name": "deployments",
        "singularName": "deployment",
        "namespaced": True,
        "kind": "Deployment",
        "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
        "shortNames": ["nxd"],
        "categories": ["nxc"],
    }


def test_subresources_are_listed_without_short_names() -> None:
    found = entries("nxc.dev", "v1alpha1")
    assert found["deployments/status"] == {
        "name": "deployments/status",
        "singularName": "",
        "namespaced": True,
        "kind": "Deployment",
        "verbs": ["get", "patch", "update"],
    }
    scale = found["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")


def test_core_resources_are_the_real_ones() -> None:
    found = entries("", "v1")
    assert {"namespaces", "configmaps", "secrets", "serviceaccounts", "events"} <= found.keys()
    assert "pods" not in found
    assert found["namespaces"]["shortNames"] == ["ns"]
    assert "deletecollection" not in found["namespaces"]["verbs"]
    assert found["namespaces/finalize"]["verbs"] == ["update"]
    token = found["serviceaccounts/token"]
    assert (token["group"], token["kind"], token["verbs"]) == (
        "authentication.k8s.io", "TokenRequest", ["create"],
    )  # fmt: skip


def test_storage_hashes_are_those_of_a_real_server() -> None:
    assert entries("", "v1")["configmaps"]["storageVersionHash"] == "qFsyl6wFWjQ="
    assert entries("rbac.authorization.k8s.io", "v1")["clusterroles"]["storageVersionHash"] == "bYE5ZWDrJ44="
    # Both kinds of events are kept as core events.
    assert entries("", "v1")["events"]["storageVersionHash"] == "r2yiGXH7wu8="
    assert entries("events.k8s.io", "v1")["events"]["storageVersionHash"] == "r2yiGXH7wu8="


def test_reviews_can_only_be_created_and_are_stored_nowhere() -> None:
    review = entries("authorization.k8s.io", "v1")["selfsubjectaccessreviews"]
    assert review["verbs"] == ["create"]
    assert "storageVersionHash" not in review


def test_aggregated_discovery_says_everything_in_two_documents() -> None:
    core = discovery.aggregated(registry(), core=True)
    rest = discovery.aggregated(registry(), core=False)
    assert (core["kind"], core["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    assert [item["metadata"].get("name") for item in core["items"]] == [None]
    assert [item["metadata"]["name"] for item in rest["items"]][-2:] == ["a.example", "nxc.dev"]
    ours = rest["items"][-1]
    assert [version["version"] for version in ours["versions"]] == ["v1beta1", "v1alpha1"]
    assert ours["versions"][1]["resources"] == [
        {
            "resource": "deployments",
            "responseKind": {"group": "nxc.dev", "version": "v1alpha1", "kind": "Deployment"},
            "scope": "Namespaced",
            "singularResource": "deployment",
            "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            "shortNames": ["nxd"],
            "categories": ["nxc"],
            "subresources": [
                {
                    "subresource": "scale",
                    "responseKind": {"group": "autoscaling", "version": "v1", "kind": "Scale"},
                    "verbs": ["get", "patch", "update"],
                },
                {
                    "subresource": "status",
                    "responseKind": {"group": "nxc.dev", "version": "v1alpha1", "kind": "Deployment"},
                    "verbs": ["get", "patch", "update"],
                },
            ],
        }
    ]


def test_both_forms_of_discovery_agree() -> None:
    for core in (True, False):
        for item in discovery.aggregated(registry(), core=core)["items"]:
            for version in item["versions"]:
                listed = entries(item["metadata"].get("name", ""), version["version"])
                for resource in version["resources"]:
                    entry = listed[resource["resource"]]
                    assert entry["kind"] == resource["responseKind"]["kind"]
                    assert entry["verbs"] == resource["verbs"]
                    assert entry["namespaced"] is (resource["scope"] == "Namespaced")


def test_the_older_aggregated_version_is_named_on_request() -> None:
    found = discovery.aggregated(registry(), core=False, version="v2beta1")
    assert found["apiVersion"] == "apidiscovery.k8s.io/v2beta1"


def test_the_root_lists_paths() -> None:
    paths = discovery.root_paths(registry())["paths"]
    assert {"/api", "/api/v1", "/apis", "/apis/nxc.dev", "/apis/nxc.dev/v1alpha1", "/openapi/v3"} <= set(
        paths
    )
    assert paths == sorted(paths)
