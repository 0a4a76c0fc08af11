"""Replacements, and what holds for every write."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.api import MERGE_PATCH, ApiCore, Request
from controller.local.core.errors import forbidden
from controller.local.core.resources import Resource
from tests.unit.local.core.cluster import Cluster, config, widget


def test_a_replacement_must_be_of_the_latest_version(cluster: Cluster) -> None:
    old = cluster.create("widgets", widget("a", colour="red"))
    cluster.patch("widgets", "a", {"spec": {"colour": "blue"}})
    error = cluster.refused("update", "widgets", "a", body=old)
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message.endswith("please apply your changes to the latest version and try again")


def test_a_custom_resource_is_replaced_only_with_its_version(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    error = cluster.refused("update", "widgets", "a", body=widget("a"))
    assert error.message == (
        'widgets.test.example "a" is invalid: metadata.resourceVersion: Invalid value: 0: '
        "must be specified for an update"
    )
    cluster.create("configmaps", config("a"))
    assert cluster.update("configmaps", config("a", x="y"))["data"] == {"x": "y"}


def test_a_replacement_must_be_of_the_same_object(cluster: Cluster) -> None:
    cluster.create("configmaps", config("a"))
    error = cluster.refused("update", "configmaps", "a", body=config("a", {"uid": "other"}))
    assert error.code == 409
    assert "Precondition failed: UID in precondition: other, UID in object meta: uid-" in error.message
    error = cluster.refused("update", "configmaps", "a", body=config("b"))
    assert error.message == "the name of the object (b) does not match the name on the URL (a)"
    error = cluster.refused("update", "configmaps", "a", body={"metadata": {}})
    assert (
        error.message == "the name of the object (a based on URL) was undeterminable: name must be provided"
    )
    error = cluster.refused("update", "configmaps", "a", body=config("a", {"namespace": "z"}))
    assert (
        error.message
        == "the namespace of the object (z) does not match the namespace on the request (default)"
    )
    error = cluster.refused("update", "configmaps", "a", body=config("a", {"resourceVersion": "x"}))
    assert error.code == 500


def test_a_replacement_of_nothing_creates_only_what_may_be_so_created(cluster: Cluster) -> None:
    assert cluster.refused("update", "configmaps", "a", body=config("a")).code == 404
    lease = {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}}
    assert cluster.call("update", "leases", "a", body=lease).code == 201
    lease["metadata"]["resourceVersion"] = cluster.get("leases", "a")["metadata"]["resourceVersion"]
    assert cluster.call("update", "leases", "a", body=lease).code == 200


def test_writing_the_same_again_changes_nothing(cluster: Cluster) -> None:
    live = cluster.create("widgets", widget("a", {"labels": {"x": "y"}}, colour="red"))
    before = cluster.core.resource_version
    cluster.later(60)
    assert cluster.update("widgets", live) is live
    assert cluster.patch("widgets", "a", {"spec": {"colour": "red"}}) is live
    assert cluster.patch("widgets", "a", {"spec": {"size": None}}) is live
    assert cluster.patch("widgets", "a", [], "json") is live
    assert cluster.core.resource_version == before


def test_generation_counts_changes_of_the_spec_alone(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))

    def generation(**query: Any) -> int:
        return int(cluster.patch("widgets", "a", **query)["metadata"]["generation"])

    assert generation(body={"metadata": {"labels": {"a": "b"}}}) == 1
    assert generation(body={"status": {"phase": "x"}}, subresource="status") == 1
    assert generation(body={"spec": {"size": 4}}) == 2
    assert generation(body={"spec": {"size": 4}}) == 2
    assert generation(body={"metadata": {"generation": 40}}) == 2


def test_the_main_endpoint_does_not_touch_the_status(cluster: Cluster) -> None:
    assert "status" not in cluster.create("widgets", widget("a", status={"phase": "no"}))
    cluster.patch("widgets", "a", {"status": {"phase": "up"}}, subresource="status")
    live = cluster.get("widgets", "a")
    assert cluster.update("widgets", {**live, "status": {"phase": "no"}}) is live
    assert cluster.patch("widgets", "a", {"status": None}) is live
    assert cluster.patch("widgets", "a", [{"op": "remove", "path": "/status"}], "json") is live
    without = {key: value for key, value in live.items() if key != "status"}
    assert cluster.update("widgets", without)["status"] == {"phase": "up"}


@pytest.mark.parametrize("kind", ["merge", "json", "apply", "replace"])
def test_the_status_endpoint_touches_only_the_status(cluster: Cluster, kind: str) -> None:
    live = cluster.create("widgets", widget("a", {"labels": {"a": "b"}}, colour="red"))
    changed = {
        "status": {"phase": "up"},
        "spec": {"colour": "blue"},
        "metadata": {"labels": {"a": "c", "d": "e"}},
    }
    if kind == "replace":
        body = {**live, **changed, "metadata": {**live["metadata"], "finalizers": ["x/y"]}}
        after = cluster.update("widgets", body, subresource="status")
    elif kind == "json":
        operations = [{"op": "add", "path": f"/{key}", "value": changed[key]} for key in ("status", "spec")]
        after = cluster.patch("widgets", "a", operations, "json", subresource="status")
    elif kind == "apply":
        body = {**widget("a", changed["metadata"]), "status": changed["status"], "spec": changed["spec"]}
        after = cluster.patch("widgets", "a", body, "apply", subresource="status", field_manager="m")
    else:
        after = cluster.patch("widgets", "a", changed, subresource="status")
    assert after["status"] == {"phase": "up"}
    assert after["spec"] == live["spec"]
    assert after["metadata"]["labels"] == {"a": "b"}
    assert after["metadata"]["generation"] == 1
    assert "finalizers" not in after["metadata"]


def test_options_are_checked(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    merge = {"patch_type": "application/merge-patch+json", "body": {}}
    error = cluster.refused("patch", "widgets", "a", force=True, **merge)
    assert error.message == (
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    )
    error = cluster.refused("create", "widgets", body=widget("b"), field_validation="Bogus")
    assert (
        'fieldValidation: Unsupported value: "Bogus": supported values: "", "Ignore", "Strict", "Warn"'
        in (error.message)
    )


def test_admission_sees_the_new_and_the_old_and_may_refuse() -> None:
    seen: list[tuple[str, bool]] = []

    def admit(request: Request, resource: Resource, obj: dict[str, Any], live: dict[str, Any] | None) -> None:
        seen.append((obj["metadata"]["name"], live is not None))
        if obj.get("data") == {"bad": "yes"}:
            raise forbidden("", "configmaps", obj["metadata"]["name"], "bad")

    plain = Cluster()
    core = ApiCore(
        clock=lambda: plain.now, new_uid=lambda: f"u{len(seen)}", new_suffix=lambda: "x", admit=admit
    )
    plain.core = core
    core.bootstrap()
    core.settle()
    seen.clear()
    plain.create("configmaps", config("a"))
    assert plain.refused("update", "configmaps", "a", body=config("a", bad="yes")).code == 403
    assert seen == [("a", False), ("a", True)]
    assert "data" not in plain.get("configmaps", "a")


def test_immutable_config_stays_as_it_is(cluster: Cluster) -> None:
    cluster.create("configmaps", {**config("a", x="y"), "immutable": True})
    error = cluster.refused(
        "patch", "configmaps", "a", body={"data": {"x": "z"}}, patch_type="application/merge-patch+json"
    )
    assert error.message == (
        'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set'
    )


def test_null_in_labels_and_annotations_is_the_empty_text(cluster: Cluster) -> None:
    made = cluster.create("widgets", widget("a", {"annotations": {"note": None}, "labels": {}}))
    assert made["metadata"]["annotations"] == {"note": ""}
    assert "labels" not in made["metadata"]


def test_finalizers_of_nobodys_domain_are_advised_against_or_refused(cluster: Cluster) -> None:
    made = cluster.call("create", "widgets", body=widget("a", {"finalizers": ["mine", "x.io/a"]}))
    assert made.warnings == (
        (
            'metadata.finalizers: "mine": prefer a domain-qualified finalizer name to avoid accidental conflicts '
            "with other finalizer writers"
        ),
    )
    again = cluster.refused("create", "widgets", body=widget("a", {"finalizers": ["mine"]}))
    assert again.reason == "AlreadyExists"
    assert again.warnings == made.warnings, "the advice stands beside the refusal"
    patched = cluster.call("patch", "widgets", "a", body={"spec": {"size": 4}}, patch_type=MERGE_PATCH)
    assert patched.warnings == (), "of those that were there nothing is said"
    error = cluster.refused("create", "configmaps", body=config("a", {"finalizers": ["mine"]}))
    assert error.message == (
        'ConfigMap "a" is invalid: metadata.finalizers[0]: Invalid value: "mine": '
        "name is neither a standard finalizer name nor is it fully qualified"
    )


def test_nobody_owns_what_a_built_in_kind_shows_unset(cluster: Cluster) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "a"},
        "spec": {"holderIdentity": "me"},
    }
    (entry,) = cluster.create("leases", lease)["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:spec": {"f:holderIdentity": {}}}


def test_a_delete_is_dry_when_its_body_says_so(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}
    cluster.call("delete", "widgets", "a", body=options)
    assert cluster.exists("widgets", "a")
    error = cluster.refused("delete", "widgets", "a", body={**options, "dryRun": ["Some"]})
    assert 'dryRun: Unsupported value: ["Some"]: supported values: "All"' in error.message
