"""One container, from order to release: seen by the census, reporting through its door, watched over SSH."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from controller.boot.attempts import Attempts
from controller.boot.server import Listener
from controller.flavours import docker_blame
from controller.flavours.api import Context
from controller.flavours.chores import Chores
from controller.flavours.docker_fitness import Fitness
from controller.flavours.docker_record import ContainerRecord
from controller.flavours.record import Stage
from controller.flavours.watch import Target, Watch
from controller.model.errors import Blame, NxcError, TestbedError
from controller.model.machine import UNSEEN, Machine, Phase
from controller.testbeds import files
from controller.testbeds.engine import Container, Engine

logger = logging.getLogger(__name__)

SSH_PORT = 22
DOOR = "door"
EVIDENCE_LINES = 60
EVIDENCE_EVERY = 2.0


@dataclass(frozen=True, slots=True)
class House:
    """What the containers of one testbed share. `runtime`: where their sockets are."""

    context: Context
    state: Path
    runtime: Path
    attempts: Attempts
    engine: Engine
    fitness: Fitness


class DockerContainer:
    """A container with its door and its watch."""

    def __init__(self, house: House, record: ContainerRecord) -> None:
        self.record = record
        self._house = house
        self._door: Listener | None = None
        self._watch: Watch | None = None
        self._chores = Chores(f"container {record.key}")
        self._seen: Container | None = None
        self._evidence = ""
        self._read_at = 0.0
        self._releasing = False

    # ------------------------------------------------------------ what others ask

    @property
    def home(self) -> Path:
        """Its record."""
        return self._house.state / "machines" / f"{self.record.key.node}-{self.record.key.attempt}"

    @property
    def directory(self) -> Path:
        """What it has mounted to report through."""
        return directory_of(self._house.runtime, self.record.key.node, self.record.key.attempt)

    @property
    def wanted(self) -> bool:
        """Whether it belongs into the Compose file."""
        return self.record.stage is not Stage.ENDED and not self._releasing

    def state(self) -> Machine:
        """As it stands now."""
        record, attempt = self.record, self._house.attempts.get(self.record.key)
        report = attempt.report if attempt is not None else None
        gone, running = record.stage is Stage.ENDED, record.stage is Stage.RUNNING
        waits = record.stage is Stage.ORDERED  # for its turn, which is no fault of its own
        return Machine(
            key=record.key,
            owner=record.owner,
            deployment=record.deployment,
            machine=record.machine,
            digest=record.digest,
            phase=Phase.GONE if gone else Phase.RUNNING if running else Phase.STARTING,
            address=f"{record.address}:{SSH_PORT}" if running else "",
            host_key=report.host_key if report is not None else "",
            information=record.information if attempt is not None and attempt.informed else "",
            verified=self._house.attempts.verified(record.key, record.expected),
            reachable=self._watch.reachable if self._watch is not None else UNSEEN,
            healthy=self._watch.healthy if self._watch is not None else UNSEEN,
            ended=record.ended,
            blame=record.blame,
            evidence=record.evidence if gone else self._evidence,
            since=self._house.context.clock() if waits else record.since,
        )

    async def read_console(self) -> None:
        """Fetch the tail of its console, now and then while it is not healthy."""
        now = asyncio.get_running_loop().time()
        healthy = self._watch is not None and self._watch.healthy.ok
        if self._seen is None or healthy or now - self._read_at < EVIDENCE_EVERY:
            return
        self._read_at = now
        try:
            self._evidence = await self._house.engine.log(self._seen.id, EVIDENCE_LINES)
        except NxcError as error:  # it may be gone by now, which the census tells
            logger.debug("no console of %s: %s", self.record.key, error.message)

    # ------------------------------------------------------------ what happens to it

    async def open_door(self) -> None:
        """Answer it, and it alone, where it connects."""
        if self.record.stage is Stage.ENDED or self._door is not None:
            return
        key = self.record.key
        await asyncio.to_thread(files.private_directory, self.directory, None)
        self._door = await Listener.unix(
            self.directory / DOOR, lambda request: self._house.attempts.answer(request, only=key)
        )

    async def starting(self) -> None:
        """Docker compose is about to make it."""
        if self.record.stage is Stage.ORDERED:
            now = self._house.context.clock()
            await self._write(replace(self.record, stage=Stage.STARTING, since=now))

    async def see(self, found: Container | None, *, while_away: bool) -> None:
        """What a census found of it."""
        stage = self.record.stage
        if stage is Stage.ENDED or self._releasing:
            return
        self._seen = found or self._seen
        if found is not None and found.up:
            if stage is not Stage.RUNNING:
                # most are healthy before anybody wants to read what they say
                self._read_at = asyncio.get_running_loop().time()
                await self._write(replace(self.record, stage=Stage.RUNNING))
                self._wake()
            self.heard(wake=False)
        elif found is not None and found.state in ("exited", "dead", "removing"):
            await self._ended(found, while_away=while_away)
        elif stage is Stage.RUNNING and found is None:
            await self.end("its container was removed", Blame.TESTBED)

    def heard(self, *, wake: bool = True) -> None:
        """The node fetched or reported something."""
        attempt = self._house.attempts.get(self.record.key)
        if attempt is not None and attempt.report is not None and attempt.report.host_key:
            self._look_after(attempt.report.host_key)
        if wake:
            self._wake()

    async def push(self, document: bytes, information: str) -> None:
        """Tell a running node what has changed. Raises `TestbedError` where it cannot be told."""
        if self._watch is None:
            raise TestbedError("NotAnswering", f"{self.record.host} cannot be reached yet")
        await self._watch.push("nxc-inform", document.decode("ascii"), seconds=20.0)
        await self._write(replace(self.record, information=information))
        self._wake()

    async def end(self, why: str, blame: Blame) -> None:
        """Put its end on record; its token opens nothing any more."""
        if self._releasing or self.record.stage is Stage.ENDED:
            return
        self._read_at = float("-inf")
        await self.read_console()
        self._house.attempts.close(self.record.key)
        await self._write(
            replace(self.record, stage=Stage.ENDED, ended=why, blame=blame, evidence=self._evidence)
        )
        self._wake()
        await self._chores.cancel()
        await self._close_door()

    async def release(self) -> None:
        """Look after it no more: it is about to be removed."""
        self._releasing = True
        await self._chores.cancel()
        await self._close_door()

    async def forget(self) -> None:
        """It was removed: nothing of it stays."""
        self._house.attempts.close(self.record.key)
        await asyncio.to_thread(files.remove, self.directory)
        await asyncio.to_thread(files.remove, self.home)

    async def aclose(self) -> None:
        """Look after it no more; it goes on."""
        await self._chores.cancel()
        await self._close_door()

    # ------------------------------------------------------------ small things

    async def _ended(self, found: Container, *, while_away: bool) -> None:
        try:
            end = await self._house.engine.ending(found.id)
        except NxcError as error:
            await self.end(f"it ended, and how is not known: {error.message}", Blame.TESTBED)
            return
        why, blame = docker_blame.ending(end, while_away=while_away)
        await self.end(why, blame)

    def _look_after(self, host_key: str) -> None:
        record = self.record
        if self._watch is not None or record.stage is not Stage.RUNNING or self._releasing:
            return
        target = Target(record.address, SSH_PORT, host_key, record.readiness, record.ports)

        async def client_key() -> str:
            return (await self._house.context.briefings.client_key(record.owner)).private

        self._watch = Watch(target, client_key, self._wake)
        self._chores.spawn(self._watch.run())

    def _wake(self) -> None:
        self._house.context.wake(self.record.owner)

    async def _write(self, record: ContainerRecord) -> None:
        self.record = record
        await asyncio.to_thread(files.write_record, self.home, record.to_dict())

    async def _close_door(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            await door.aclose()


def directory_of(runtime: Path, node: str, attempt: int) -> Path:
    """The directory of a container's door: short, since socket paths have 107 bytes."""
    return runtime / f"c-{node[:23]}-{attempt}"
