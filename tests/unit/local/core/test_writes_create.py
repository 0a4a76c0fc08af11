"""Objects are made: what the server fills in, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

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
