"""The backend's promises, with a stand-in for QEMU: real processes, locks, sockets and records, no machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.flavours import vm_machine
from controller.flavours.api import Briefing, ClientKey, Context
from controller.flavours.vm_network import Networks
from controller.flavours.vm_ramdisk import VmRamdisk, VmRamdiskBackend, at_once
from controller.model.deployment import Resources
from controller.model.errors import Blame, NxcError, TestbedError
from controller.model.information import Host
from controller.model.kinds import NODE, Key
from controller.model.machine import Machine, MachineKey, Order, Phase, Signal
from controller.model.manifest import Manifest, RoleSystem
from controller.testbeds import cgroups
from controller.testbeds.accelerator import Accelerator
from tests.unit.plan.make import make_testbed

KEY = MachineKey("inst", "3a3c5a0e-0000-4000-8000-000000000001", 1)
OWNER = Key(NODE, "lab", "web.server")
DEPLOYMENT = "dddddddd-0000-4000-8000-000000000001"
MANIFEST = Manifest(
    "vm-ramdisk",
    "x86_64-linux",
    {"server": RoleSystem("/nix/store/server", "/nix/store/server/init")},
    frozenset(),
    kernel="/nix/store/kernel",
    kernel_version="6.1",
    initrd=("/nix/store/a", "/nix/store/b"),
)


@dataclass
class Image:
    """An image in a directory."""

    directory: Path
    manifest: Manifest = MANIFEST

    def locate(self, path: str) -> Path:
        return self.directory / Path(path).name


class Reached:
    """A watch for which every node is well at once."""

    def __init__(self, target: object, client_key: object, changed: Callable[[], None]) -> None:
        self.reachable = self.healthy = Signal(True, "Good")
        self.pushed: list[tuple[str, str]] = []
        self._changed = changed

    async def run(self) -> None:
        self._changed()
        await asyncio.Event().wait()

    async def push(self, command: str, text: str, *, seconds: float) -> None:
        self.pushed.append((command, text))


class World:
    """A host with programs that stand in, and an operator's life on it that can be cut short."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.woken: list[Key] = []
        self.built: Image | None = Image(directory)
        self.backend = self.born()

    def born(self) -> VmRamdiskBackend:
        context = Context(
            "inst", self.woken.append, lambda: datetime.now(UTC), self.directory / "state", self, self
        )
        self.backend = VmRamdisk().open(make_testbed(), context)
        return self.backend

    async def again(self) -> None:
        """The operator ends, machines stay, and another one begins."""
        await self.backend.aclose()
        self.born()

    async def image(self, digest: str) -> Image | None:
        return self.built

    async def brief(self, node: Key, information: str) -> Briefing:
        return Briefing("web", "lab", (Host("server", "server", "local-1"),), ("ssh-ed25519 K",))

    async def client_key(self, node: Key) -> ClientKey:
        return ClientKey("", "")

    async def machine(self, key: MachineKey = KEY) -> Machine:
        (found,) = [m for m in await self.backend.machines(key.node) if m.key == key]
        return found

    async def until(self, check: Callable[[Machine], Any], key: MachineKey = KEY) -> Machine:
        async with asyncio.timeout(60):
            while not check(machine := await self.machine(key)):
                await asyncio.sleep(0.02)
        return machine

    def files(self) -> list[str]:
        return [str(path) for path in (self.directory / "state").rglob("*") if not path.is_dir()]


def order(mode: str = "", attempt: int = 1, node: str = KEY.node) -> Order:
    return Order(
        key=MachineKey("inst", node, attempt),
        owner=OWNER,
        deployment=DEPLOYMENT,
        digest="sha256:d",
        machine="local-1",
        role="server",
        host="server",
        image="sha256:i",
        resources=Resources(),
        kernel_parameters=(f"test.mode={mode}",) if mode else (),
        information="sha256:n",
    )


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name in ("kernel", "a", "b"):
        (tmp_path / name).write_bytes(name.encode())
    programs = tmp_path / "bin"
    programs.mkdir()
    emulator = Path(__file__).with_name("emulator.py")
    scripts = {
        "qemu-system-x86_64": f'exec {sys.executable} {emulator} "$@"',
        "vde_switch": f'mkdir -p "$2"; {sys.executable} -c "import time; time.sleep(120)" & exit 0',
    }
    for name, text in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(vm_machine, "Watch", Reached)
    monkeypatch.setattr(Networks, "_free_user", lambda self, deployment: None)
    world = World(tmp_path)
    await world.backend.probe()
    await world.backend.prepare(DEPLOYMENT)
    yield world
    await world.backend.release(KEY.node, OWNER)
    assert await world.backend.dismantle(DEPLOYMENT)
    assert world.files() == []
    await world.backend.aclose()


async def test_a_machine_comes_up_verified_reached_and_healthy(world: World) -> None:
    await world.backend.boot(order())
    machine = await world.until(lambda m: m.healthy.ok)
    assert machine.phase is Phase.RUNNING
    assert machine.address == "127.0.0.1:2222"
    assert machine.information == "sha256:n"
    assert machine.verified.ok
    assert OWNER in world.woken


async def test_a_machine_is_in_a_control_group_of_its_own_and_killed_with_it(world: World) -> None:
    groups = cgroups.find()
    if groups.unavailable:
        pytest.skip(groups.unavailable)
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    vm = world.backend._machines[KEY]
    assert vm._process is not None
    assert [path.parent for path in vm._group.directories] == list(groups.parents)
    for file in vm._group.procs:
        assert str(vm._process.pid) in (await asyncio.to_thread(Path(file).read_text)).split()
    intruder = await asyncio.create_subprocess_exec("sleep", "60")
    for file in vm._group.procs:
        await asyncio.to_thread(Path(file).write_text, str(intruder.pid))
    assert await world.backend.release(KEY.node, OWNER)
    async with asyncio.timeout(10):
        assert await intruder.wait() == -signal.SIGKILL
    assert not any(path.exists() for path in vm._group.directories)


async def test_an_order_that_is_repeated_makes_no_second_machine(world: World) -> None:
    await asyncio.gather(*(world.backend.boot(order()) for _ in range(3)))
    await world.until(lambda m: m.healthy.ok)
    await world.backend.boot(order())
    assert len(await world.backend.machines(KEY.node)) == 1
    inventory = await world.backend.inventory()
    assert [m.key for m in inventory.machines] == [KEY]
    assert inventory.networks == (DEPLOYMENT,)


async def test_a_new_operator_finds_the_machine_as_it_was(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    await world.again()
    machine = await world.until(lambda m: m.healthy.ok)
    assert machine.verified.ok
    assert machine.address == "127.0.0.1:2222"


def _edit(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


async def test_what_an_earlier_version_wrote_is_taken_up(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    await world.backend.aclose()
    for file in (world.directory / "state").rglob("*.json"):
        _edit(file, lambda value: (value.pop("version"), value.pop("refused", None)))
    world.born()
    assert (await world.until(lambda m: m.healthy.ok)).verified.ok


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("machines/*/record.json", "{", "its record cannot be used, and so it was ended: it is damaged"),
        ("machines/*/record.json", '{"version": 99}', "a later version of the operator wrote it"),
        ("attempts/*.json", '{"version": 99}', "what it was told is not on record any more"),
    ],
)
async def test_a_record_that_cannot_be_used_ends_its_machine_and_nothing_else(
    world: World, file: str, text: str, why: str
) -> None:
    other = MachineKey("inst", "9f9f9f9f-0000-4000-8000-000000000002", 1)
    for key in (KEY, other):
        await world.backend.boot(order(node=key.node))
        await world.until(lambda m: m.healthy.ok, key)
    pid = world.backend._machines[KEY]._process.pid  # type: ignore[union-attr]
    await world.backend.aclose()
    (found,) = [path for path in (world.directory / "state").rglob(file) if KEY.node in str(path)]
    found.write_text(text)
    world.born()
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert why in machine.ended
    assert machine.blame is Blame.CONTROLLER
    await asyncio.to_thread(os.waitpid, pid, 0)
    assert (await world.until(lambda m: m.healthy.ok, other)).verified.ok
    assert await world.backend.release(other.node, OWNER)


async def test_a_network_is_found_again_without_its_record(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    await world.backend.aclose()
    (record,) = (world.directory / "state").rglob("networks/*/record.json")
    record.write_text("{")
    world.born()
    assert (await world.until(lambda m: m.healthy.ok)).verified.ok
    assert (await world.backend.inventory()).networks == (DEPLOYMENT,)
    assert json.loads(record.read_text())["deployment"] == DEPLOYMENT


async def test_a_machine_that_ended_unseen_is_gone_and_not_booted_again(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    pid = world.backend._machines[KEY]._process.pid  # type: ignore[union-attr]
    await world.backend.aclose()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)
    world.born()
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert machine.ended == "QEMU ended"
    await world.backend.boot(order())
    assert (await world.machine()).phase is Phase.GONE


@pytest.mark.parametrize(
    ("mode", "why", "blame"),
    [
        ("panic", "its kernel panicked: not syncing: test", Blame.USER),
        ("refuse", "QEMU ended with 1: qemu-system-x86_64: cannot set up guest memory", Blame.TESTBED),
    ],
)
async def test_an_end_is_told_with_its_reason_and_its_token_ends(
    world: World, mode: str, why: str, blame: Blame
) -> None:
    await world.backend.boot(order(mode))
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert machine.ended == why
    assert machine.blame is blame
    assert f"fake: mode {mode}" in machine.evidence
    assert not list((world.directory / "state").rglob("attempts/*.json"))


async def test_a_machine_that_restarts_itself_comes_back_in_the_same_attempt(world: World) -> None:
    await world.backend.boot(order())
    before = await world.until(lambda m: m.healthy.ok)
    await world.backend.inform(KEY, "sha256:newer")
    vm = world.backend._machines[KEY]
    told = (vm.home.parents[1] / "attempts" / f"{KEY.node}-1.json").read_text()
    (vm.directory.parent / "restart").touch()
    await world.until(lambda m: not m.healthy.ok)
    machine = await world.until(lambda m: m.healthy.ok)
    assert machine.phase is Phase.RUNNING
    assert machine.verified.ok
    assert machine.information == "sha256:n"  # what changed since is pushed again
    assert machine.since is not None
    assert before.since is not None
    assert machine.since > before.since
    again = (vm.home.parents[1] / "attempts" / f"{KEY.node}-1.json").read_text()
    assert json.loads(again)["token"] == json.loads(told)["token"]


async def test_one_that_restarts_while_nobody_looks_is_started_again(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    vm = world.backend._machines[KEY]
    pid = vm._process.pid  # type: ignore[union-attr]
    await world.backend.aclose()
    (vm.directory.parent / "restart").touch()
    await asyncio.to_thread(os.waitpid, pid, 0)
    world.born()
    machine = await world.until(lambda m: m.healthy.ok)
    assert machine.phase is Phase.RUNNING


async def test_a_machine_that_does_nothing_but_restart_ends(world: World) -> None:
    await world.backend.boot(order("loop"))
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert machine.ended == "it restarted itself 4 times in a row without ever reporting"
    assert machine.blame is Blame.USER


async def test_a_machine_that_is_killed_is_gone_at_once(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    world.woken.clear()
    os.kill(world.backend._machines[KEY]._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert machine.ended == "QEMU was ended by signal 9"
    async with asyncio.timeout(20):  # once that is on record
        while OWNER not in world.woken:
            await asyncio.sleep(0.02)


async def test_changed_information_is_pushed_and_remembered(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    await world.backend.inform(KEY, "sha256:newer")
    assert (await world.machine()).information == "sha256:newer"
    await world.again()
    assert (await world.until(lambda m: m.healthy.ok)).information == "sha256:newer"


async def test_a_node_that_said_nothing_yet_cannot_be_told_anything(world: World) -> None:
    await world.backend.boot(order("mute"))
    await world.until(lambda m: m.phase is Phase.RUNNING)
    with pytest.raises(TestbedError, match="cannot be reached yet"):
        await world.backend.inform(KEY, "sha256:newer")


async def test_release_may_come_at_any_moment_and_twice(world: World) -> None:
    for attempt, pause in enumerate((0.0, 0.01, 0.05, 0.2, 0.5), start=1):
        await world.backend.boot(order(attempt=attempt))
        await asyncio.sleep(pause)
        assert await world.backend.release(KEY.node, OWNER)
        assert await world.backend.release(KEY.node, OWNER)
        assert await world.backend.machines(KEY.node) == []
    last = order(attempt=9)
    await world.backend.boot(last)
    await world.until(lambda m: m.healthy.ok, last.key)  # every place in the line was given back


async def test_an_order_is_taken_whole_even_if_nobody_waits_for_it(world: World) -> None:
    asked = asyncio.create_task(world.backend.boot(order()))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    async with asyncio.timeout(20):
        while not await world.backend.machines(KEY.node):
            await asyncio.sleep(0.01)
    await world.until(lambda m: m.healthy.ok)


async def test_a_network_with_machines_on_it_stays(world: World) -> None:
    await world.backend.boot(order())
    assert not await world.backend.dismantle(DEPLOYMENT)


async def test_nodes_that_boot_side_by_side_share_one_switch(world: World) -> None:
    await world.backend.dismantle(DEPLOYMENT)
    await asyncio.gather(*(world.backend.prepare(DEPLOYMENT) for _ in range(5)))
    assert world.backend._opening is not None
    network = world.backend._opening.result().networks.get(DEPLOYMENT)
    assert network is not None
    assert network.process is not None
    assert network.process.alive
    assert (network.directory / "ctl").is_dir()


async def test_a_switch_that_ends_is_started_again_and_its_machines_are_connected(world: World) -> None:
    await world.backend.boot(order())
    await world.until(lambda m: m.healthy.ok)
    assert world.backend._opening is not None
    network = world.backend._opening.result().networks.get(DEPLOYMENT)
    assert network is not None
    assert network.process is not None
    before = network.process.pid
    os.kill(before, signal.SIGKILL)
    commands = world.backend._machines[KEY].directory / "commands"
    async with asyncio.timeout(20):
        while "netdev_add" not in await asyncio.to_thread(commands.read_text):
            await asyncio.sleep(0.02)
    assert network.process.pid != before


async def test_without_its_image_nothing_is_ordered(world: World) -> None:
    world.built = None
    with pytest.raises(NxcError, match="not in the store") as raised:
        await world.backend.boot(order())
    assert raised.value.reason == "ImageMissing"
    assert await world.backend.machines(KEY.node) == []


async def test_a_layer_that_was_collected_is_named(world: World) -> None:
    (world.directory / "b").unlink()
    await world.backend.boot(order())
    machine = await world.until(lambda m: m.phase is Phase.GONE)
    assert "could not be started" in machine.ended


async def test_without_a_network_nothing_is_ordered(world: World) -> None:
    with pytest.raises(TestbedError, match="network"):
        await world.backend.boot(replace(order(), deployment="other"))


async def test_a_program_that_is_missing_is_named_with_its_package(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TestbedError, match=r"qemu-system-x86_64 is not installed.*qemu-system-x86\)"):
        await world.backend.probe()


def test_as_many_boot_at_a_time_as_the_host_can_bear() -> None:
    assert [at_once(Accelerator.TCG, n) for n in (1, 2, 16)] == [1, 2, 16]
    assert [at_once(Accelerator.KVM, n) for n in (1, 2, 16)] == [2, 4, 32]
