"""kubectl patch, set and replace."""

from __future__ import annotations

import json
from typing import Any

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


def patch(k: Kubectl, what: str, kind: str, body: Any, more: str = "") -> str:
    return k(f"patch {what} --type={kind} -p '{json.dumps(body)}' {more}").stdout


def refused(k: Kubectl, what: str, kind: str, body: Any, more: str = "") -> str:
    return k.fails(f"patch {what} --type={kind} -p '{json.dumps(body)}' {more}").stderr


def test_merge_patch_sets_merges_and_removes(k: Kubectl) -> None:
    k("create -f -", sprocket("w", note="x", options={"a": "1", "b": "2"}, steps=["a", "b"]))
    changed = {"spec": {"note": None, "options": {"a": None, "c": "3"}, "steps": ["z"]}}
    assert patch(k, "sprocket w", "merge", changed) == "sprocket.test.nxc.dev/w patched\n"
    spec = k.get("sprocket w")["spec"]
    assert spec == {
        "size": 1,
        "colour": "red",
        "replicas": 1,
        "options": {"b": "2", "c": "3"},
        "steps": ["z"],
    }


def test_a_patch_that_changes_nothing_says_so(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    before = k.get("sprocket w")["metadata"]
    assert (
        patch(k, "sprocket w", "merge", {"spec": {"size": 1}})
        == "sprocket.test.nxc.dev/w patched (no change)\n"
    )
    assert k.get("sprocket w")["metadata"] == before


def test_json_patch_operations(k: Kubectl) -> None:
    k("create -f -", sprocket("w", steps=["a", "b", "c"]))
    patch(
        k,
        "sprocket w",
        "json",
        [
            {"op": "test", "path": "/spec/steps/0", "value": "a"},
            {"op": "add", "path": "/spec/steps/1", "value": "x"},
            {"op": "remove", "path": "/spec/steps/0"},
            {"op": "add", "path": "/spec/steps/-", "value": "end"},
            {"op": "replace", "path": "/spec/size", "value": 9},
            {"op": "add", "path": "/metadata/labels", "value": {"a/b": "c"}},
        ],
    )
    after = k.get("sprocket w")
    assert after["spec"]["steps"] == ["x", "b", "c", "end"]
    assert after["spec"]["size"] == 9
    assert after["metadata"]["labels"] == {"a/b": "c"}


def test_a_json_patch_test_that_fails_changes_nothing(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    body = [
        {"op": "test", "path": "/spec/size", "value": 5},
        {"op": "replace", "path": "/spec/size", "value": 6},
    ]
    assert "The request is invalid" in refused(k, "sprocket w", "json", body)
    assert k.get("sprocket w")["spec"]["size"] == 1


def test_a_json_patch_of_a_missing_path_fails(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    refused(k, "sprocket w", "json", [{"op": "remove", "path": "/spec/note"}])


def test_a_patch_to_an_invalid_object_names_the_field(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    said = refused(k, "sprocket w", "merge", {"spec": {"size": 0}})
    assert 'The Sprocket "w" is invalid: spec.size: Invalid value: 0' in said
    assert "should be greater than or equal to 1" in said


def test_strategic_merge_patch_on_core_kinds(k: Kubectl) -> None:
    k("create -f -", configmap("c", a="1", b="2"))
    patch(k, "configmap c", "strategic", {"data": {"a": None, "c": "3"}})
    assert k.get("configmap c")["data"] == {"b": "2", "c": "3"}
    patch(k, "configmap c", "strategic", {"metadata": {"finalizers": ["x.io/a"]}})
    patch(k, "configmap c", "strategic", {"metadata": {"finalizers": ["x.io/b"]}})
    assert sorted(k.get("configmap c")["metadata"]["finalizers"]) == ["x.io/a", "x.io/b"], "a set merges"
    patch(k, "configmap c", "strategic", {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x.io/a"]}})
    assert k.get("configmap c")["metadata"]["finalizers"] == ["x.io/b"]
    patch(k, "configmap c", "strategic", {"data": {"$patch": "replace", "only": "this"}})
    assert k.get("configmap c")["data"] == {"only": "this"}
    patch(k, "configmap c", "merge", {"metadata": {"finalizers": None}})


def test_strategic_merge_patch_of_a_list_by_key(k: Kubectl) -> None:
    k("create serviceaccount robot")
    patch(k, "serviceaccount robot", "strategic", {"secrets": [{"name": "one"}]})
    patch(k, "serviceaccount robot", "strategic", {"secrets": [{"name": "two"}]})
    names = {s["name"] for s in k.get("serviceaccount robot")["secrets"]}
    assert {"one", "two"} <= names
    patch(k, "serviceaccount robot", "strategic", {"secrets": [{"name": "one", "$patch": "delete"}]})
    names = {s["name"] for s in k.get("serviceaccount robot")["secrets"]}
    assert "one" not in names
    assert "two" in names


def test_strategic_merge_patch_is_refused_on_custom_resources(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    said = refused(k, "sprocket w", "strategic", {"spec": {"size": 2}})
    assert "application/json-patch+json, application/merge-patch+json" in said


def test_a_patch_with_a_stale_resource_version_conflicts(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    stale = k.get("sprocket w")["metadata"]["resourceVersion"]
    patch(k, "sprocket w", "merge", {"spec": {"size": 2}})
    said = refused(k, "sprocket w", "merge", {"metadata": {"resourceVersion": stale}, "spec": {"size": 3}})
    assert "(Conflict)" in said
    assert (
        "the object has been modified; please apply your changes to the latest version and try again" in said
    )


def test_patch_of_nothing_says_not_found(k: Kubectl) -> None:
    assert '(NotFound): sprockets.test.nxc.dev "w" not found' in refused(
        k, "sprocket w", "merge", {"spec": {}}
    )


def test_label_annotate_and_their_removal(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    assert k("label sprocket w app=x tier=back").stdout == "sprocket.test.nxc.dev/w labeled\n"
    assert "already has a value" in k.fails("label sprocket w app=y").stderr
    k("label sprocket w app=y --overwrite")
    assert k("label sprocket w tier-").stdout == "sprocket.test.nxc.dev/w unlabeled\n"
    k("annotate sprocket w 'note=hello world'")
    meta = k.get("sprocket w")["metadata"]
    assert meta["labels"] == {"app": "y"}
    assert meta["annotations"] == {"note": "hello world"}
    assert meta["generation"] == 1, "labels and annotations do not raise the generation"
    k("annotate sprocket w note-")
    assert "annotations" not in k.get("sprocket w")["metadata"]


def test_label_many(k: Kubectl) -> None:
    k("create -f -", [sprocket("a"), sprocket("b")])
    k("label sprockets --all app=x")
    assert len(k("get sprockets -l app=x").rows) == 2


def test_an_invalid_label_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    said = refused(k, "sprocket w", "merge", {"metadata": {"labels": {"app": "no blanks here"}}})
    assert 'metadata.labels: Invalid value: "no blanks here"' in said


def test_replace(k: Kubectl) -> None:
    k("create -f -", sprocket("w", note="old"))
    assert k("replace -f -", sprocket("w", size=3)).stdout == "sprocket.test.nxc.dev/w replaced\n"
    assert k.get("sprocket w")["spec"] == {"size": 3, "colour": "red", "replicas": 1}
    assert k.get("sprocket w")["metadata"]["generation"] == 2


def test_replace_of_nothing_is_refused(k: Kubectl) -> None:
    assert 'sprockets.test.nxc.dev "w" not found' in k.fails("replace -f -", sprocket("w")).stderr


def test_replace_with_a_stale_resource_version_conflicts(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    stale = k.get("sprocket w")
    k('patch sprocket w --type=merge -p \'{"spec":{"size":2}}\'')
    said = k.fails("replace -f -", stale).stderr
    assert "(Conflict)" in said
    assert "the object has been modified" in said


def test_replace_with_another_uid_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    other = sprocket("w", metadata={"uid": "11111111-2222-3333-4444-555555555555"})
    assert "Conflict" in k.fails("replace -f -", other).stderr


def test_replace_force_makes_a_new_object(k: Kubectl) -> None:
    k("create -f -", sprocket("w", note="old"))
    before = k.get("sprocket w")["metadata"]["uid"]
    done = k("replace --force -f -", sprocket("w", size=3))
    assert '"w" deleted' in done.stdout
    assert "sprocket.test.nxc.dev/w replaced" in done.stdout
    after = k.get("sprocket w")
    assert after["metadata"]["uid"] != before
    assert after["spec"]["size"] == 3


def test_an_immutable_field_cannot_change(k: Kubectl) -> None:
    k("create -f -", sprocket("w", serial="A-1"))
    said = refused(k, "sprocket w", "merge", {"spec": {"serial": "A-2"}})
    assert "spec.serial: Invalid value:" in said
    assert "serial is immutable" in said
    patch(k, "sprocket w", "merge", {"spec": {"size": 3}})


def test_a_rule_over_two_fields(k: Kubectl) -> None:
    k("create -f -", sprocket("w", low=1, high=5))
    assert "low must not exceed high" in refused(k, "sprocket w", "merge", {"spec": {"low": 6}})


def test_create_of_what_exists_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    said = k.fails("create -f -", sprocket("w")).stderr
    assert "(AlreadyExists)" in said
    assert 'sprockets.test.nxc.dev "w" already exists' in said


def test_status_is_apart_from_spec(k: Kubectl) -> None:
    k("create -f -", {**sprocket("w"), "status": {"phase": "Lies"}})
    assert "status" not in k.get("sprocket w"), "status is dropped at creation"
    patch(k, "sprocket w", "merge", {"status": {"phase": "Lies"}})
    assert "status" not in k.get("sprocket w"), "and from a patch of the whole"
    patch(
        k, "sprocket w", "merge", {"status": {"phase": "True"}, "spec": {"size": 7}}, "--subresource=status"
    )
    after = k.get("sprocket w")
    assert after["status"] == {"phase": "True"}
    assert after["spec"]["size"] == 1, "and spec from a patch of the status"
    assert after["metadata"]["generation"] == 1
    assert k("get sprocket w --subresource=status -o jsonpath='{.status.phase}'").stdout == "True"


def test_status_conditions_keep_their_keys_apart(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    for manager, kind in (("a", "Built"), ("b", "Ready")):
        k(
            f"apply --server-side --subresource=status --field-manager={manager} -f -",
            {
                "apiVersion": "test.nxc.dev/v1",
                "kind": "Sprocket",
                "metadata": {"name": "w"},
                "status": {"conditions": [{"type": kind, "status": "True"}]},
            },
        )
    assert [c["type"] for c in k.get("sprocket w")["status"]["conditions"]] == ["Built", "Ready"]


def test_scale(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    assert k("scale sprocket w --replicas=4").stdout == "sprocket.test.nxc.dev/w scaled\n"
    assert k.get("sprocket w")["spec"]["replicas"] == 4
    assert k.get("sprocket w")["metadata"]["generation"] == 2
    assert "Expected replicas to be 9" in k.fails("scale sprocket w --current-replicas=9 --replicas=1").stderr
    scale = k(f"get --raw /apis/test.nxc.dev/v1/namespaces/{k.namespace}/sprockets/w/scale").json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 4}
    assert scale["status"] == {"replicas": 0}
