"""Query parameters reach the core as the client meant them."""

from __future__ import annotations

import pytest

from controller.local.bodies import Body
from controller.local.core.errors import ApiError
from controller.local.core.request import User
from controller.local.paths import Target
from controller.local.queries import build, flag, number, optional_flag

TARGET = Target("nxc.dev", "v1alpha1", "deployments", "lab", "a")
ALICE = User("alice")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, None),
        ({"watch": "true"}, True),
        ({"watch": "1"}, True),
        ({"watch": ""}, True),
        ({"watch": "false"}, False),
        ({"watch": "False"}, False),
        ({"watch": "0"}, False),
    ],
)
def test_flags(query: dict[str, str], expected: bool | None) -> None:
    assert optional_flag(query, "watch") is expected
    assert flag(query, "watch") is (expected is True)


def test_numbers() -> None:
    assert number({"limit": "500"}, "limit") == 500
    assert number({"limit": ""}, "limit") is None
    with pytest.raises(ApiError, match="invalid syntax") as refusal:
        number({"limit": "many"}, "limit")
    assert refusal.value.code == 400


def test_a_list() -> None:
    query = {
        "labelSelector": "a=b",
        "fieldSelector": "metadata.name=x",
        "limit": "10",
        "continue": "token",
        "resourceVersion": "5",
        "resourceVersionMatch": "Exact",
        "dryRun": "nonsense that does not matter here",
    }
    request = build(TARGET, "list", query, user=ALICE)
    assert (request.label_selector, request.field_selector) == ("a=b", "metadata.name=x")
    assert (request.limit, request.continue_token) == (10, "token")
    assert (request.resource_version, request.resource_version_match) == ("5", "Exact")
    assert request.user == ALICE


def test_a_watch() -> None:
    query = {"allowWatchBookmarks": "true", "sendInitialEvents": "true"}
    request = build(TARGET, "watch", query, user=ALICE)
    assert request.allow_bookmarks
    assert request.send_initial_events is True
    assert build(TARGET, "watch", {}, user=ALICE).send_initial_events is None


def test_a_patch() -> None:
    request = build(
        TARGET,
        "patch",
        {"fieldManager": "m", "force": "true", "dryRun": "All", "fieldValidation": "Strict"},
        body=Body({"a": 1}, ("spec.x",)),
        content_type="application/merge-patch+json; charset=utf-8",
        user=ALICE,
        user_agent="kubectl/v1",
    )
    assert request.patch_type == "application/merge-patch+json"
    assert (request.field_manager, request.force, request.dry_run) == ("m", True, True)
    assert (request.body, request.duplicates, request.field_validation) == ({"a": 1}, ("spec.x",), "Strict")
    assert request.user_agent == "kubectl/v1"


def test_a_delete() -> None:
    query = {"propagationPolicy": "Foreground", "gracePeriodSeconds": "0", "orphanDependents": "false"}
    request = build(TARGET, "delete", query, body=Body(None), user=ALICE)
    assert request.propagation_policy == "Foreground"
    assert request.grace_period_seconds == 0
    assert request.orphan_dependents is False


def test_a_dry_run_of_a_kind_that_is_not_is_refused() -> None:
    with pytest.raises(ApiError, match=r'Unsupported value: .*"Some".*: supported values: "All"') as refusal:
        build(TARGET, "create", {"dryRun": "Some"}, body=Body({}), user=ALICE)
    assert refusal.value.code == 422
