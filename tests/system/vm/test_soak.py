"""Machines under random faults, NXC_SOAK_MACHINES times (`make soak`); each round is told by its seed.

A round makes a deployment with a fault in its image or none, lets something be killed at a random moment, and
deletes it at a random moment or when it stands as it must. Whatever happened: nothing is left of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from controller.model.kinds import NODE
from tests.system.vm.conftest import Site
from tests.system.vm.stage import BOOT_SECONDS, VmStage

ROUNDS, FIRST = (int(os.environ.get(name, "0")) for name in ("NXC_SOAK_MACHINES", "NXC_SOAK_FIRST"))

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not ROUNDS, reason="part of `make soak`")]

ENDS = {
    "panic": ("Stalled", "True", "RetriesExhausted"),
    "off": ("Stalled", "True", "RetriesExhausted"),
    "restart": ("Stalled", "True", "RetriesExhausted"),
    "wrong": ("Verified", "False", "WrongSystem"),
    "second": ("Verified", "False", "SecondHostKey"),
    "error": ("Verified", "False", "Unconfigured"),
    "flood": ("Ready", "True", "Ready"),
    "": ("Ready", "True", "Ready"),
}
"""Of an image's fault: the condition that its node comes to, sooner or later."""
PATIENT = {"attempts": 9}
"""What is killed by the test costs attempts as well."""


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, ROUNDS)))
async def test_whatever_happens_it_comes_true_and_leaves_nothing(
    stage: VmStage, site: Site, seed: int
) -> None:
    chance = random.Random(seed)
    mode = chance.choice([*ENDS, "", ""])
    retry = {"attempts": 1} if ENDS[mode][0] == "Stalled" else PATIENT
    await stage.tiny(mode=mode, retry=retry)
    for deed in chance.sample(deeds(stage, site), chance.choice([0, 1, 1, 2])):
        await asyncio.sleep(chance.choice([0.0, 0.3, 1.0, 3.0, 8.0]))
        await deed()
    if chance.random() < 0.3:
        await asyncio.sleep(chance.random() * 5.0)
        return  # in the middle of whatever it does; that nothing is left is the fixture's to see
    type, status, reason = ENDS[mode]
    found = await stage.node_condition(type, status, reason=reason, seconds=3 * BOOT_SECONDS)
    assert found["message"]


def deeds(stage: VmStage, site: Site) -> list[Callable[[], Awaitable[None]]]:
    """What may befall a deployment."""

    async def kill_machine() -> None:
        with suppress(AssertionError, ValueError, FileNotFoundError, ProcessLookupError):  # none there (yet)
            os.kill(await stage.pid(), signal.SIGKILL)

    async def kill_switch() -> None:
        with suppress(AssertionError, ProcessLookupError):
            os.kill(await stage.switch_pid(), signal.SIGKILL)

    async def kill_operator() -> None:
        await asyncio.to_thread(site.operator.kill)
        await asyncio.to_thread(site.operator.start)

    async def delete_node() -> None:
        if await stage.get(NODE, "web.server") is not None:
            await stage.delete(NODE, "web.server")

    return [kill_machine, kill_switch, kill_operator, delete_node]
