"""Networks of deployments on this host: a switch each, kept running, and found again after a restart."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.model.errors import NxcError
from controller.model.record import Unreadable, read
from controller.testbeds import files, switch
from controller.testbeds.process import Process, adopt

logger = logging.getLogger(__name__)

FIRST_USER, USERS = 61184, 4336
"""Uids for what runs for deployments: systemd's range of dynamic users (61184 to 65519), which nobody else owns."""
VERSION = 1
"""Of the format of a network's record."""
AGAIN = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Network:
    """The network of one deployment. `directory` is where machines find the switch's sockets."""

    deployment: str
    user: int | None
    record: Path
    directory: Path
    process: Process | None = None
    keeper: asyncio.Task[None] | None = None
    guard: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def lock(self) -> Path:
        """Held by the switch."""
        return self.record / "lock"

    @property
    def control(self) -> str:
        """What QEMU connects to."""
        return str(switch.control(self.directory))


class Networks:
    """All of one testbed. `reconnect(deployment)` is called when a switch had to be started anew."""

    def __init__(self, state: Path, runtime: Path, reconnect: Callable[[str], Awaitable[None]]) -> None:
        self._state, self._runtime, self._reconnect = state / "networks", runtime, reconnect
        self._networks: dict[str, Network] = {}

    async def load(self) -> None:
        """Take up what an earlier process left."""
        for directory, text in files.records(self._state):
            deployment = directory.name
            try:
                user = read(text, VERSION, _user)
            except Unreadable as error:
                user = self._user_of(deployment)
                logger.error("the record of network %s is written anew: %s", deployment, error)
                files.write_record(directory, _record(deployment, user))
            network = Network(deployment, user, directory, self._directory(deployment))
            self._networks[deployment] = network
            try:
                await self._keep(network)
            except (NxcError, OSError) as error:
                logger.error("the switch of deployment %s: %s", network.deployment, error)
                network.keeper = asyncio.create_task(self._keep_alive(network))

    def get(self, deployment: str) -> Network | None:
        """A network that was made."""
        return self._networks.get(deployment)

    def names(self) -> Iterable[str]:
        """The uids of the deployments that have one."""
        return tuple(self._networks)

    async def prepare(self, deployment: str) -> None:
        """Make a network; on record before its switch starts."""
        network = self._networks.get(deployment)
        if network is None:
            user = self._free_user(deployment) if os.geteuid() == 0 else None
            network = Network(deployment, user, self._state / deployment, self._directory(deployment))
            files.write_record(network.record, _record(deployment, user))
            self._networks[deployment] = network
        await self._keep(network)

    async def dismantle(self, deployment: str) -> bool:
        """Take it away; True when nothing is left."""
        network = self._networks.get(deployment)
        if network is None:
            return True
        await _cancel(network.keeper)
        async with network.guard:
            process = network.process or await adopt(network.lock)
            if process is not None:
                process.kill()
                await process.ended()
        files.remove(network.directory)
        files.remove(network.record)
        self._networks.pop(deployment, None)
        return True

    async def aclose(self) -> None:
        """Watch them no more; they go on."""
        for network in self._networks.values():
            await _cancel(network.keeper)
            if network.process is not None:
                network.process.forget()
        self._networks.clear()

    async def _keep(self, network: Network) -> None:
        """Have its switch, once; nodes that boot side by side all ask for it."""
        async with network.guard:
            if network.process is None or not network.process.alive:
                files.private_directory(network.directory, network.user)
                found = await switch.ensure(network.directory, network.lock, network.user)
                network.process, started = found
                if started:
                    await self._reconnect(network.deployment)
        if network.keeper is None or network.keeper.done():
            network.keeper = asyncio.create_task(self._keep_alive(network))

    async def _keep_alive(self, network: Network) -> None:
        """A switch that ends is started again, and its machines are connected to it."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            if network.process is not None:
                await network.process.ended()
            lasted = asyncio.get_running_loop().time() - began
            failures = 0 if lasted > 60 else min(failures + 1, len(AGAIN) - 1)
            logger.warning(
                "the switch of deployment %s is not there; it is started again", network.deployment
            )
            await asyncio.sleep(AGAIN[max(0, failures - 1)])
            try:
                await self._keep(network)
            except (NxcError, OSError) as error:
                logger.error("the switch of deployment %s: %s", network.deployment, error)

    def _directory(self, deployment: str) -> Path:
        return self._runtime / f"n-{hashlib.sha256(deployment.encode()).hexdigest()[:12]}"

    def _user_of(self, deployment: str) -> int | None:
        """Who a network belongs to, as its directory tells; a new one where that is gone as well."""
        if os.geteuid() != 0:
            return None
        with contextlib.suppress(OSError):
            owner = self._directory(deployment).lstat().st_uid
            if FIRST_USER <= owner < FIRST_USER + USERS:
                return owner
        return self._free_user(deployment)

    def _free_user(self, deployment: str) -> int:
        """A uid of its own for a deployment, so that one that breaks out of QEMU meets nobody else's files."""
        taken = {network.user for network in self._networks.values()}
        start = int.from_bytes(hashlib.sha256(deployment.encode()).digest()[:4])
        return next(user for i in range(USERS) if (user := FIRST_USER + (start + i) % USERS) not in taken)


def _record(deployment: str, user: int | None) -> dict[str, Any]:
    return {"version": VERSION, "deployment": deployment, "user": user}


def _user(record: dict[str, Any]) -> int | None:
    user = record["user"]
    if user is not None and not isinstance(user, int):
        raise Unreadable(f"user {user!r} is no number")
    return user


async def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
