from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.unit.local.core.cluster import Cluster, config, widget


@pytest.fixture
def full(cluster: Cluster) -> Cluster:
    for number in range(7):
        cluster.create(
            "widgets", widget(f"w{number}", {"labels": {"even": str(number % 2 == 0)}}, colour="red")
        )
    return cluster


def page(cluster: Cluster, **query: Any) -> tuple[list[str], dict[str, Any]]:
    answer = cluster.call("list", "widgets", **query).object
    return [item["metadata"]["name"] for item in answer["items"]], answer["metadata"]


def test_get_finds_one_object(full: Cluster) -> None:
    assert full.get("widgets", "w1")["spec"] == {"colour": "red", "size": 3}


def test_what_is_not_there_is_not_found(cluster: Cluster) -> None:
    error = cluster.refused("get", "widgets", "x")
    assert (error.code, error.message) == (404, 'widgets.test.example "x" not found')
    error = cluster.refused("get", "widgets", "x", namespace="nowhere")
    assert error.message == 'widgets.test.example "x" not found'


def test_a_list_says_its_kind_and_version(full: Cluster) -> None:
    answer = full.call("list", "widgets").object
    assert (answer["kind"], answer["apiVersion"]) == ("WidgetList", "test.example/v1")
    assert answer["metadata"]["resourceVersion"] == str(full.core.resource_version)


def test_an_absent_namespace_has_an_empty_list(cluster: Cluster) -> None:
    assert cluster.names("widgets", namespace="nowhere") == []


def test_a_list_over_all_namespaces(cluster: Cluster) -> None:
    cluster.create("namespaces", {"metadata": {"name": "other"}})
    cluster.create("configmaps", config("b"))
    cluster.create("configmaps", config("a"), namespace="other")
    assert cluster.names("configmaps", namespace="") == ["b", "a"]


def test_pages_together_are_the_list(full: Cluster) -> None:
    names, metadata = page(full, limit=3)
    assert names == ["w0", "w1", "w2"]
    assert metadata["remainingItemCount"] == 4
    seen = names
    while metadata.get("continue"):
        names, metadata = page(full, limit=3, continue_token=metadata["continue"])
        seen += names
    assert seen == [f"w{number}" for number in range(7)]
    assert "remainingItemCount" not in metadata


def test_later_pages_show_the_version_of_the_first(full: Cluster) -> None:
    _, first = page(full, limit=3)
    full.delete("widgets", "w4")
    full.patch("widgets", "w5", {"spec": {"colour": "blue"}})
    full.create("widgets", widget("w45"))
    answer = full.call("list", "widgets", continue_token=first["continue"]).object
    assert [item["metadata"]["name"] for item in answer["items"]] == ["w3", "w4", "w5", "w6"]
    assert {item["spec"]["colour"] for item in answer["items"]} == {"red"}
    assert answer["metadata"]["resourceVersion"] == first["resourceVersion"]


def test_a_token_too_old_offers_to_go_on_with_the_present(full: Cluster) -> None:
    _, first = page(full, limit=3)
    full.delete("widgets", "w4")
    full.core.storage.forget()
    error = full.refused("list", "widgets", continue_token=first["continue"])
    assert (error.code, error.reason) == (410, "Expired")
    assert error.message.startswith("The provided continue parameter is too old")
    names, metadata = page(full, continue_token=error.status()["metadata"]["continue"], limit=2)
    assert names == ["w3", "w5"]
    names, _ = page(full, continue_token=metadata["continue"])
    assert names == ["w6"]


def test_selected_pages_do_not_count_the_rest(full: Cluster) -> None:
    names, metadata = page(full, limit=2, label_selector="even=True")
    assert names == ["w0", "w2"]
    assert "remainingItemCount" not in metadata
    names, _ = page(full, limit=9, label_selector="even=True", continue_token=metadata["continue"])
    assert names == ["w4", "w6"]


def test_continue_tokens_are_those_of_the_real_server(full: Cluster) -> None:
    _, metadata = page(full, limit=1)
    token = json.loads(base64.urlsafe_b64decode(metadata["continue"] + "=="))
    assert token == {"v": "meta.k8s.io/v1", "rv": full.core.resource_version, "start": "default/w0\0"}


def encoded(token: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "zzz",
        "!!!",
        encoded([1]),
        encoded({"v": "x", "rv": 1, "start": "a"}),
        encoded({"v": "meta.k8s.io/v1"}),
    ],
)
def test_a_foreign_token_is_refused(full: Cluster, token: str) -> None:
    error = full.refused("list", "widgets", continue_token=token)
    assert error.code == 400
    assert error.message.startswith("invalid continue token: continue key is not valid")


def test_a_token_of_another_namespace_leads_out_of_no_namespace(full: Cluster) -> None:
    full.create("configmaps", config("a"), namespace="kube-system")
    _, metadata = page(full, limit=1)
    names = full.names("configmaps", namespace="kube-system", continue_token=metadata["continue"])
    assert set(names) <= set(full.names("configmaps", namespace="kube-system"))


def test_a_list_as_of_an_exact_version(full: Cluster) -> None:
    then = str(full.core.resource_version)
    full.delete("widgets", "w0")
    assert len(page(full, resource_version=then, resource_version_match="Exact")[0]) == 7
    assert len(page(full, resource_version=then, resource_version_match="NotOlderThan")[0]) == 6
    assert len(page(full, resource_version=then)[0]) == 6
    full.core.storage.forget()
    error = full.refused("list", "widgets", resource_version=then, resource_version_match="Exact")
    assert (error.code, error.message) == (410, "The resourceVersion for the provided list is too old.")


@pytest.mark.parametrize("verb", ["get", "list"])
def test_a_version_of_the_future_times_out(full: Cluster, verb: str) -> None:
    error = full.refused(verb, "widgets", "w0" if verb == "get" else "", resource_version="99999")
    assert (error.code, error.reason) == (504, "Timeout")
    assert (
        error.message == f"Timeout: Too large resource version: 99999, current: {full.core.resource_version}"
    )


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"resource_version": "abc"}, 400, 'invalid resource version: resourceVersion: Invalid value: "abc"'),
        ({"resource_version": "-1"}, 400, "invalid resource version"),
        (
            {"resource_version_match": "Exact"},
            422,
            "resourceVersionMatch is forbidden unless resourceVersion is",
        ),
        (
            {"resource_version": "0", "resource_version_match": "Exact"},
            422,
            '"exact" is forbidden for resourceVersion',
        ),
        ({"resource_version": "1", "resource_version_match": "X"}, 422, 'Unsupported value: "X"'),
        ({"send_initial_events": True}, 422, "sendInitialEvents is forbidden for list"),
        (
            {"continue_token": "x", "resource_version": "5"},
            400,
            "specifying resource version is not allowed when",
        ),
        ({"field_selector": "spec.size=3"}, 400, "field label not supported: spec.size"),
        ({"label_selector": "a b"}, 400, "unable to parse requirement"),
    ],
)
def test_a_wrong_question_is_refused(full: Cluster, query: dict[str, Any], code: int, message: str) -> None:
    error = full.refused("list", "widgets", **query)
    assert error.code == code
    assert message in error.message


def test_selectable_fields_of_a_custom_resource(full: Cluster) -> None:
    full.patch("widgets", "w3", {"spec": {"colour": "blue"}})
    assert full.names("widgets", field_selector="spec.colour=blue") == ["w3"]
    assert full.names("widgets", field_selector="metadata.name=w3") == ["w3"]
    assert full.names("widgets", field_selector="metadata.name=w3,spec.colour=red") == []
    assert full.names("widgets", field_selector="metadata.name=w3", namespace="") == ["w3"]
    assert full.names("widgets", field_selector="metadata.namespace=default", limit=1) == ["w0"]
    assert full.names("widgets", field_selector="metadata.name!=w3,spec.colour!=red") == []


def test_secrets_are_selected_by_type(cluster: Cluster) -> None:
    cluster.create("secrets", {"metadata": {"name": "a"}})
    cluster.create("secrets", {"metadata": {"name": "b"}, "type": "example.com/x"})
    assert cluster.names("secrets", field_selector="type=Opaque") == ["a"]


def test_namespaces_are_selected_by_phase(cluster: Cluster) -> None:
    assert "default" in cluster.names("namespaces", field_selector="status.phase=Active")
    assert cluster.names("namespaces", field_selector="status.phase=Terminating") == []
