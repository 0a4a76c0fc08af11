"""Aggregated roles follow their parts; events go after an hour."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.local.core.api import ApiCore
from controller.local.core.request import Request
from controller.local.upkeep import Aggregation, expire_events

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.now = START
        numbers = itertools.count()
        self.core = ApiCore(
            clock=lambda: self.now,
            new_uid=lambda: f"uid-{next(numbers)}",
            new_suffix=lambda: f"{next(numbers):05}",
        )
        self.core.bootstrap()

    def create(self, group: str, plural: str, body: dict[str, Any], namespace: str = "") -> None:
        request = Request("create", group, "v1", plural, namespace=namespace, body=body)
        self.core.handle(request)

    def role(self, name: str, rules: list[Any], labels: dict[str, str], **more: Any) -> None:
        body = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels},
            "rules": rules,
            **more,
        }
        self.create("rbac.authorization.k8s.io", "clusterroles", body)

    def rules(self, name: str) -> list[Any]:
        request = Request("get", "rbac.authorization.k8s.io", "v1", "clusterroles", name=name)
        return self.core.handle(request).object.get("rules") or []


@pytest.fixture
def world() -> World:
    return World()


def rule(resource: str) -> dict[str, Any]:
    return {"apiGroups": [""], "resources": [resource], "verbs": ["get"]}


def test_an_aggregated_role_follows_its_parts(world: World) -> None:
    aggregation = Aggregation(world.core)
    selector = {"clusterRoleSelectors": [{"matchLabels": {"to-lab": "true"}}]}
    world.role("lab", [], {}, aggregationRule=selector)
    world.role("part", [rule("pods")], {"to-lab": "true"})
    world.role("other", [rule("secrets")], {})
    aggregation.settle()
    assert world.rules("lab") == [rule("pods")]
    world.role("another", [rule("configmaps")], {"to-lab": "true"})
    aggregation.settle()
    assert sorted(r["resources"] for r in world.rules("lab")) == [["configmaps"], ["pods"]]
    world.core.handle(Request("delete", "rbac.authorization.k8s.io", "v1", "clusterroles", name="part"))
    aggregation.settle()
    assert world.rules("lab") == [rule("configmaps")]


def test_settling_what_is_settled_writes_nothing(world: World) -> None:
    aggregation = Aggregation(world.core)
    world.role("lab", [], {}, aggregationRule={"clusterRoleSelectors": [{"matchLabels": {"to-lab": "true"}}]})
    world.role("part", [rule("pods")], {"to-lab": "true"})
    aggregation.settle()
    version = world.core.resource_version
    aggregation.settle()
    world.role("unrelated", [], {})
    aggregation.settle()
    assert world.core.resource_version == version + 1


def event(name: str, **more: Any) -> dict[str, Any]:
    about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "namespace": "default"}
    body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name}, "involvedObject": about}
    return {**body, "reason": "R", "message": "m", "type": "Normal", **more}


def test_events_go_after_an_hour_and_not_while_they_repeat(world: World) -> None:
    world.create("", "events", event("once"), "default")
    world.create("", "events", event("again", lastTimestamp="2026-11-22T12:50:00Z"), "default")
    world.now = START + timedelta(minutes=59)
    assert expire_events(world.core, world.now) == 0
    world.now = START + timedelta(minutes=61)
    assert expire_events(world.core, world.now) == 1
    left = world.core.handle(Request("list", "", "v1", "events", namespace="default")).object["items"]
    assert [item["metadata"]["name"] for item in left] == ["again"]
    world.now = START + timedelta(hours=2)
    assert expire_events(world.core, world.now) == 1
