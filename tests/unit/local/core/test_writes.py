from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controller.local.core.api import MERGE_PATCH, STRATEGIC_MERGE_PATCH, ApiCore, Request, Result
from controller.local.core.errors import forbidden
from controller.local.core.resources import Resource
from tests.unit.local.core.cluster import Cluster, config, widget

CREATED = "2026-01-01T00:00:00Z"


def test_the_server_fills_in_what_only_it_knows(cluster: Cluster) -> None:
    sent = widget(
        "a", {"uid": "mine", "generation": 9, "creationTimestamp": "2000-01-01T00:00:00Z", "selfLink": "/x"}
    )
    metadata = cluster.create("widgets", sent)["metadata"]
    assert metadata["uid"].startswith("uid-")
    assert metadata["creationTimestamp"] == CREATED
    assert metadata["generation"] == 1
    assert metadata["namespace"] == "default"
    assert metadata["resourceVersion"] == str(cluster.core.resource_version)
    assert "selfLink" not in metadata


def test_kinds_without_a_spec_of_their_own_have_no_generation(cluster: Cluster) -> None:
    assert "generation" not in cluster.create("configmaps", config("a"))["metadata"]


def test_a_deletion_cannot_be_sent_along(cluster: Cluster) -> None:
    sent = widget("a", {"deletionTimestamp": CREATED, "deletionGracePeriodSeconds": 5})
    metadata = cluster.create("widgets", sent)["metadata"]
    assert "deletionTimestamp" not in metadata
    assert "deletionGracePeriodSeconds" not in metadata


def test_create_answers_201_and_only_once(cluster: Cluster) -> None:
    assert cluster.call("create", "widgets", body=widget("a")).code == 201
    error = cluster.refused("create", "widgets", body=widget("a"))
    assert (error.code, error.reason) == (409, "AlreadyExists")
    assert error.message == 'widgets.test.example "a" already exists'


def test_defaults_are_filled_in_and_unknown_fields_dropped(cluster: Cluster) -> None:
    result = cluster.call("create", "widgets", body=widget("a", colour="red", hue=1))
    assert result.object["spec"] == {"colour": "red", "size": 3}
    assert result.warnings == ('unknown field "spec.hue"',)


def test_strict_validation_refuses_unknown_and_double_fields(cluster: Cluster) -> None:
    body = widget("a", {"foo": "x"}, hue=1)
    error = cluster.refused(
        "create", "widgets", body=body, field_validation="Strict", duplicates=("spec.colour",)
    )
    assert error.code == 400
    assert error.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
        'duplicate field "spec.colour", unknown field "metadata.foo", unknown field "spec.hue"'
    )
    assert cluster.call("create", "widgets", body=body, field_validation="Ignore").warnings == ()


def test_warnings_stand_beside_a_refusal(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    assert cluster.refused("create", "widgets", body=widget("a", hue=1)).warnings == (
        'unknown field "spec.hue"',
    )
    assert cluster.refused("update", "widgets", "a", body=widget("a", hue=1)).warnings == (
        'unknown field "spec.hue"',
    )


def test_strict_validation_looks_at_what_a_patch_makes(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    error = cluster.refused(
        "patch", "widgets", "a", body={"spec": {"hue": 1}}, patch_type="application/merge-patch+json",
        field_validation="Strict",
    )  # fmt: skip
    assert error.code == 422
    assert 'strict decoding error: unknown field "spec.hue"' in error.message


def test_generated_names_are_unique(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster()
    body = widget("", {"generateName": "web-"})
    first, second = cluster.create("widgets", body), cluster.create("widgets", body)
    assert first["metadata"]["name"].startswith("web-")
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert first["metadata"]["generateName"] == "web-"


def test_a_taken_generated_name_is_drawn_anew(cluster: Cluster) -> None:
    drawn = iter(["same", "same", "other"])
    cluster.core.writer._new_suffix = lambda: next(drawn)
    names = [
        cluster.create("widgets", widget("", {"generateName": "w-"}))["metadata"]["name"] for _ in range(2)
    ]
    assert names == ["w-same", "w-other"]


def test_long_prefixes_leave_room_for_the_suffix(cluster: Cluster) -> None:
    name = cluster.create("widgets", widget("", {"generateName": "x" * 100}))["metadata"]["name"]
    assert len(name) == 63


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
        ({"name": "", "generateName": "A-"}, 'metadata.generateName: Invalid value: "A-"'),
        (
            {"name": "a", "labels": {"a b": "c"}},
            'metadata.labels: Invalid value: "a b": name part must consist',
        ),
        ({"name": "a", "labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": a valid label must'),
        ({"name": "a", "annotations": {"a b": "c"}}, 'metadata.annotations: Invalid value: "a b"'),
        (
            {"name": "a", "annotations": {"a": "x" * 300_000}},
            "metadata.annotations: Too long: may not be more than",
        ),
        ({"name": "a", "finalizers": ["a b"]}, 'metadata.finalizers: Invalid value: "a b"'),
        (
            {"name": "a", "finalizers": ["orphan", "foregroundDeletion"]},
            "finalizer orphan and foregroundDeletion cannot be both set",
        ),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": ""}]},
            (
                '[metadata.ownerReferences.name: Invalid value: "": must not be empty, '
                'metadata.ownerReferences.uid: Invalid value: "": must not be empty]'
            ),
        ),
        (
            {
                "name": "a",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "1"}],
            },
            "/v1, Kind=Event is disallowed from being an owner",
        ),
        (
            {
                "name": "a",
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": name, "controller": True}
                    for name in ("x", "y")
                ],
            },
            'Found "true" in references for ConfigMap/x and ConfigMap/y',
        ),
    ],
)
def test_bad_metadata_is_refused_by_field(cluster: Cluster, metadata: dict[str, Any], message: str) -> None:
    error = cluster.refused("create", "widgets", body=widget("", metadata))
    assert (error.code, error.reason) == (422, "Invalid")
    assert message in error.message
    assert error.status()["details"]["causes"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"labels": {"a": 1}},
            "cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
        ),
        (
            {"labels": []},
            "cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string",
        ),
        ({"name": 5}, "cannot unmarshal number into Go struct field ObjectMeta.name of type string"),
        (
            {"finalizers": "x"},
            "cannot unmarshal string into Go struct field ObjectMeta.finalizers of type []string",
        ),
        (
            {"finalizers": [1]},
            "cannot unmarshal number into Go struct field ObjectMeta.finalizers of type string",
        ),
        ({"ownerReferences": [1]}, "ObjectMeta.ownerReferences of type v1.OwnerReference"),
        ({"ownerReferences": [{"uid": 1}]}, "OwnerReference.ownerReferences.uid of type string"),
        ({"generation": "1"}, "ObjectMeta.generation of type int64"),
        ({"managedFields": {}}, "ObjectMeta.managedFields of type []v1.ManagedFieldsEntry"),
    ],
)
def test_metadata_of_a_wrong_type_cannot_be_read(
    cluster: Cluster, metadata: dict[str, Any], message: str
) -> None:
    error = cluster.refused("create", "widgets", body=widget("a", metadata))
    assert error.code == 400
    assert error.message.startswith(
        'Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal'
    )
    assert message in error.message


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ([1], 400, "the object provided is unrecognized (must be of type Widget)"),
        (None, 400, "the object provided is unrecognized"),
        ({"kind": "Widget"}, 400, "the API version in the data () does not match the expected API version"),
        ({"apiVersion": "test.example/v1"}, 400, "Object 'Kind' is missing"),
        (
            {"apiVersion": "test.example/v1", "kind": "Gadget"},
            422,
            'kind: Invalid value: "Gadget": must be Widget',
        ),
        (widget("a", {"namespace": "other"}), 400, "the namespace of the provided object does not match"),
        (
            widget("a", {"resourceVersion": "5"}),
            500,
            "resourceVersion should not be set on objects to be created",
        ),
        (
            widget("a", size="x"),
            422,
            'spec.size: Invalid value: "string": spec.size in body must be of type integer',
        ),
    ],
)
def test_bodies_that_are_no_widget_are_refused(cluster: Cluster, body: Any, code: int, message: str) -> None:
    error = cluster.refused("create", "widgets", body=body)
    assert error.code == code
    assert message in error.message


def test_built_in_kinds_need_no_kind_and_refuse_another(cluster: Cluster) -> None:
    created = cluster.create("configmaps", {"metadata": {"name": "a"}})
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")
    error = cluster.refused("create", "configmaps", body={"kind": "Secret", "metadata": {"name": "b"}})
    assert "cannot be handled as a ConfigMap" in error.message
    error = cluster.refused("create", "configmaps", body=config("b", a=1))  # type: ignore[arg-type]
    assert error.code == 400


def test_nothing_new_in_a_namespace_that_is_not_there(cluster: Cluster) -> None:
    error = cluster.refused("create", "widgets", body=widget("a"), namespace="nowhere")
    assert (error.code, error.message) == (404, 'namespaces "nowhere" not found')


def test_nothing_new_in_a_namespace_that_goes(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "going"}})
    cluster.create("configmaps", config("a", {"finalizers": ["x/y"]}), namespace="going")
    cluster.delete("namespaces", "going")
    error = cluster.refused("create", "configmaps", body=config("b"), namespace="going")
    assert error.code == 403
    assert error.message == (
        'configmaps "b" is forbidden: unable to create new content in namespace going '
        "because it is being terminated"
    )
    (cause,) = error.status()["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("NamespaceTerminating", "metadata.namespace")
    assert cluster.patch("configmaps", "a", {"data": {"x": "y"}}, namespace="going")["data"] == {"x": "y"}


def test_a_dry_run_answers_and_stores_nothing(cluster: Cluster) -> None:
    before = cluster.core.resource_version
    assert "resourceVersion" not in cluster.create("widgets", widget("a"), dry_run=True)["metadata"]
    assert not cluster.exists("widgets", "a")
    assert cluster.core.resource_version == before
    live = cluster.create("widgets", widget("a"))
    shown = cluster.patch("widgets", "a", {"spec": {"size": 8}}, dry_run=True)
    assert shown["spec"]["size"] == 8
    assert shown["metadata"]["generation"] == 2
    assert shown["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    assert cluster.get("widgets", "a") == live
    assert cluster.delete("widgets", "a", dry_run=True)["status"] == "Success"
    assert cluster.get("widgets", "a") == live


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
        ({"metadata": {"deletionTimestamp": CREATED}}, 422, "metadata.deletionTimestamp: Invalid value"),
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


def test_a_taken_name_beside_a_generate_name_may_be_tried_again(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    error = cluster.refused("create", "widgets", body=widget("a", {"generateName": "a-"}))
    assert error.message.endswith("the server was not able to generate a unique name for the object")
    assert error.retry_after == 1


def test_a_name_that_is_going_is_taken(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", {"finalizers": ["x.io/a"]}))
    cluster.delete("widgets", "a")
    error = cluster.refused("create", "widgets", body=widget("a"))
    assert error.message == 'object is being deleted: widgets.test.example "a" already exists'


def test_a_patch_of_a_custom_resource_may_not_forget_the_version(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    body = {"metadata": {"resourceVersion": None}}
    error = cluster.refused("patch", "widgets", "a", body=body, patch_type=MERGE_PATCH)
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in error.message


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
