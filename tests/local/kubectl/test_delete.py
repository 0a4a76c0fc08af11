"""kubectl delete: finalizers, cascades, namespaces."""

from __future__ import annotations

import secrets
from typing import Any

from tests.local.kubectl.runner import Kubectl
from tests.local.scratch import configmap, sprocket

HOLD = {"finalizers": ["test.nxc.dev/hold"]}


def release(k: Kubectl, what: str) -> None:
    k(f'patch {what} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'')


def owned_by(k: Kubectl, owner: str, **more: Any) -> dict[str, Any]:
    """metadata of something that this sprocket owns."""
    parent = k.get(f"sprocket {owner}")
    reference = {
        "apiVersion": parent["apiVersion"],
        "kind": parent["kind"],
        "name": owner,
        "uid": parent["metadata"]["uid"],
        **more,
    }
    return {"ownerReferences": [reference]}


def test_delete(k: Kubectl) -> None:
    k("create -f -", [sprocket("a"), sprocket("b")])
    assert '"a" deleted' in k("delete sprocket a").stdout
    assert not k.exists("sprocket a")
    assert k.exists("sprocket b")


def test_delete_of_nothing(k: Kubectl) -> None:
    assert 'sprockets.test.nxc.dev "a" not found' in k.fails("delete sprocket a").stderr
    k("delete sprocket a --ignore-not-found")


def test_delete_all_and_by_selector(k: Kubectl) -> None:
    k("create -f -", [sprocket(n, metadata={"labels": {"n": n}}) for n in "abc"])
    k("delete sprockets -l n=a")
    assert k("get sprockets -o name").lines == ["sprocket.test.nxc.dev/b", "sprocket.test.nxc.dev/c"]
    k("delete sprockets --all")
    assert k("get sprockets -o name").stdout == ""


def test_delete_a_manifest(k: Kubectl) -> None:
    both = [sprocket("a"), configmap("c")]
    k("apply -f -", both)
    k("delete -f -", both)
    assert not k.exists("sprocket a")
    assert not k.exists("configmap c")


def test_delete_waits_for_the_finalizer(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata=HOLD))
    with k.start("delete sprocket w --timeout=30s") as deleting:
        k.until("get sprocket w -o json", lambda o: "deletionTimestamp" in o.json()["metadata"])
        held = k.get("sprocket w")["metadata"]
        assert held["deletionGracePeriodSeconds"] == 0
        assert held["generation"] == 2
        release(k, "sprocket w")
        assert deleting.ended() == 0
    assert not k.exists("sprocket w")


def test_a_held_object_can_still_change_but_gets_no_new_finalizer(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata=HOLD))
    k("delete sprocket w --wait=false")
    k('patch sprocket w --type=merge -p \'{"spec":{"size":2}}\'')
    assert k.get("sprocket w")["spec"]["size"] == 2
    more = '{"metadata":{"finalizers":["test.nxc.dev/hold","test.nxc.dev/more"]}}'
    refused = k.fails(f"patch sprocket w --type=merge -p '{more}'")
    assert "no new finalizers can be added if the object is being deleted" in refused.stderr
    release(k, "sprocket w")
    k.wait_gone("sprocket w")


def test_a_second_delete_of_a_held_object_changes_nothing(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata=HOLD))
    k("delete sprocket w --wait=false")
    before = k.get("sprocket w")["metadata"]
    k("delete sprocket w --wait=false")
    assert k.get("sprocket w")["metadata"] == before
    release(k, "sprocket w")


def test_creating_a_held_name_again_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata=HOLD))
    k("delete sprocket w --wait=false")
    refused = k.fails("create -f -", sprocket("w"))
    assert 'object is being deleted: sprockets.test.nxc.dev "w" already exists' in refused.stderr
    release(k, "sprocket w")


def test_delete_times_out_while_held(k: Kubectl) -> None:
    k("create -f -", sprocket("w", metadata=HOLD))
    assert "timed out" in k.fails("delete sprocket w --timeout=1s").stderr
    release(k, "sprocket w")


def test_background_cascade(k: Kubectl) -> None:
    k("create -f -", sprocket("parent"))
    k("create -f -", [sprocket("child", metadata=owned_by(k, "parent")), configmap("kept")])
    k("create -f -", configmap("grandchild", metadata=owned_by(k, "child")))
    k("delete sprocket parent")
    k.wait_gone("sprocket child")
    k.wait_gone("configmap grandchild")
    assert k.exists("configmap kept")


def test_foreground_cascade_keeps_the_owner_until_its_children_are_gone(k: Kubectl) -> None:
    k("create -f -", sprocket("parent"))
    k("create -f -", sprocket("child", metadata={**owned_by(k, "parent", blockOwnerDeletion=True), **HOLD}))
    k("delete sprocket parent --cascade=foreground --wait=false")
    k.until("get sprocket child -o json", lambda o: "deletionTimestamp" in o.json()["metadata"])
    parent = k.get("sprocket parent")["metadata"]
    assert parent["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in parent
    release(k, "sprocket child")
    k.wait_gone("sprocket child")
    k.wait_gone("sprocket parent")


def test_foreground_cascade_does_not_wait_for_children_that_do_not_block(k: Kubectl) -> None:
    k("create -f -", sprocket("parent"))
    k("create -f -", sprocket("child", metadata={**owned_by(k, "parent"), **HOLD}))
    k("delete sprocket parent --cascade=foreground")
    k.until("get sprocket child -o json", lambda o: "deletionTimestamp" in o.json()["metadata"])
    release(k, "sprocket child")


def test_orphaned_children_stay_without_their_owner(k: Kubectl) -> None:
    k("create -f -", sprocket("parent"))
    k(
        "create -f -",
        [sprocket("child", metadata=owned_by(k, "parent")), configmap("c", metadata=owned_by(k, "parent"))],
    )
    k("delete sprocket parent --cascade=orphan")
    k.wait_gone("sprocket parent")
    for what in ("sprocket child", "configmap c"):
        k.until(f"get {what} -o json", lambda o: "ownerReferences" not in o.json()["metadata"])
        assert k.exists(what)


def test_a_child_of_two_owners_lives_while_one_does(k: Kubectl) -> None:
    k("create -f -", [sprocket("one"), sprocket("two")])
    both = owned_by(k, "one")["ownerReferences"] + owned_by(k, "two")["ownerReferences"]
    k("create -f -", configmap("child", metadata={"ownerReferences": both}))
    k("delete sprocket one")
    k.until("get configmap child -o json", lambda o: len(o.json()["metadata"]["ownerReferences"]) == 1)
    k("delete sprocket two")
    k.wait_gone("configmap child")


def test_a_child_whose_owner_never_was_is_collected(k: Kubectl) -> None:
    ghost = {
        "apiVersion": "test.nxc.dev/v1",
        "kind": "Sprocket",
        "name": "ghost",
        "uid": "11111111-2222-3333-4444-555555555555",
    }
    k("create -f -", configmap("child", metadata={"ownerReferences": [ghost]}))
    k.wait_gone("configmap child")


def test_namespace_deletion_takes_its_contents(k: Kubectl) -> None:
    name = f"nxc-{secrets.token_hex(3)}"
    k(f"create namespace {name}")
    k(f"apply -n {name} -f -", [sprocket("w"), configmap("c"), sprocket("v")])
    assert f'namespace "{name}" deleted' in k(f"delete namespace {name} --timeout=60s").stdout
    assert not k.exists(f"namespace {name}")
    k(f"create namespace {name}")
    assert (
        k(
            f"get sprockets,configmaps -n {name} -o name --field-selector metadata.name!=kube-root-ca.crt"
        ).stdout
        == ""
    )
    k(f"delete namespace {name} --wait=false")


def test_a_namespace_waits_for_finalizers_and_says_so(k: Kubectl) -> None:
    name = f"nxc-{secrets.token_hex(3)}"
    k(f"create namespace {name}")
    k(f"create -n {name} -f -", sprocket("w", metadata=HOLD))
    k(f"delete namespace {name} --wait=false")
    phase = k.until(
        f"get namespace {name} -o jsonpath='{{.status.phase}}'", lambda o: o.stdout == "Terminating"
    )
    assert phase.stdout == "Terminating"
    refused = k.fails(f"create -n {name} -f -", sprocket("late"))
    assert (
        f"unable to create new content in namespace {name} because it is being terminated" in refused.stderr
    )
    told = k.until(
        f"get namespace {name} -o json",
        lambda o: any(
            c["type"] == "NamespaceFinalizersRemaining" and c["status"] == "True"
            for c in o.json()["status"].get("conditions", [])
        ),
    ).json()
    message = next(
        c["message"] for c in told["status"]["conditions"] if c["type"] == "NamespaceFinalizersRemaining"
    )
    assert "test.nxc.dev/hold in 1 resource instances" in message
    k(f'patch sprocket w -n {name} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'')
    k.wait_gone(f"namespace {name}")


def test_delete_with_a_precondition_of_another_uid_is_refused(k: Kubectl) -> None:
    k("create -f -", sprocket("w"))
    raw = f"/apis/test.nxc.dev/v1/namespaces/{k.namespace}/sprockets/w"
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": "11111111-2222-3333-4444-555555555555"},
    }
    refused = k.fails(f"delete --raw {raw} -f -", options)
    assert "(Conflict)" in refused.stderr
    assert (
        "the UID in the precondition (11111111-2222-3333-4444-555555555555) does not match" in refused.stderr
    )
    assert k.exists("sprocket w")


def test_the_default_namespace_cannot_go(k: Kubectl) -> None:
    refused = k.fails("delete namespace default")
    assert "forbidden: this namespace may not be deleted" in refused.stderr
