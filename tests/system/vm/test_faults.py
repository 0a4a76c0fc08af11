"""What goes wrong with real machines: told with its reason and blame, in bounded time, and mended where it can be."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from controller.model.kinds import DEPLOYMENT
from tests.loop.stage import condition
from tests.system.vm.conftest import Site
from tests.system.vm.stage import BOOT_SECONDS, VmStage

pytestmark = pytest.mark.slow

ONCE = {"attempts": 1}


async def given_up(stage: VmStage) -> dict[str, Any]:
    """Until the only attempt has failed; the failure, as the status tells it."""
    await stage.node_condition("Stalled", reason="RetriesExhausted")
    status = (await stage.node())["status"]
    return {**status["lastFailure"], "evidence": status.get("evidence", "")}


async def test_a_machine_that_is_killed_is_started_again(stage: VmStage) -> None:
    await stage.tiny()
    await stage.ready(seconds=BOOT_SECONDS)
    os.kill(await stage.pid(), signal.SIGKILL)

    await stage.node_condition("Booted", "False", reason="MachineGone", seconds=5)
    failure = (await stage.node())["status"]["lastFailure"]
    assert failure["message"] == "QEMU was ended by signal 9"
    assert failure["blame"] == "Testbed"
    await stage.condition(DEPLOYMENT, "web", "Ready", "False", seconds=10)
    await stage.ready(seconds=BOOT_SECONDS)
    assert (await stage.node())["status"]["attempt"] == 2


@pytest.mark.parametrize(
    ("mode", "why", "said"),
    [
        ("panic", "its kernel panicked: not syncing: Attempted to kill init!", "tiny: up, mode panic"),
        ("off", "the machine shut down by itself", "tiny: up, mode off"),
    ],
)
async def test_a_machine_that_ends_shows_its_last_lines(
    stage: VmStage, mode: str, why: str, said: str
) -> None:
    await stage.tiny(mode=mode, retry=ONCE)
    failure = await given_up(stage)
    assert why in failure["message"]
    assert failure["blame"] == "User"
    assert said in failure["evidence"]

    async def told() -> bool:
        held = condition(await stage.get(DEPLOYMENT, "web"), "Ready", "False")
        return held is not None and why in held["message"]

    await stage.until("the deployment says why it is not ready", told, 15)


@pytest.mark.parametrize(
    ("mode", "reason", "told"),
    [
        ("wrong", "WrongSystem", "/nix/store/something-else"),
        ("second", "SecondHostKey", "a second host key was reported"),
        ("error", "Unconfigured", "the document is not for me"),
    ],
)
async def test_a_node_that_reports_something_else_is_not_ready(
    stage: VmStage, mode: str, reason: str, told: str
) -> None:
    await stage.tiny(mode=mode)
    verified = await stage.node_condition("Verified", "False", reason=reason)
    assert told in verified["message"]
    assert condition(await stage.node(), "Ready", "False") is not None


async def test_a_node_that_never_fetches_anything_fails_with_its_console(stage: VmStage, site: Site) -> None:
    site.operator.kill()
    site.operator.spawn(NXC_TEST_BOOT_SECONDS="20")
    try:
        await stage.tiny(mode="hang", retry=ONCE)
        failure = await given_up(stage)
        assert failure["reason"] == "BootTimeout"
        assert "it never fetched its deployment information" in failure["message"]
    finally:
        site.operator.kill()


async def test_an_image_that_is_gone_from_the_store_is_said_to_be(stage: VmStage, images: Path) -> None:
    manifest = json.loads((images / "tiny.json").read_bytes())
    manifest["kernel"] = f"/nix/store/{'0' * 32}-gone/bzImage"
    await asyncio.to_thread((images / "gone.json").write_text, json.dumps(manifest))
    await stage.tiny(image="gone", retry=ONCE)
    failure = await given_up(stage)
    assert "could not be started" in failure["message"]
    assert "gone/bzImage" in failure["message"]


@pytest.mark.parametrize("after", [0.05, 0.3, 1.0])
async def test_an_operator_that_is_killed_boots_nothing_twice(
    stage: VmStage, site: Site, after: float
) -> None:
    await stage.tiny()
    await asyncio.sleep(after)
    site.operator.kill()
    site.operator.start()
    await stage.ready(seconds=BOOT_SECONDS)
    assert (await stage.node())["status"]["attempt"] == 1
    assert len(stage.records()) == 1
    assert len(list(stage.runtime.glob("m-*"))) == 1


async def test_what_ends_while_nobody_looks_is_found_out(stage: VmStage, site: Site) -> None:
    await stage.tiny(retry=ONCE)
    await stage.node_condition("Booted")
    pid = await stage.pid()
    site.operator.kill()
    os.kill(pid, signal.SIGKILL)
    site.operator.start()
    failure = await given_up(stage)
    assert failure["message"] == "QEMU ended"


async def test_too_little_memory_is_the_users_to_mend(stage: VmStage) -> None:
    await stage.tiny(
        roles=[{"name": "server", "resources": {"memory": "56Mi"}}, {"name": "client", "count": 0}],
        retry=ONCE,
    )
    failure = await given_up(stage)
    assert failure["blame"] == "User"
