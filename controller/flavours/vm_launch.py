"""The start of one machine's QEMU: what it opens, as whom and where it runs, and the port that it got."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.flavours.api import BuiltImage
from controller.flavours.vm_plan import management_card, network_card
from controller.flavours.vm_record import VmRecord
from controller.model.errors import TestbedError
from controller.testbeds import console, initrd, monitor, qemu
from controller.testbeds.accelerator import Accelerator
from controller.testbeds.cgroups import Group
from controller.testbeds.process import Command, Process, start

EMULATOR_LOG = "qemu.log"
MONITOR_LIMIT = 30.0
"""Seconds until QEMU must say which port it forwards."""


@dataclass(frozen=True, slots=True)
class Launch:
    """One start. `switch`: the control directory of its network; `archives`: where joined initrds are kept."""

    record: VmRecord
    image: BuiltImage
    switch: str
    accelerator: Accelerator
    archives: Path
    group: Group


async def launch(what: Launch, directory: Path, *, lock: Path) -> Process:
    """Start QEMU in its private `directory`; it holds `lock` as long as it lives. Raises `TestbedError`, `OSError`."""
    record = what.record
    with contextlib.ExitStack() as stack:
        kernel, archive = await asyncio.to_thread(_open_files, what, stack)
        emulation = qemu.Emulation(
            name=f"{record.owner.namespace}/{record.owner.name}",
            accelerator=what.accelerator,
            memory=record.memory,
            cpus=record.cpus,
            kernel=f"/dev/fd/{kernel}",
            initrd=f"/dev/fd/{archive}",
            command_line=record.command_line,
            management_mac=management_card(record.machine).mac,
            network_mac=network_card(record.machine).mac,
            switch=what.switch,
        )
        command = Command(
            console.bounded(qemu.arguments(emulation)),
            directory,
            directory / EMULATOR_LOG,
            record.user,
            groups=_groups(what.accelerator),
            files=(kernel, archive),
            join=what.group.procs,
        )
        return await start(command, lock)


async def ssh_port(control: Path, alive: Callable[[], bool]) -> int:
    """The port of this host at which the machine's SSH answers, as QEMU's monitor tells it. Raises `TestbedError`."""
    deadline = asyncio.get_running_loop().time() + MONITOR_LIMIT
    while True:
        try:
            port = qemu.ssh_port(await monitor.tell(control, "info usernet"))
            if port is not None:
                return port
            raise TestbedError("NoPort", "QEMU forwards no port to the machine's SSH")
        except TestbedError:
            if asyncio.get_running_loop().time() > deadline or not alive():
                raise
        await asyncio.sleep(0.1)


def _open_files(what: Launch, stack: contextlib.ExitStack) -> tuple[int, int]:
    """The kernel and initrd, open: QEMU's user may read the files, but not enter the directories above."""
    boots = what.record.boots
    archives = [what.image.locate(layer) for layer in boots.initrd]
    joined = initrd.join(what.archives, initrd.name_of(boots.initrd), archives)
    opened: list[int] = []
    for file in (what.image.locate(boots.kernel), joined):
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, descriptor)
        opened.append(descriptor)
    return opened[0], opened[1]


def _groups(accelerator: Accelerator) -> tuple[int, ...]:
    """The group that may use KVM, where that is not everybody."""
    if accelerator is not Accelerator.KVM:
        return ()
    return (os.stat("/dev/kvm").st_gid,)
