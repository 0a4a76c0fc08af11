"""A deployment changes its flavour, and the operator dies meanwhile: nothing is lost, nothing is left."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import pytest

from controller.model.kinds import DEPLOYMENT, NODE, TESTBED
from nxc_simulators.policy import Policy
from nxc_simulators.world import World
from tests.scenarios.stage import Stage
from tests.scenarios.test_golden import PAIR

FARM: Mapping[str, object] = {"kind": "simulated", "default": True, "allowedNamespaces": {"from": "All"}}
MOMENTS = (0.01, 0.05, 0.98, 1.0, 1.015, 1.03, 1.06, 1.5)
"""Seconds after the edit: the image is built after one, then the nodes change places."""


def perform(story: Callable[[Stage], Awaitable[None]]) -> None:
    """A story in which there may be a second testbed, in another world."""
    stage = Stage(story)
    stage.worlds["farm"] = World(now=stage.loop.time, policy=Policy(stage=2.0, spread=0.0))
    stage.invariants.attend(stage.worlds)
    result = stage.perform()
    assert not result.violations, result.violations


async def killed_while_it_moves(stage: Stage, at: float) -> None:
    """From Ready, through the edit and the operator's death `at` seconds after it, until all is quiet."""
    await stage.until_ready()
    stage.edit(DEPLOYMENT, "web", flavour="simulated-fast")
    await asyncio.sleep(at)
    stage.kill_operators()
    await asyncio.sleep(5.0)
    await stage.until_ready()
    await asyncio.sleep(120.0)


def moved(stage: Stage, testbed: str) -> None:
    """Every host is where it belongs, once; nothing of the old flavour is left anywhere."""
    nodes = {n["spec"]["host"]: (n["spec"]["flavour"], n["spec"]["testbed"]) for n in stage.cluster.all(NODE)}
    assert nodes == dict.fromkeys(("server", "client1", "client2"), ("simulated-fast", testbed))
    records = [(name, record) for name, world in stage.worlds.items() for record in world.records()]
    assert [(name, record.flavour) for name, record in records] == [(testbed, "simulated-fast")] * 3
    released = Counter(
        deed.subject for world in stage.worlds.values() for deed in world.journal if deed.verb == "release"
    )
    assert len(released) == 3
    assert set(released.values()) == {1}
    assert [network for world in stage.worlds.values() for network in world.networks()] == []


@pytest.mark.parametrize("policy", ["Recreate", "RollingUpdate"])
@pytest.mark.parametrize("at", MOMENTS)
def test_on_one_testbed_whenever_the_operator_dies(policy: str, at: float) -> None:
    async def story(stage: Stage) -> None:
        stage.testbed(capacity={"nodes": 3})
        stage.composition()
        stage.deployment(roles=PAIR, update={"policy": policy})
        await killed_while_it_moves(stage, at)
        moved(stage, "local")

    perform(story)


@pytest.mark.parametrize("at", MOMENTS)
def test_to_the_testbed_that_serves_the_flavour_whenever_the_operator_dies(at: float) -> None:
    async def story(stage: Stage) -> None:
        stage.testbed(flavours=["simulated"])
        stage.make(TESTBED, "farm", {**FARM, "flavours": ["simulated-fast"]})
        stage.composition()
        stage.deployment(roles=PAIR)
        await killed_while_it_moves(stage, at)
        moved(stage, "farm")

    perform(story)


def test_a_testbed_that_is_named_and_cannot_carry_the_flavour_is_refused_and_nothing_changes() -> None:
    async def story(stage: Stage) -> None:
        stage.testbed(flavours=["simulated"])
        stage.make(TESTBED, "farm", {**FARM, "flavours": ["simulated-fast"]})
        stage.composition()
        stage.deployment(roles=PAIR, testbedRef={"name": "local"})
        await stage.until_ready()
        stage.edit(DEPLOYMENT, "web", flavour="simulated-fast")
        await stage.until("it is refused", lambda: bool(stage.condition(DEPLOYMENT, "web", "Stalled")))
        await asyncio.sleep(60.0)
        assert stage.condition(DEPLOYMENT, "web", "Stalled")["message"] == (
            "spec.testbedRef: testbed 'local' (kind simulated) does not serve flavour 'simulated-fast': "
            "name one that does (farm)"
        )
        assert [record.flavour for record in stage.world.records()] == ["simulated"] * 3
        stage.edit(DEPLOYMENT, "web", testbedRef={"name": "farm"})
        await asyncio.sleep(5.0)
        await stage.until_ready()
        await asyncio.sleep(120.0)
        moved(stage, "farm")

    perform(story)
