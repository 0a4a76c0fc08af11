"""The network of a deployment: a VDE switch that only its nodes are connected to."""

from __future__ import annotations

import shutil
from pathlib import Path

from controller.testbeds.process import Command, Process, adopt, start

CONTROL, OUTPUT = "ctl", "switch.log"
PORTS = 1024


def control(directory: Path) -> Path:
    """Where machines connect: a directory with sockets."""
    return directory / CONTROL


def arguments(directory: Path, binary: str = "vde_switch") -> list[str]:
    """vde_switch(1): only who may enter the directory may connect; no management socket."""
    return [
        binary,
        *("--sock", str(control(directory))),
        *("--mode", "0600"),
        *("--dirmode", "0700"),
        *("--numports", str(PORTS)),
        *("--rcfile", "/dev/null"),
        "--daemon",
    ]


async def ensure(directory: Path, lock: Path, user: int | None) -> tuple[Process, bool]:
    """The switch of a directory, and whether it had to be started."""
    if (running := await adopt(lock)) is not None:
        return running, False
    shutil.rmtree(control(directory), ignore_errors=True)  # what a switch that was killed left
    command = Command(arguments(directory), directory, directory / OUTPUT, user, daemon=True)
    return await start(command, lock), True
