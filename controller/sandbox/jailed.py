"""One test script in a jail: an unprivileged user and namespaces of its own, limits, and the way to its nodes.

The jail is that of builds (`controller.build.jail`). It sees Python, the driver, `/tmp` in memory, and a UNIX
socket for each node of its deployment; the script, the key and what becomes of the nodes come by standard
input, so that no file holds a key. It dies with the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.build import process
from controller.build.isolation import own_user, probe
from controller.build.limits import MIB, duration, size
from controller.build.log import plain
from controller.build.system import System
from controller.model.errors import Blame, NxcError
from controller.model.trial import LOG_LIMIT, Finding, TrialState
from controller.sandbox.api import Order
from controller.sandbox.interpreter import interpreter
from controller.sandbox.news import News, begun, finding
from controller.sandbox.relay import relays
from controller.testbeds.cgroups import Group, Groups, find

USER, USER_NAME = 59912, "nxc-test"
"""The uid of test scripts where no system user of the name exists; another one than Nix's, whose store it is."""
MODULE = "controller.driver.inside"
_NODES = "/nodes"
_GRACE = 30.0
"""Seconds beyond a script's time in which the program should have ended it."""
_ANSWER = 1 * MIB
_NUMBER = 1000
_LEAVING = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one trial. `log` bounds all that it prints; `cpu` the processor time of each of its processes, in seconds."""

    seconds: float = 3600
    memory: int = 512 * MIB
    processes: int = 64
    log: int = 16 * MIB
    scratch: int = 64 * MIB
    cpu: int = 900


class TooLong(Exception):
    """The log has become longer than it may."""


class Jailed:
    """Runs trials below `state`: a directory for each, with the sockets to its nodes."""

    def __init__(self, state: Path, *, trusted: bool, limits: Limits | None = None) -> None:
        self._state, self._trusted, self._limits = state, trusted, limits or Limits()
        self._place: _Place | None = None
        self._probing = asyncio.Lock()

    async def open(self) -> None:
        """End what is left of a controller that was killed: directories and control groups; processes died with it."""
        if self._state.is_dir():
            await asyncio.to_thread(shutil.rmtree, self._state, ignore_errors=True)
            deadline = asyncio.get_running_loop().time() + _LEAVING
            while _sweep(find(), self.group("*")) and asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.1)

    async def play(self, order: Order, news: News) -> Finding:
        """See `controller.sandbox.trials.Player`."""
        try:
            place = await self._probe()
        except NxcError as error:
            return Finding(TrialState.UNAVAILABLE, _instead(error.message, order))
        try:
            key = await order.private_key()
        except NxcError as error:
            return Finding(TrialState.BROKEN, f"the deployment's key: {error.message}", error.blame)
        log = Log(self._limits.log)
        try:
            with self._room(place, order.uid) as (directory, group):
                nodes = directory / "nodes"
                async with relays(nodes, news.nodes, lambda host: news.nodes.get(host), owner=place.user):
                    try:
                        return await self._run(place, directory, group, order, key, news, log)
                    finally:
                        news.close()
        except OSError as error:
            why = f"{error.filename or 'the sandbox'}: {error.strerror or error}"
            return Finding(TrialState.BROKEN, why, Blame.CONTROLLER)

    async def _run(
        self, place: _Place, directory: Path, group: Group, order: Order, key: str, news: News, log: Log
    ) -> Finding:
        limits, python = self._limits, place.python
        specification = process.specification(
            arguments=python.command(MODULE),
            environment=python.environment,
            binds=[*place.system.binds(), *python.binds, (str(directory / "nodes"), _NODES, "ro")],
            root=str(directory / "root"),
            user=place.user,
            number=_NUMBER,
            cgroups=group.procs,
            rlimits=self._rlimits(place),
            links=place.system.links(),
            files=_identity(place.user),
            scratch={"/tmp": limits.scratch},  # noqa: S108  the jail's own
            loopback=True,
        )
        try:
            ended = await process.run(
                specification,
                seconds=limits.seconds + _GRACE,
                output=_ANSWER,
                stdin=news.order(script=order.script, key=key, seconds=limits.seconds),
                on_error=log.add,
            )
        except process.NotStarted as error:
            return Finding(TrialState.UNAVAILABLE, _instead(error.message, order))
        except process.TimeIsUp:
            took = (
                f"the script took longer than {duration(limits.seconds)}, and did not end when it was told to"
            )
            return Finding(TrialState.FAILED, took, Blame.USER, log=log.tail())
        except (process.TooMuchOutput, TooLong):
            much = f"the script printed more than {size(limits.log)}"
            return Finding(TrialState.FAILED, much, Blame.USER, log=log.tail())
        return self._judge(ended, group, log.tail())

    def _judge(self, ended: process.Ended, group: Group, log: str) -> Finding:
        found = finding(ended.output, log)
        if found is not None:
            return found
        if group.memory_exhausted():
            more = f"the script used more than {size(self._limits.memory)} of memory"
            return Finding(TrialState.FAILED, more, Blame.USER, log=log)
        if begun(ended.output):
            why = f"the script ended the process that it runs in, with status {ended.status}"
            return Finding(TrialState.FAILED, why, Blame.USER, log=log)
        why = f"the driver could not be started (status {ended.status}): {log[-500:].strip()}"
        return Finding(TrialState.BROKEN, why, Blame.CONTROLLER, log=log)

    def _rlimits(self, place: _Place) -> dict[str, int]:
        limits = self._limits
        found = {
            "FSIZE": limits.scratch,
            "NOFILE": 4096,
            "CPU": limits.cpu,
            "MSGQUEUE": 0,
            "MEMLOCK": 0,
        }
        if not place.groups.parents:
            found |= {"NPROC": limits.processes, "AS": 2 * limits.memory}
        return found

    async def _probe(self) -> _Place:
        """What this host gives; tried once, if it gives enough. NxcError: it does not."""
        async with self._probing:
            if self._place is None:
                system = System()
                isolation = await probe(system)
                if isolation.user is None and not self._trusted:
                    raise NxcError(
                        "SandboxUnavailable",
                        "the controller is not root: it cannot give a script a user of its own",
                    )
                user = own_user(USER_NAME, USER, "a test script") if isolation.user is not None else None
                self._place = _Place(user, isolation.groups, system)
            return self._place

    def group(self, uid: str) -> str:
        """The name of a trial's control group; a controller's state directory is its own, and so are its groups."""
        return f"nxc-test-{hashlib.sha256(str(self._state).encode()).hexdigest()[:8]}-{uid}"

    @contextmanager
    def _room(self, place: _Place, uid: str) -> Iterator[tuple[Path, Group]]:
        """A directory and a control group."""
        directory = self._state / uid
        group = Group()
        try:
            for path in (directory, directory / "root", directory / "nodes"):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if place.user is not None:
                os.chown(directory / "nodes", *place.user)
            if place.groups.parents:
                limits = self._limits
                group = place.groups.make(self.group(uid), memory=limits.memory, processes=limits.processes)
            yield directory, group
        finally:
            group.remove()
            shutil.rmtree(directory, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._state.rmdir()


class _Place:
    """What this host gives to scripts."""

    def __init__(self, user: tuple[int, int] | None, groups: Groups, system: System) -> None:
        self.user, self.groups, self.system = user, groups, system
        self.python = interpreter()


class Log:
    """What a script prints: counted, and its end kept."""

    def __init__(self, limit: int) -> None:
        self._limit, self._total = limit, 0
        self._pieces: deque[bytes] = deque()
        self._kept = 0

    def add(self, piece: bytes) -> None:
        """More of it. Raises `TooLong`."""
        self._total += len(piece)
        self._pieces.append(piece)
        self._kept += len(piece)
        while self._kept - len(self._pieces[0]) > 4 * LOG_LIMIT:
            self._kept -= len(self._pieces.popleft())
        if self._total > self._limit:
            raise TooLong

    def tail(self) -> str:
        """The last lines, for people."""
        text = plain(b"".join(self._pieces).decode(errors="replace"))
        if len(text) <= LOG_LIMIT:
            return text
        cut = text[-LOG_LIMIT:]
        return cut[cut.find("\n") + 1 :]


def _identity(user: tuple[int, int] | None) -> dict[str, str]:
    uid, gid = user or (os.getuid(), os.getgid())
    return {
        "/etc/passwd": f"test:x:{uid}:{gid}:test script:/tmp:/bin/sh\n",
        "/etc/group": f"test:x:{gid}:\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
    }


def _instead(why: str, order: Order) -> str:
    return (
        f"this host gives no sandbox for test scripts: {why}. An administrator can mend that (nxc-controller isolation "
        f"tells what is missing); until then run it on a machine of yours: kubectl nxc test {order.key.name}"
    )


def _sweep(groups: Groups, names: str) -> bool:
    """Remove empty control groups of these names (a pattern); whether some are left."""
    left = False
    for parent in groups.parents:
        for directory in parent.glob(names):
            try:
                directory.rmdir()
            except OSError:
                left = True
    return left
