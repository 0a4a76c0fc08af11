"""Strategic merge patch: results and refusals that were compared with a real API server."""

from typing import Any

import pytest

from controller.local.core.errors import ApiError
from controller.local.core.strategic import strategic_merge


def owner(uid: str, name: str = "o") -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "X", "name": name, "uid": uid}


def patched(metadata: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The metadata of a config map after a patch of it."""
    document = {"kind": "ConfigMap", "metadata": metadata}
    result: dict[str, Any] = strategic_merge(document, {"metadata": patch}, group="", kind="ConfigMap")[
        "metadata"
    ]
    return result


def test_maps_merge_and_null_removes() -> None:
    assert strategic_merge(
        {"data": {"k": "v", "l": "w"}}, {"data": {"k": None, "m": "n"}}, group="", kind="Secret"
    ) == {"data": {"l": "w", "m": "n"}}


@pytest.mark.parametrize(
    ("patch", "finalizers"),
    [
        ({"finalizers": ["d", "a"]}, ["d", "a", "b", "c"]),
        ({"finalizers": ["d"]}, ["d", "a", "b", "c"]),
        ({"finalizers": None}, None),
        ({"$deleteFromPrimitiveList/finalizers": ["b"]}, ["a", "c"]),
        ({"$setElementOrder/finalizers": ["c", "a"]}, ["b", "c", "a"]),
        ({"$setElementOrder/finalizers": ["d", "c"], "finalizers": ["d"]}, ["d", "a", "b", "c"]),
    ],
)
def test_finalizers_are_a_merged_set(patch: dict[str, Any], finalizers: list[str] | None) -> None:
    assert patched({"finalizers": ["a", "b", "c"]}, patch).get("finalizers") == finalizers


def test_owner_references_merge_by_uid() -> None:
    before = [owner("u1"), owner("u2")]
    result = patched(
        {"ownerReferences": before}, {"ownerReferences": [{"uid": "u2", "name": "new"}, owner("u3")]}
    )
    assert result["ownerReferences"] == [owner("u1"), owner("u2", "new"), owner("u3")]
    assert before == [owner("u1"), owner("u2")], "the argument stays as it was"


def test_a_list_item_can_be_deleted_by_directive() -> None:
    result = patched(
        {"ownerReferences": [owner("u1"), owner("u2")]},
        {"ownerReferences": [{"uid": "u1", "$patch": "delete"}]},
    )
    assert result["ownerReferences"] == [owner("u2")]


def test_a_list_can_be_replaced_by_directive() -> None:
    result = patched(
        {"ownerReferences": [owner("u1")]}, {"ownerReferences": [{"$patch": "replace"}, owner("u9")]}
    )
    assert result["ownerReferences"] == [owner("u9")]


def test_a_map_can_be_replaced_deleted_and_trimmed_by_directive() -> None:
    assert patched({"labels": {"a": "1"}}, {"labels": {"$patch": "replace", "z": "1"}}) == {
        "labels": {"z": "1"}
    }
    assert patched({"labels": {"a": "1"}}, {"labels": {"$patch": "delete"}}) == {"labels": {}}
    assert patched({"labels": {"a": "1", "b": "2"}}, {"labels": {"$retainKeys": ["b"], "b": "3"}}) == {
        "labels": {"b": "3"}
    }


def test_directives_and_nulls_do_not_end_up_in_new_fields() -> None:
    assert patched({}, {"labels": {"a": "1", "n": None, "$patch": "merge"}}) == {"labels": {"a": "1"}}


def test_lists_without_a_merge_key_are_replaced() -> None:
    document = {"rules": [{"verbs": ["get"]}]}
    patch = {"rules": [{"verbs": ["list"]}]}
    assert strategic_merge(document, patch, group="rbac.authorization.k8s.io", kind="Role") == patch


def test_service_account_secrets_merge_by_name() -> None:
    document = {"secrets": [{"name": "a"}], "imagePullSecrets": [{"name": "x"}]}
    patch = {"secrets": [{"name": "b"}], "imagePullSecrets": [{"name": "y"}]}
    result = strategic_merge(document, patch, group="", kind="ServiceAccount")
    assert result == {"secrets": [{"name": "b"}, {"name": "a"}], "imagePullSecrets": [{"name": "y"}]}


@pytest.mark.parametrize(
    ("patch", "code", "message"),
    [
        ({"labels": {"$patch": "foo"}}, 500, "unknown patch type: foo in map: map[$patch:foo]"),
        ({"labels": {"$retainKeys": ["a"], "b": "1"}}, 400, "invalid patch format of retainKeys"),
        (
            {"ownerReferences": [{"name": "n"}]},
            500,
            "map: map[name:n] does not contain declared merge key: uid",
        ),
        (
            {"$setElementOrder/finalizers": ["z"], "finalizers": ["q"]},
            500,
            "The order in patch list:\n[q]\n doesn't match $setElementOrder list:\n[z]\n",
        ),
    ],
)
def test_malformed_directives_are_refused_in_the_servers_words(
    patch: dict[str, Any], code: int, message: str
) -> None:
    with pytest.raises(ApiError) as caught:
        patched({"labels": {"a": "1"}, "ownerReferences": [owner("u1")], "finalizers": ["f"]}, patch)
    assert (caught.value.code, caught.value.message) == (code, message)


def test_custom_resources_have_no_strategic_merge_patch() -> None:
    with pytest.raises(ApiError) as caught:
        strategic_merge({}, {}, group="nxc.dev", kind="Deployment")
    assert (caught.value.code, caught.value.reason) == (415, "UnsupportedMediaType")
