from __future__ import annotations

from typing import Any

import pytest

from controller.local.core.resources import Resource
from controller.local.core.scale_path import find, parts, problems


def resource(**scale: str) -> Resource:
    return Resource(
        group="test.example",
        version="v1",
        plural="widgets",
        singular="widget",
        kind="Widget",
        list_kind="WidgetList",
        namespaced=True,
        storage=("test.example", "widgets"),
        storage_version="test.example/v1",
        custom=True,
        scale=scale or None,
    )


SCALED = resource(specReplicasPath=".spec.replicas", statusReplicasPath=".status.replicas")


def test_a_path_leads_through_maps() -> None:
    assert parts(SCALED, "specReplicasPath") == ["spec", "replicas"]
    assert parts(SCALED, "labelSelectorPath") == []
    assert find({"spec": {"replicas": 3}}, ["spec", "replicas"]) == 3
    assert find({"spec": [3]}, ["spec", "replicas"]) is None
    assert find({"spec": 3}, []) is None


@pytest.mark.parametrize(
    ("obj", "wrong"),
    [
        ({}, []),
        ({"spec": {"replicas": 0}, "status": {"replicas": 3}}, []),
        ({"spec": {"replicas": -1}}, [".spec.replicas: Invalid value: -1: should be a non-negative integer"]),
        (
            {"spec": {"replicas": 2**31}},
            [".spec.replicas: Invalid value: 2147483648: should be less than or equal to 2147483647"],
        ),
        (
            {"spec": {"replicas": [1]}},
            [
                (
                    ".spec.replicas: Invalid value: 0: .spec.replicas accessor error: [1] is of the type "
                    "[]interface {}, expected int64"
                )
            ],
        ),
        (
            {"status": {"replicas": {"b": True, "a": None}}},
            [
                (
                    ".status.replicas: Invalid value: 0: .status.replicas accessor error: map[a:<nil> b:true] is of "
                    "the type map[string]interface {}, expected int64"
                )
            ],
        ),
    ],
)
def test_what_scale_could_not_show_is_named(obj: dict[str, Any], wrong: list[str]) -> None:
    assert [str(cause) for cause in problems(obj, SCALED)] == wrong


def test_what_is_in_the_way_of_a_path_is_named() -> None:
    selected = resource(statusReplicasPath=".status.replicas", labelSelectorPath=".status.selector")
    text = "accessor error: x is of the type string, expected map[string]interface{}"
    assert [str(cause) for cause in problems({"status": "x"}, selected)] == [
        f".status.replicas: Invalid value: 0: .status.replicas {text}",
        f'.status.selector: Invalid value: "": .status.selector {text}',
    ]
    assert problems({"status": None}, selected) == []


def test_on_status_only_the_status_is_looked_at() -> None:
    obj = {"spec": {"replicas": -1}, "status": {"replicas": -2}}
    assert [cause.field for cause in problems(obj, SCALED, "status")] == [".status.replicas"]


def test_kinds_without_scale_have_no_such_problem() -> None:
    assert problems({"spec": {"replicas": "x"}}, resource()) == []
