"""Nix processes in jails over one store: what each sees, and what is left when it is gone (nothing)."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from controller.build import configuration, disk, process
from controller.build.isolation import Isolation, identity_files
from controller.build.limits import GIB, MIB
from controller.build.system import System
from controller.testbeds.cgroups import Group

_FIRST, _LAST = 1000, 30000
"""Process numbers inside the jails; no two at one time are alike (see `jail.py`)."""


class OutOfMemory(Exception):
    """The processes used more memory than they may together."""


class Runner:
    """Starts Nix over the store below `state`.

    state/nix   appears as /nix to Nix, and belongs to its user: the store and its database
    state/work  a directory for each process: its /tmp, where builds are
    state/root  where each builds its root file system (in its own mount namespace; empty for all others)
    """

    def __init__(self, state: Path, isolation: Isolation, system: System) -> None:
        self.state, self.isolation, self.system = state, isolation, system
        self._numbers = itertools.cycle(range(_FIRST, _LAST))
        self._live: set[int] = set()

    def prepare(self) -> None:
        """Makes the directories; takes away what a controller that was killed left behind. Blocking."""
        disk.remove(self.state / "work")
        for name in ("", "nix", "nix/store", "nix/var", "nix/var/nix", "nix/var/nix/gcroots", "work", "root"):
            path = self.state / name
            path.mkdir(parents=True, exist_ok=True, mode=0o755)
            if name.startswith("nix") and self.isolation.user is not None and path.stat().st_uid == 0:
                os.chown(path, *self.isolation.user)

    async def run(
        self,
        arguments: Sequence[str],
        settings: configuration.Settings | None = None,
        *,
        seconds: float = 600,
        output: int = 64 * MIB,
        memory: int = 4 * GIB,
        processes: int = 256,
        file: int = 64 * GIB,
        address_space: bool = False,
        stdin: Iterable[bytes] | None = None,
        on_error: Callable[[bytes], None] | None = None,
        watch: Callable[[Path], Awaitable[None]] | None = None,
    ) -> process.Ended:
        """Runs one of Nix's programs. `watch` is given the directory of the process and runs alongside.

        `address_space`: hold `memory` for each process as well, as without a control group nothing else would.
        TimeIsUp, TooMuchOutput, OutOfMemory: stopped for that.
        """
        rlimits = {"FSIZE": file, "NOFILE": 4096, "MSGQUEUE": 0, "MEMLOCK": 0}
        if not self.isolation.groups.parents:
            rlimits["NPROC"] = processes
        if address_space or not self.isolation.groups.parents:
            rlimits["AS"] = memory
        async with self._place(memory, processes) as (number, work, group):
            specification = process.specification(
                arguments=[self.system.tool(arguments[0]), *arguments[1:]],
                environment=configuration.environment(settings or {}, sandbox=self.isolation.sandbox),
                binds=[
                    *self.system.binds(),
                    (str(self.state / "nix"), "/nix", "rw"),
                    (str(work), configuration.HOME, "rw"),
                ],
                root=str(self.state / "root"),
                user=self.isolation.user,
                number=number,
                cgroups=group.procs,
                rlimits=rlimits,
                links=self.system.links(),
                files=identity_files(self.isolation.user),
            )
            ended = await process.run(
                specification,
                seconds=seconds,
                output=output,
                stdin=stdin,
                on_error=on_error,
                watch=None if watch is None else watch(work),
            )
            if ended.status != 0 and group.memory_exhausted():
                raise OutOfMemory
            return ended

    @asynccontextmanager
    async def _place(self, memory: int, processes: int) -> AsyncIterator[tuple[int, Path, Group]]:
        """A number, a directory and a control group for one process."""
        number = next(number for number in self._numbers if number not in self._live)
        work = self.state / "work" / str(number)
        self._live.add(number)
        group = Group()
        try:
            work.mkdir(mode=0o700)
            if self.isolation.user is not None:
                os.chown(work, *self.isolation.user)
            if self.isolation.groups.parents:
                group = self.isolation.groups.make(
                    f"nxc-{os.getpid()}-{number}", memory=memory, processes=processes
                )
            yield number, work, group
        finally:
            group.remove()
            removal = asyncio.ensure_future(asyncio.to_thread(disk.remove, work))
            try:
                await asyncio.shield(removal)
            finally:
                self._live.discard(number)
