"""Nodes as their objects show them: one that comes back, one that was replaced."""

from __future__ import annotations

import pytest

from controller.driver.fleet import Diagnosis, NodeFleet
from controller.driver.target import target_of
from controller.model.errors import Blame
from controller.model.node import Node
from tests.unit.driver.test_target import KEY, make

OTHER_KEY = KEY.replace("IlbX", "ZZZZ")


def booted(attempt: int, key: str) -> Node:
    return make(
        "server", "server", attempt={"number": attempt, "startedAt": "2026-01-01T00:00:00Z"}, hostKey=key
    )


@pytest.mark.parametrize("after", [booted(1, OTHER_KEY), booted(2, OTHER_KEY)], ids=["itself", "replaced"])
async def test_a_node_that_went_down_is_found_when_it_is_back(after: Node) -> None:
    before = booted(1, KEY)
    status = iter([before, booted(1, ""), after])

    async def look(_: str) -> Node | None:
        return next(status)

    target = await NodeFleet(look).find("server", not_boot=target_of(before).boot, tell=lambda _: None)
    assert target.host_key == OTHER_KEY


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (booted(1, ""), "it restarted itself"),
        (booted(1, OTHER_KEY), "it restarted itself"),
        (booted(2, ""), "the controller restarted it: what it boots has changed"),
    ],
)
async def test_why_a_node_broke_off(after: Node, says: str) -> None:
    async def look(_: str) -> Node | None:
        return after

    found = await NodeFleet(look).diagnose(target_of(booted(1, KEY)))
    assert found == Diagnosis(says, Blame.USER)
