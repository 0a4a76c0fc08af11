from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.local.core.cluster import Cluster, Object, shown, widget, widget_definition

NAME = "widgets.test.example"
PLURAL = "customresourcedefinitions"


def conditions(cluster: Cluster, name: str = NAME) -> dict[str, tuple[str, str]]:
    found = cluster.get(PLURAL, name)["status"]["conditions"]
    return {condition["type"]: (condition["status"], condition["reason"]) for condition in found}


def with_versions(*versions: Object) -> Object:
    return widget_definition(versions=list(versions))


def version(name: str, *, served: bool = True, storage: bool = False, **fields: Any) -> Object:
    found = copy.deepcopy(widget_definition()["spec"]["versions"][0])
    found |= {"name": name, "served": served, "storage": storage}
    found["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] |= fields
    return found  # type: ignore[no-any-return]


def replaced(cluster: Cluster, definition: Object) -> Object:
    live = cluster.get(PLURAL, NAME)
    return cluster.update(PLURAL, {**live, "spec": definition["spec"]})


def test_a_definition_is_served_as_soon_as_it_is_created(cluster: Cluster) -> None:
    live = cluster.get(PLURAL, NAME)
    assert conditions(cluster) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert live["status"]["storedVersions"] == ["v1"]
    assert live["status"]["acceptedNames"] == {
        "plural": "widgets", "singular": "widget", "shortNames": ["wd"], "kind": "Widget", "listKind": "WidgetList",
    }  # fmt: skip
    assert live["spec"]["conversion"] == {"strategy": "None"}
    assert live["metadata"]["generation"] == 1
    resource = cluster.core.registry.find("test.example", "v1", "widgets")
    assert resource is not None
    assert resource.subresources == ("status",)
    assert resource.selectable_fields == ("spec.colour",)


def test_the_answer_to_a_create_is_not_yet_established() -> None:
    cluster = Cluster()
    created = cluster.create(PLURAL, widget_definition())
    assert created["status"]["conditions"] == []
    assert created["status"]["storedVersions"] == ["v1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metadata": {"name": "other.test.example"}},
            'metadata.name: Invalid value: "other.test.example": must be',
        ),
        ({"spec": {"group": "test"}}, "spec.group"),
        ({"spec": {"scope": "Galaxy"}}, 'spec.scope: Unsupported value: "Galaxy"'),
        ({"spec": {"versions": []}}, "must have exactly one version marked as storage version"),
        ({"spec": {"conversion": {"strategy": "Webhook"}}}, "spec.conversion.strategy: Forbidden"),
        ({"spec": {"names": {"plural": "Widgets", "kind": "Widget"}}}, "spec.names.plural: Invalid value"),
        (
            {"spec": {"names": {"plural": "widgets", "kind": "W", "listKind": "W"}}},
            "kind and listKind may not be",
        ),
        (
            {"spec": {"names": {"plural": "widgets", "kind": "W", "shortNames": ["W_"]}}},
            "spec.names.shortNames[0]",
        ),
        ({"spec": {"preserveUnknownFields": True}}, "spec.preserveUnknownFields"),
    ],
)
def test_a_bad_definition_is_refused_by_field(change: Object, message: str) -> None:
    body = widget_definition()
    body = {key: {**body[key], **change[key]} if key in change else body[key] for key in body}
    error = Cluster().refused("create", PLURAL, body=body)
    assert error.code == 422
    assert message in error.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": None}, "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),
        ({"storage": False}, "must have exactly one version marked as storage version"),
        ({"name": "V1"}, "spec.versions[0].name: Invalid value"),
        (
            {"additionalPrinterColumns": [{"name": "A", "type": "text", "jsonPath": ".a"}]},
            "[0].type: Invalid value",
        ),
        (
            {"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": "a"}]},
            "spec.additionalPrinterColumns[0].JSONPath: Invalid",
        ),
        (
            {"selectableFields": [{"jsonPath": ".spec.parts"}]},
            "must point to a field of type string, boolean or",
        ),
        ({"selectableFields": [{"jsonPath": ".metadata.name"}]}, "does not refer to a valid field"),
        ({"selectableFields": [{"jsonPath": "colour"}]}, "is an invalid path"),
        (
            {"selectableFields": [{"jsonPath": ".spec.colour"}] * 2},
            "selectableFields[1].jsonPath: Duplicate value",
        ),
        ({"selectableFields": [{"jsonPath": ".spec.colour"}] * 9}, "selectableFields: Too many: 9"),
    ],
)
def test_a_bad_version_is_refused_by_field(change: Object, message: str) -> None:
    error = Cluster().refused("create", PLURAL, body=with_versions({**version("v1", storage=True), **change}))
    assert error.code == 422
    assert message in error.message


def test_a_schema_that_is_not_structural_is_refused_with_its_path() -> None:
    body = with_versions(version("v1", storage=True, odd={"properties": {"x": {"type": "string"}}}))
    error = Cluster().refused("create", PLURAL, body=body)
    assert error.code == 422
    assert (
        "spec.validation.openAPIV3Schema.properties[spec].properties[odd].type: Required value"
        in error.message
    )


def test_a_rule_that_does_not_compile_is_refused_with_its_path() -> None:
    rule = {"rule": "self.nothing > 1"}
    body = with_versions(
        version("v1", storage=True, odd={"type": "object", "x-kubernetes-validations": [rule]})
    )
    error = Cluster().refused("create", PLURAL, body=body)
    assert error.code == 422
    assert "properties[odd].x-kubernetes-validations[0].rule" in error.message


def test_rules_hold_for_objects() -> None:
    cluster = Cluster()
    cluster.core.bootstrap()
    rule = {"rule": "self == oldSelf", "message": "kind is immutable"}
    text = {"type": "string", "x-kubernetes-validations": [rule]}
    cluster.create(PLURAL, with_versions(version("v1", storage=True, fixed=text)))
    cluster.create("widgets", widget("a", fixed="x"))
    cluster.patch("widgets", "a", {"spec": {"size": 9}})
    error = cluster.refused(
        "patch", "widgets", "a", body={"spec": {"fixed": "y"}}, patch_type="application/merge-patch+json"
    )
    assert (
        error.message
        == 'Widget.test.example "a" is invalid: spec.fixed: Invalid value: "y": kind is immutable'
    )


def test_a_new_schema_shows_in_live_objects_at_their_old_version(cluster: Cluster) -> None:
    before = cluster.create("widgets", widget("a", colour="red"))
    watch = cluster.watch("widgets", resource_version=str(cluster.core.resource_version))
    changed = version("v1", storage=True, shape={"type": "string", "default": "round"})
    del changed["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"]
    replaced(cluster, with_versions(changed))
    after = cluster.get("widgets", "a")
    assert after["spec"] == {"colour": "red", "shape": "round"}
    assert after["metadata"] == before["metadata"]
    assert before["spec"] == {"colour": "red", "size": 3}
    assert watch.take() == []
    assert cluster.get(PLURAL, NAME)["metadata"]["generation"] == 2


def test_versions_differ_in_name_alone(cluster: Cluster) -> None:
    replaced(cluster, with_versions(version("v1", storage=True), version("v2")))
    cluster.create("widgets", widget("a", colour="red"))
    seen = cluster.get("widgets", "a", version="v2")
    assert seen["apiVersion"] == "test.example/v2"
    assert {item["apiVersion"] for item in cluster.call("list", "widgets", version="v2").object["items"]} == {
        "test.example/v2"
    }
    watch = cluster.watch("widgets", version="v2")
    assert [event.object["apiVersion"] for event in watch.take()] == ["test.example/v2"]
    cluster.update("widgets", {**seen, "spec": {"colour": "blue"}}, version="v2")
    assert cluster.get("widgets", "a", version="v1")["spec"]["colour"] == "blue"
    assert cluster.get("widgets", "a", version="v1")["apiVersion"] == "test.example/v1"
    cluster.delete("widgets", "a", version="v2")
    assert [event.object["apiVersion"] for event in watch.take()] == ["test.example/v2"] * 2


def test_a_new_storage_version_is_remembered(cluster: Cluster) -> None:
    cluster.create("widgets", widget("old"))
    replaced(cluster, with_versions(version("v1"), version("v2", storage=True)))
    assert cluster.get(PLURAL, NAME)["status"]["storedVersions"] == ["v1", "v2"]
    cluster.create("widgets", widget("new"))
    assert cluster.get("widgets", "old")["apiVersion"] == "test.example/v1"
    assert cluster.get("widgets", "old", version="v2")["apiVersion"] == "test.example/v2"
    assert {item["apiVersion"] for item in cluster.call("list", "widgets").object["items"]} == {
        "test.example/v1"
    }
    error = cluster.refused(
        "update",
        PLURAL,
        NAME,
        body={**cluster.get(PLURAL, NAME), "spec": with_versions(version("v2", storage=True))["spec"]},
    )
    assert (
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version'
        in error.message
    )


def test_a_version_no_longer_served_is_not_found(cluster: Cluster) -> None:
    replaced(cluster, with_versions(version("v1", storage=True), version("v2")))
    replaced(cluster, with_versions(version("v1", storage=True), version("v2", served=False)))
    assert cluster.refused("list", "widgets", version="v2").code == 404
    assert cluster.names("widgets") == []


def test_deprecated_versions_warn() -> None:
    cluster = Cluster()
    cluster.core.bootstrap()
    cluster.create(PLURAL, with_versions({**version("v1", storage=True), "deprecated": True}))
    assert cluster.call("list", "widgets").warnings == ("test.example/v1 Widget is deprecated",)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"group": "other.example"}, "spec.group"), ({"scope": "Cluster"}, "spec.scope")],
)
def test_what_decides_where_objects_are_is_immutable(cluster: Cluster, change: Object, field: str) -> None:
    live = cluster.get(PLURAL, NAME)
    error = cluster.refused("update", PLURAL, NAME, body={**live, "spec": {**live["spec"], **change}})
    assert error.code == 422
    assert f"{field}: Invalid value" in error.message
    assert "field is immutable" in error.message


def other(**names: Any) -> Object:
    body = widget_definition()
    body["metadata"] = {"name": "gadgets.test.example"}
    body["spec"]["names"] = {"plural": "gadgets", "kind": "Gadget", **names}
    return body


@pytest.mark.parametrize(
    ("names", "reason", "message"),
    [
        ({"kind": "Widget", "listKind": "Gadgets"}, "KindConflict", '"Widget" is already in use'),
        ({"shortNames": ["wd"]}, "ShortNamesConflict", '"wd" is already in use'),
        ({"singular": "widget"}, "SingularConflict", '"widget" is already in use'),
        ({"listKind": "WidgetList"}, "ListKindConflict", '"WidgetList" is already in use'),
    ],
)
def test_taken_names_are_not_given_twice(cluster: Cluster, names: Object, reason: str, message: str) -> None:
    cluster.create(PLURAL, other(**names))
    found = cluster.get(PLURAL, "gadgets.test.example")["status"]["conditions"]
    assert [(c["type"], c["status"], c["reason"]) for c in found] == [
        ("NamesAccepted", "False", reason),
        ("Established", "False", "NotAccepted"),
    ]
    assert found[0]["message"] == message
    assert cluster.refused("list", "gadgets").code == 404
    # When the names are free, the definition that waits gets them.
    cluster.delete(PLURAL, NAME)
    cluster.settle()
    assert conditions(cluster, "gadgets.test.example")["Established"] == ("True", "InitialNamesAccepted")
    assert cluster.names("gadgets") == []


def test_a_definition_takes_its_objects_along(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    cluster.create("widgets", widget("held", {"finalizers": ["x/y"]}))
    watch = cluster.watch("widgets", resource_version=str(cluster.core.resource_version))
    going = cluster.delete(PLURAL, NAME)
    assert going["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert going["status"]["conditions"][-1]["reason"] == "InstanceDeletionPending"
    cluster.settle()
    assert conditions(cluster)["Terminating"] == ("True", "InstanceDeletionInProgress")
    assert cluster.names("widgets") == ["held"]
    error = cluster.refused("create", "widgets", body=widget("new"))
    assert (error.code, error.message) == (
        403,
        'widgets.test.example "new" is forbidden: create not allowed while custom resource definition is terminating',
    )
    cluster.patch("widgets", "held", {"metadata": {"finalizers": None}})
    cluster.settle()
    assert cluster.names(PLURAL) == []
    assert cluster.refused("list", "widgets").code == 404
    assert shown(watch.take()) == [("DELETED", "a"), ("MODIFIED", "held"), ("DELETED", "held")]


def test_a_definition_can_come_back(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    cluster.delete(PLURAL, NAME)
    cluster.settle()
    cluster.create(PLURAL, widget_definition())
    assert cluster.names("widgets") == []
    cluster.create("widgets", widget("a"))
    assert cluster.names("widgets") == ["a"]


def test_a_definition_is_applied_and_patched_like_any_object(cluster: Cluster) -> None:
    body = with_versions(version("v1", storage=True, shape={"type": "string"}))
    applied = cluster.patch(PLURAL, NAME, body, "apply", field_manager="kubectl", force=True)
    assert applied["metadata"]["generation"] == 2
    cluster.create("widgets", widget("a", shape="round"))
    assert cluster.get("widgets", "a")["spec"]["shape"] == "round"
    cluster.patch(PLURAL, NAME, [{"op": "add", "path": "/spec/names/shortNames/-", "value": "wdg"}], "json")
    resource = cluster.core.registry.find("test.example", "v1", "widgets")
    assert resource is not None
    assert resource.short_names == ("wd", "wdg")


def test_a_condition_keeps_its_time_until_it_changes(cluster: Cluster) -> None:
    before = cluster.get(PLURAL, NAME)["status"]["conditions"]
    cluster.later(3600)
    cluster.patch(PLURAL, NAME, {"metadata": {"labels": {"a": "b"}}})
    assert cluster.get(PLURAL, NAME)["status"]["conditions"] == before


def test_definitions_and_objects_come_back_after_a_restart(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a", colour="red"))
    kept = [
        obj for _, collection in cluster.core.storage.collections() for obj in collection.objects.values()
    ]
    again = Cluster()
    again.core.load(kept, cluster.core.resource_version)
    assert again.get("widgets", "a") == cluster.get("widgets", "a")
    assert again.core.resource_version == cluster.core.resource_version
    again.create("widgets", widget("b"))
    assert again.names("widgets") == ["a", "b"]


def test_a_removal_goes_on_after_a_restart(cluster: Cluster) -> None:
    cluster.create("widgets", widget("a"))
    cluster.delete(PLURAL, NAME)
    kept = [
        obj for _, collection in cluster.core.storage.collections() for obj in collection.objects.values()
    ]
    again = Cluster()
    again.core.load(kept, cluster.core.resource_version)
    again.settle()
    assert again.names(PLURAL) == []


def test_an_object_without_its_definition_is_no_state_to_start_from(cluster: Cluster) -> None:
    orphan = cluster.create("widgets", widget("a"))
    with pytest.raises(ValueError, match=r"the stored Widget 'a' \(test.example/v1\) belongs to no resource"):
        Cluster().core.load([orphan], 50)
