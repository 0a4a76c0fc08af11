from __future__ import annotations

import pytest

from controller.local.core import errors
from controller.local.core.errors import Cause


def test_a_missing_object_is_named_with_its_resource_and_group() -> None:
    assert errors.not_found("nxc.dev", "deployments", "web").status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'deployments.nxc.dev "web" not found',
        "reason": "NotFound",
        "details": {"name": "web", "group": "nxc.dev", "kind": "deployments"},
        "code": 404,
    }


def test_core_resources_have_no_group_in_messages() -> None:
    error = errors.already_exists("", "configmaps", "a")
    assert error.message == 'configmaps "a" already exists'
    assert error.status()["details"] == {"name": "a", "kind": "configmaps"}


def test_one_cause_stands_bare_and_several_in_brackets() -> None:
    first, second = errors.required("spec.a"), errors.invalid_value("spec.b", "x", "must be shorter")
    assert (
        errors.invalid("g", "Kind", "n", [first]).message == 'Kind.g "n" is invalid: spec.a: Required value'
    )
    both = errors.invalid("g", "Kind", "n", [first, second])
    assert (
        both.message
        == 'Kind.g "n" is invalid: [spec.a: Required value, spec.b: Invalid value: "x": must be shorter]'
    )
    assert [cause["field"] for cause in both.status()["details"]["causes"]] == ["spec.a", "spec.b"]


def test_a_cause_without_field_shows_none() -> None:
    error = errors.version_too_large(9, 3)
    assert error.message == "Timeout: Too large resource version: 9, current: 3"
    (cause,) = error.status()["details"]["causes"]
    assert cause == {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    assert error.status()["details"]["retryAfterSeconds"] == 1


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (
            errors.unsupported_value("f", "c", ["a", "b"]),
            'Unsupported value: "c": supported values: "a", "b"',
        ),
        (errors.duplicate_value("f", {"a": 1}), 'Duplicate value: {"a":1}'),
        (errors.forbidden_value("f", "no"), "Forbidden: no"),
        (errors.too_long("f", 3), "Too long: may not be more than 3 bytes"),
        (errors.too_many("f", 5, 3), "Too many: 5: must have at most 3 items"),
        (errors.required("f", "give one"), "Required value: give one"),
    ],
)
def test_causes_speak_as_the_real_server(cause: Cause, message: str) -> None:
    assert cause.message == message
    assert str(cause) == f"f: {message}"


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.conflict("", "configmaps", "a"), 409, "Conflict"),
        (errors.bad_request("no"), 400, "BadRequest"),
        (errors.unauthorized(), 401, "Unauthorized"),
        (errors.forbidden("", "secrets", "", "no"), 403, "Forbidden"),
        (errors.method_not_allowed("create", "", "x"), 405, "MethodNotAllowed"),
        (errors.not_acceptable(["a"]), 406, "NotAcceptable"),
        (errors.expired("old"), 410, "Expired"),
        (errors.gone("old"), 410, "Gone"),
        (errors.too_large(3), 413, "RequestEntityTooLarge"),
        (errors.unsupported_media_type(["a"]), 415, "UnsupportedMediaType"),
        (errors.too_many_requests("slow", 2), 429, "TooManyRequests"),
        (errors.internal("x"), 500, "InternalError"),
        (errors.service_unavailable("x"), 503, "ServiceUnavailable"),
        (errors.timeout("x"), 504, "Timeout"),
        (errors.insufficient_storage("x"), 507, "InsufficientStorage"),
    ],
)
def test_codes_and_reasons_go_together(error: errors.ApiError, code: int, reason: str) -> None:
    assert (error.status()["code"], error.status()["reason"]) == (code, reason)


def test_what_the_server_lets_through_unnamed_has_no_reason() -> None:
    assert "reason" not in errors.internal_plain("resourceVersion should not be set").status()


def test_a_conflict_says_what_to_do() -> None:
    assert errors.conflict("", "configmaps", "a").message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_forbidden_has_three_forms() -> None:
    assert errors.forbidden("", "", "", "no").message == "forbidden: no"
    assert errors.forbidden("g", "r", "", "no").message == "r.g is forbidden: no"
    assert errors.forbidden("g", "r", "n", "no").message == 'r.g "n" is forbidden: no'


def test_an_expired_list_carries_a_token_to_go_on() -> None:
    assert errors.expired("old", continue_token="abc").status()["metadata"] == {"continue": "abc"}
