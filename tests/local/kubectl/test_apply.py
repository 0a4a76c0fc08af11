"""kubectl apply: client side, server side, re-applied, contested."""

from __future__ import annotations

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket


def test_apply_creates_and_reapplying_the_same_changes_nothing(k: Kubectl) -> None:
    first = k("apply -f -", sprocket("w", colour="blue"))
    assert first.stdout == "sprocket.test.nxc.dev/w created\n"
    before = k.get("sprocket w")
    again = k("apply -f -", sprocket("w", colour="blue"))
    assert again.stdout == "sprocket.test.nxc.dev/w unchanged\n"
    assert k.get("sprocket w")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_apply_of_a_change_configures_and_raises_the_generation(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", colour="blue"))
    assert k("apply -f -", sprocket("w", colour="green")).stdout == "sprocket.test.nxc.dev/w configured\n"
    after = k.get("sprocket w")
    assert after["metadata"]["generation"] == 2
    assert after["spec"] == {"size": 1, "colour": "green", "replicas": 1}


def test_apply_removes_what_the_manifest_no_longer_says(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", note="old", options={"a": "1", "b": "2"}))
    k("apply -f -", sprocket("w", options={"b": "2"}))
    spec = k.get("sprocket w")["spec"]
    assert "note" not in spec
    assert spec["options"] == {"b": "2"}


def test_apply_keeps_what_others_added(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", options={"a": "1"}))
    k("annotate sprocket w by=hand")
    k("apply -f -", sprocket("w", options={"a": "2"}))
    assert k.get("sprocket w")["metadata"]["annotations"]["by"] == "hand"


def test_apply_of_several_kinds_in_one_file(k: Kubectl) -> None:
    made = k("apply -f -", [configmap("c", a="1"), sprocket("w"), sprocket("v")])
    assert made.lines == [
        "configmap/c created",
        "sprocket.test.nxc.dev/w created",
        "sprocket.test.nxc.dev/v created",
    ]


def test_apply_with_prune_deletes_what_left_the_set(k: Kubectl) -> None:
    labels = {"labels": {"set": "one"}}
    both = [configmap("a", metadata=labels), configmap("b", metadata=labels)]
    k("apply -f - -l set=one --prune --prune-allowlist=core/v1/ConfigMap", both)
    pruned = k("apply -f - -l set=one --prune --prune-allowlist=core/v1/ConfigMap", both[:1])
    assert "configmap/b pruned" in pruned.stdout
    assert not k.exists("configmap b")
    assert k.exists("configmap a")


def test_apply_merges_a_configmap_made_by_create(k: Kubectl) -> None:
    k("create configmap c --from-literal=a=1")
    warned = k("apply -f -", configmap("c", b="2"))
    assert "missing the kubectl.kubernetes.io/last-applied-configuration annotation" in warned.stderr
    assert k.get("configmap c")["data"] == {"a": "1", "b": "2"}


def test_apply_view_last_applied_and_set_last_applied(k: Kubectl) -> None:
    k("apply -f -", configmap("c", a="1"))
    assert 'a: "1"' in k("apply view-last-applied configmap c").stdout
    k("apply set-last-applied -f -", configmap("c", a="2"))
    assert 'a: "2"' in k("apply view-last-applied configmap c").stdout


def test_server_side_apply_creates_with_the_managers_name(k: Kubectl) -> None:
    done = k("apply --server-side --field-manager=alice -f -", sprocket("w", colour="blue"))
    assert done.stdout == "sprocket.test.nxc.dev/w serverside-applied\n"
    managers = k("get sprocket w -o json --show-managed-fields").json()["metadata"]["managedFields"]
    assert [(m["manager"], m["operation"], m["apiVersion"], m["fieldsType"]) for m in managers] == [
        ("alice", "Apply", "test.nxc.dev/v1", "FieldsV1")
    ]
    assert managers[0]["fieldsV1"] == {"f:spec": {"f:colour": {}, "f:size": {}}}


def test_server_side_apply_unchanged_keeps_the_resource_version(k: Kubectl) -> None:
    k("apply --server-side -f -", sprocket("w"))
    before = k.get("sprocket w")["metadata"]
    k("apply --server-side -f -", sprocket("w"))
    assert k.get("sprocket w")["metadata"] == before


def test_two_managers_conflict_over_a_field_and_force_takes_it(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", colour="blue"))
    refused = k.fails("apply --server-side --field-manager=bob -f -", sprocket("w", colour="green"))
    assert 'Apply failed with 1 conflict: conflict with "alice": .spec.colour' in refused.stderr
    assert "--force-conflicts" in refused.stderr
    assert k.get("sprocket w")["spec"]["colour"] == "blue"

    k("apply --server-side --field-manager=bob --force-conflicts -f -", sprocket("w", colour="green"))
    after = k("get sprocket w -o json --show-managed-fields").json()
    assert after["spec"]["colour"] == "green"
    owners = {m["manager"]: m["fieldsV1"]["f:spec"] for m in after["metadata"]["managedFields"]}
    assert owners == {"alice": {"f:size": {}}, "bob": {"f:colour": {}, "f:size": {}}}


def test_two_managers_conflict_over_a_configmap(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", configmap("c", a="1", b="1"))
    refused = k.fails("apply --server-side --field-manager=bob -f -", configmap("c", a="2", b="2"))
    assert 'Apply failed with 2 conflicts: conflicts with "alice":' in refused.stderr
    assert "- .data.a\n- .data.b" in refused.stderr


def test_managers_share_a_list_by_its_keys(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", parts=[{"name": "arm", "count": 2}]))
    k("apply --server-side --field-manager=bob -f -", sprocket("w", parts=[{"name": "leg", "count": 4}]))
    assert k.get("sprocket w")["spec"]["parts"] == [{"name": "arm", "count": 2}, {"name": "leg", "count": 4}]
    k("apply --server-side --field-manager=alice -f -", sprocket("w"))
    assert k.get("sprocket w")["spec"]["parts"] == [{"name": "leg", "count": 4}]


def test_managers_share_a_set(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", tags=["x", "y"]))
    k("apply --server-side --field-manager=bob -f -", sprocket("w", tags=["y", "z"]))
    assert k.get("sprocket w")["spec"]["tags"] == ["x", "y", "z"]
    k("apply --server-side --field-manager=alice -f -", sprocket("w"))
    assert k.get("sprocket w")["spec"]["tags"] == ["y", "z"]


def test_an_atomic_list_has_one_owner(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", steps=["a"]))
    refused = k.fails("apply --server-side --field-manager=bob -f -", sprocket("w", steps=["a", "b"]))
    assert 'conflict with "alice": .spec.steps' in refused.stderr


def test_a_field_that_its_only_manager_drops_is_removed(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", note="mine", colour="blue"))
    k("apply --server-side --field-manager=alice -f -", sprocket("w"))
    spec = k.get("sprocket w")["spec"]
    assert "note" not in spec
    assert spec["colour"] == "red", "a dropped field with a default takes the default again"


def test_server_side_apply_after_client_side_apply_takes_over(k: Kubectl) -> None:
    k("apply -f -", sprocket("w", note="old", colour="blue"))
    k("apply --server-side -f -", sprocket("w", colour="green"))
    after = k("get sprocket w -o json --show-managed-fields").json()
    assert after["spec"]["colour"] == "green"
    assert "note" not in after["spec"]
    owners = {m["manager"]: (m["operation"], m["fieldsV1"]) for m in after["metadata"]["managedFields"]}
    assert owners == {
        "kubectl": ("Apply", {"f:spec": {"f:colour": {}, "f:size": {}}}),
        "kubectl-last-applied": (
            "Apply",
            {"f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}}},
        ),
    }


def test_an_edit_of_an_applied_field_is_a_conflict_for_the_next_apply(k: Kubectl) -> None:
    k("apply --server-side --field-manager=alice -f -", sprocket("w", colour="blue"))
    k('patch sprocket w --type=merge -p \'{"spec":{"colour":"green"}}\'')
    refused = k.fails("apply --server-side --field-manager=alice -f -", sprocket("w", colour="blue"))
    assert 'conflict with "kubectl-patch" using test.nxc.dev/v1: .spec.colour' in refused.stderr


def test_apply_of_a_list_object(k: Kubectl) -> None:
    k("apply -f -", {"apiVersion": "v1", "kind": "List", "items": [sprocket("a"), sprocket("b")]})
    assert k("get sprockets -o name").lines == ["sprocket.test.nxc.dev/a", "sprocket.test.nxc.dev/b"]


def test_apply_of_an_unknown_kind_says_so(k: Kubectl) -> None:
    refused = k.fails("apply -f -", {**sprocket("w"), "kind": "Gizmo"})
    assert 'no matches for kind "Gizmo" in version "test.nxc.dev/v1"' in refused.stderr
    assert "ensure CRDs are installed first" in refused.stderr


def test_apply_into_a_missing_namespace_says_so(k: Kubectl) -> None:
    refused = k.fails("apply -n nowhere-at-all -f -", sprocket("w"))
    assert 'namespaces "nowhere-at-all" not found' in refused.stderr
