from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.flavours.api import Context
from controller.model.errors import TestbedError
from controller.model.kinds import NODE, Key
from controller.model.machine import Phase
from nxc_simulators.flavour import SIMULATED, SimulatedFlavour, world_on_disk
from nxc_simulators.policy import Policy
from nxc_simulators.world import World
from tests.unit.plan.make import make_testbed
from tests.unit.simulators.make import order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_every_change_of_a_machine_wakes_its_node():
    loop = asyncio.get_running_loop()
    world = World(now=loop.time, policy=Policy(stage=0.02, spread=0.0))
    woken: list[Key] = []
    flavour = SimulatedFlavour("simulated", shares_network=False, world=lambda testbed: world)
    backend = flavour.open(make_testbed(), Context("i1", woken.append, lambda: NOW))
    await backend.boot(order())
    assert woken == [Key(NODE, "lab", "web.n1")]
    await asyncio.sleep(0.2)
    assert len(woken) == 5  # the order, and four stages
    assert (await backend.machines("n1"))[0].healthy.ok
    await backend.release("n1", Key(NODE, "lab", "web.n1"))
    assert len(woken) > 5
    await backend.aclose()
    assert world.listeners == []


async def test_a_new_backend_wakes_for_machines_that_it_finds():
    loop = asyncio.get_running_loop()
    world = World(now=loop.time, policy=Policy(stage=0.02, spread=0.0))
    world.boot(order(), "simulated", NOW)
    woken: list[Key] = []
    flavour = SimulatedFlavour("simulated", shares_network=False, world=lambda testbed: world)
    backend = flavour.open(make_testbed(), Context("i1", woken.append, lambda: NOW))
    assert (await backend.machines("n1"))[0].phase is Phase.STARTING
    await asyncio.sleep(0.2)
    assert len(woken) == 4
    await backend.aclose()


async def test_a_testbed_that_does_not_answer_says_why():
    world = World(now=lambda: 0.0)
    world.set_outage("the switch is down")
    flavour = SimulatedFlavour("simulated", shares_network=False, world=lambda testbed: world)
    backend = flavour.open(make_testbed(), Context("i1", lambda key: None, lambda: NOW))
    with pytest.raises(TestbedError, match="the switch is down"):
        await backend.probe()
    await backend.aclose()


async def test_the_endpoint_names_the_file_and_the_policy(tmp_path: Path):
    path = tmp_path / "somewhere" / "lab.sqlite"
    bed = make_testbed(endpoint=f"file://{path}?stage=0.25&seed=7")
    backend = SIMULATED.open(bed, Context("i1", lambda key: None, lambda: NOW))
    assert not path.exists()  # opening does nothing yet
    await backend.probe()
    assert path.exists()
    assert world_on_disk(bed).policy == Policy(seed=7, stage=0.25, ending=0.1)
    await backend.aclose()


@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("https://example.org", "is not of the form file:///PATH"),
        ("file:///tmp/x?speed=3", "no option 'speed' \\(there are seed, stage"),
        ("file:///tmp/x?stage=fast", "stage='fast' is not a number"),
    ],
)
async def test_a_bad_endpoint_is_named(endpoint: str, message: str):
    backend = SIMULATED.open(make_testbed(endpoint=endpoint), Context("i1", lambda key: None, lambda: NOW))
    with pytest.raises(TestbedError, match=message):
        await backend.probe()
