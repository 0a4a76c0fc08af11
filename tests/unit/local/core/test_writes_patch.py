"""Patches and server-side apply, as requests: what they change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH, Result
from tests.unit.local.core.cluster import Cluster, config, widget


def test_strict_validation_looks_at_what_a_patch_makes(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    error = cluster.refused(
        "patch", "widgets", "a", body={"spec": {"hue": 1}}, patch_type="application/merge-patch+json",
        field_validation="Strict",
    )  # fmt: skip
    assert error.code == 422
    assert 'strict decoding error: unknown field "spec.hue"' in error.message


def test_a_status_patch_takes_part_in_conflicts(cluster: Cluster) -> None:
    old = cluster.create("widgets", widget("a"))["metadata"]["resourceVersion"]
    cluster.patch("widgets", "a", {"spec": {"size": 9}})
    body = {"metadata": {"resourceVersion": old}, "status": {"phase": "x"}}
    error = cluster.refused(
        "patch", "widgets", "a", body=body, patch_type="application/merge-patch+json", subresource="status"
    )
    assert error.code == 409


def test_who_wrote_a_field_is_recorded(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", colour="red"), user_agent="kubectl/v1.32 (linux)")
    cluster.patch("widgets", "a", {"status": {"phase": "up"}}, subresource="status", field_manager="nxc")
    first, second = cluster.get("widgets", "a")["metadata"]["managedFields"]
    assert (first["manager"], first["operation"]) == ("kubectl", "Update")
    assert first["fieldsV1"]["f:spec"] == {".": {}, "f:colour": {}, "f:size": {}}
    assert (second["manager"], second["subresource"]) == ("nxc", "status")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified"),
        ({"metadata": {"uid": "1"}}, 422, 'metadata.uid: Invalid value: "1": field is immutable'),
        (
            {"metadata": {"name": "b"}},
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
        ({"metadata": {"namespace": "b"}}, 400, "the namespace of the provided object does not match"),
        (
            {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}},
            422,
            "metadata.deletionTimestamp: Invalid value",
        ),
        ({"metadata": None}, 400, "was undeterminable: name must be provided"),
        ({"metadata": "x"}, 422, "cannot unmarshal string into Go value of type v1.ObjectMeta"),
        (
            {"metadata": {"labels": {"a": 1}}},
            422,
            "cannot unmarshal number into Go struct field ObjectMeta.labels",
        ),
        ({"kind": "Z"}, 422, 'kind: Invalid value: "Z": must be Widget'),
        ({"apiVersion": "test.example/v2"}, 422, 'apiVersion: Invalid value: "test.example/v2": must be'),
        ({"spec": {"size": "x"}}, 422, "spec.size in body must be of type integer"),
        ([1], 400, "error decoding patch"),
    ],
)
def test_patches_that_make_no_sense_are_refused(cluster: Cluster, body: Any, code: int, message: str) -> None:
    live = cluster.create("widgets", widget("a"))
    error = cluster.refused("patch", "widgets", "a", body=body, patch_type="application/merge-patch+json")
    assert error.code == code
    assert message in error.message
    assert cluster.get("widgets", "a") is live


def test_a_json_patch_is_all_or_nothing(cluster: Cluster) -> None:
    live = cluster.create("widgets", widget("a", colour="red"))
    steps = [
        {"op": "replace", "path": "/spec/size", "value": 9},
        {"op": "test", "path": "/spec/colour", "value": "x"},
    ]
    error = cluster.refused("patch", "widgets", "a", body=steps, patch_type="application/json-patch+json")
    assert error.code == 422
    assert cluster.get("widgets", "a") is live
    error = cluster.refused("patch", "widgets", "a", body={}, patch_type="application/json-patch+json")
    assert error.code == 400


def test_strategic_merge_is_for_built_in_kinds(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    cluster.create("configmaps", config("a", x="y"))
    error = cluster.refused("patch", "widgets", "a", body={}, patch_type=STRATEGIC_MERGE_PATCH)
    assert error.code == 415
    assert error.message.endswith(
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )
    answer = cluster.call(
        "patch", "configmaps", "a", body={"data": {"z": "1"}}, patch_type=STRATEGIC_MERGE_PATCH
    )
    assert answer.object["data"] == {"x": "y", "z": "1"}


def test_a_patch_needs_something_to_patch(cluster: Cluster) -> None:
    error = cluster.refused("patch", "widgets", "a", body={}, patch_type="application/merge-patch+json")
    assert error.code == 404


def test_apply_creates_and_then_merges(cluster: Cluster) -> None:
    def apply(**query: Any) -> Result:
        return cluster.call("patch", "widgets", "a", patch_type="application/apply-patch+yaml", **query)

    created = apply(body=widget("a", colour="red"), field_manager="one")
    assert created.code == 201
    assert created.object["spec"] == {"colour": "red", "size": 3}
    again = apply(body=widget("a", colour="red"), field_manager="one")
    assert again.code == 200
    assert again.object is created.object
    error = cluster.refused(
        "patch", "widgets", "a", patch_type="application/apply-patch+yaml", body=widget("a", colour="blue"),
        field_manager="two",
    )  # fmt: skip
    assert (error.code, error.message) == (
        409,
        'Apply failed with 1 conflict: conflict with "one": .spec.colour',
    )
    forced = apply(body=widget("a", colour="blue"), field_manager="two", force=True)
    assert forced.object["spec"]["colour"] == "blue"
    assert forced.object["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("body", "query", "code", "message"),
    [
        (widget("a"), {}, 422, "fieldManager: Required value: is required for apply patch"),
        (
            {**widget("a"), "kind": "Z"},
            {"field_manager": "m"},
            400,
            "invalid object type: test.example/v1, Kind=Z",
        ),
        (widget("b"), {"field_manager": "m"}, 400, "the name of the object (b) does not match"),
        (
            widget("a", {"uid": "1"}),
            {"field_manager": "m"},
            409,
            "uid mismatch: the provided object specified uid 1",
        ),
        (widget("a", hue=1), {"field_manager": "m"}, 500, ".spec.hue: field not declared in schema"),
        (widget("a", {"labels": 1}), {"field_manager": "m"}, 500, ".metadata.labels: expected map, got &{1}"),
        (
            widget("a", {"namespace": "z"}),
            {"field_manager": "m"},
            400,
            "the namespace of the provided object",
        ),
        ("x", {"field_manager": "m"}, 400, "the applied configuration is not an object"),
        (widget("a"), {"field_manager": "m", "subresource": "status"}, 404, "not found"),
        (widget("a"), {"field_manager": "m" * 129}, 422, "fieldManager: Too long"),
        (widget("a"), {"field_manager": "a\nb"}, 422, "should only contain printable characters"),
    ],
)
def test_applies_that_make_no_sense_are_refused(
    cluster: Cluster, body: Any, query: dict[str, Any], code: int, message: str
) -> None:
    error = cluster.refused(
        "patch", "widgets", "a", patch_type="application/apply-patch+yaml", body=body, **query
    )
    assert error.code == code
    assert message in error.message
    assert not cluster.exists("widgets", "a")


def test_a_patch_of_a_custom_resource_may_not_forget_the_version(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    body = {"metadata": {"resourceVersion": None}}
    error = cluster.refused("patch", "widgets", "a", body=body, patch_type=MERGE_PATCH)
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in error.message
