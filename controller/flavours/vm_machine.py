"""One virtual machine, from order to release: started or found again, watched, and its end told at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from controller.boot.attempts import Attempts
from controller.boot.server import Listener
from controller.flavours.api import Context
from controller.flavours.chores import Chores
from controller.flavours.record import Stage, kept
from controller.flavours.vm_launch import EMULATOR_LOG, Launch, launch, ssh_port
from controller.flavours.vm_network import Networks
from controller.flavours.vm_plan import End, last_words, started_again
from controller.flavours.vm_record import VmRecord
from controller.flavours.watch import Target, Watch
from controller.model.errors import Blame, NxcError, TestbedError
from controller.model.machine import UNSEEN, Machine, Phase
from controller.testbeds import console, files, monitor, qemu
from controller.testbeds.accelerator import Accelerator
from controller.testbeds.cgroups import Group, Groups
from controller.testbeds.process import Process, adopt

logger = logging.getLogger(__name__)

SLOT_LIMIT = 120.0
"""Seconds after which a machine that is still booting no longer keeps others from it."""
GROUP_LIMIT = 5.0
"""Seconds until a control group must be empty whose processes were killed."""
OVERHEAD = 256 << 20
"""Bytes that QEMU may use beside its machine's memory and initrd; it takes about 100 MiB."""
THREADS = 256


@dataclass(frozen=True, slots=True)
class House:
    """What the machines of one testbed share.

    `slots`: how many may boot at the same time; `groups`: where control groups can be made, if anywhere.
    """

    context: Context
    state: Path
    runtime: Path
    attempts: Attempts
    networks: Networks
    accelerator: Accelerator
    slots: asyncio.Semaphore
    groups: Groups

    @property
    def archives(self) -> Path:
        """Where initrds of several layers are put together."""
        return self.state / "initrd"


class VmMachine:
    """A machine with its process, its sockets and its watch. Everything it needs is on record or found again."""

    def __init__(self, house: House, record: VmRecord) -> None:
        self.record = record
        self._house = house
        self._process: Process | None = None
        self._port: int | None = None
        self._door: Listener | None = None
        self._watch: Watch | None = None
        self._chores = Chores(f"machine {record.key}")
        self._up = asyncio.Event()
        self._releasing = False

    # ------------------------------------------------------------ what others ask

    @property
    def directory(self) -> Path:
        """Its sockets and logs, open to QEMU's user."""
        return self._house.runtime / f"m-{self.record.key.node[:23]}-{self.record.key.attempt}"

    @property
    def home(self) -> Path:
        """Its record and its lock."""
        return self._house.state / "machines" / f"{self.record.key.node}-{self.record.key.attempt}"

    @property
    def monitor(self) -> Path:
        """QEMU's monitor."""
        return self.directory / qemu.MONITOR

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.alive

    def begin(self) -> None:
        """Start it or find it again, and look after it, in a task of its own."""
        self._chores.spawn(self._live())

    def state(self) -> Machine:
        """As it stands now."""
        record = self.record
        attempt = self._house.attempts.get(record.key)
        report = attempt.report if attempt is not None else None
        gone = record.stage is Stage.ENDED
        running = self._port is not None and not gone
        since: datetime | None = record.since
        if record.stage is Stage.ORDERED:
            since = self._house.context.clock()  # it waits for its turn, which is no fault of its own
        reachable = self._watch.reachable if self._watch is not None else UNSEEN
        healthy = self._watch.healthy if self._watch is not None else UNSEEN
        return Machine(
            key=record.key,
            owner=record.owner,
            deployment=record.deployment,
            machine=record.machine,
            digest=record.digest,
            phase=Phase.GONE if gone else Phase.RUNNING if running else Phase.STARTING,
            address=f"127.0.0.1:{self._port}" if running else "",
            host_key=report.host_key if report is not None else "",
            information=record.information if attempt is not None and attempt.informed else "",
            verified=self._house.attempts.verified(record.key, record.expected),
            reachable=reachable,
            healthy=healthy,
            ended=record.ended,
            blame=record.blame,
            evidence=record.evidence if gone else console.tail(self.directory / qemu.CONSOLE_LOG),
            since=since,
        )

    def heard(self) -> None:
        """The node fetched or reported something."""
        attempt = self._house.attempts.get(self.record.key)
        if attempt is not None and attempt.report is not None:
            self._up.set()
            if attempt.report.host_key:
                self._look_after(attempt.report.host_key)
        self._wake()

    async def push(self, document: bytes, information: str) -> None:
        """Tell a running node what has changed. Raises `TestbedError` where it cannot be told."""
        if self._watch is None:
            raise TestbedError("NotAnswering", f"{self.record.host} cannot be reached yet")
        await self._watch.push("nxc-inform", document.decode("ascii"), seconds=20.0)
        await self._write(replace(self.record, information=information))
        self._wake()

    async def reconnect(self) -> None:
        """Connect its network card to a switch that was started anew."""
        network = self._house.networks.get(self.record.deployment)
        if self._port is not None and self.alive and network is not None:
            await monitor.ask(self.monitor, qemu.reconnect(network.control))

    async def release(self) -> bool:
        """End it and remove every trace; True when nothing is left."""
        self._releasing = True
        await self._chores.cancel()
        if self._process is None:
            self._process = await adopt(self.home / "lock")
        await self._kill()
        await self._leave_group()
        self._house.attempts.close(self.record.key)
        await self._close_door()
        await asyncio.to_thread(files.remove, self.directory)
        await asyncio.to_thread(files.remove, self.home)
        return True

    async def aclose(self) -> None:
        """Look after it no more; it goes on."""
        await self._chores.cancel()
        await self._close_door()
        if self._process is not None:
            self._process.forget()

    def cut_logs(self) -> None:
        """Keep what it writes within bounds. Blocks, briefly."""
        console.cut(self.directory / qemu.CONSOLE_LOG)

    # ------------------------------------------------------------ its life

    async def _live(self) -> None:
        """From its start to its end: again and again, where it restarts itself."""
        try:
            while await self._stand():
                process = self._process
                assert process is not None
                self._chores.spawn(self._settle_in())
                await process.ended()
                if not await self._starts_again(process.status):
                    return
        except (NxcError, OSError) as error:
            blame = error.blame if isinstance(error, NxcError) else Blame.TESTBED
            await self._end(End(f"it could not be started: {error}", blame))

    async def _stand(self) -> bool:
        """Have its process: the one that runs already, or a new one when it never had any; False where it ended."""
        self._process = await adopt(self.home / "lock")
        if self.record.stage is Stage.ENDED:
            self._house.attempts.close(self.record.key)
            await self._kill()
            return False
        if self._process is not None and self._house.attempts.get(self.record.key) is None:
            await self._kill()
            why = "what it was told is not on record any more, and so it was ended"
            await self._end(End(why, Blame.CONTROLLER))
            return False
        if self._process is not None:
            await self._open_door()
            if self.record.stage is not Stage.RUNNING:
                await self._write(replace(self.record, stage=Stage.RUNNING))
            return True
        ran = (self.directory / qemu.CONSOLE_LOG).exists()
        over = self.record.stage is Stage.RUNNING or (self.record.stage is Stage.STARTING and ran)
        if over and not await self._starts_again(None):
            return False
        await self._house.slots.acquire()
        holding = self._chores.spawn(self._boot_or_wait())
        holding.add_done_callback(lambda _: self._house.slots.release())
        await self._start()
        return True

    async def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.ended()

    async def _boot_or_wait(self) -> None:
        """Until the node reports or is gone, but not for ever: for so long it counts among those that boot."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SLOT_LIMIT):
                await self._up.wait()

    async def _start(self) -> None:
        record, house = self.record, self._house
        network = house.networks.get(record.deployment)
        if network is None:
            raise TestbedError("NoNetwork", "the network of its deployment is not there")
        image = await house.context.images.image(record.image)
        if image is None:
            raise NxcError("ImageMissing", f"image {record.image} is not in the store any more")
        since = house.context.clock()
        await self._leave_group()
        directories = tuple(map(str, house.groups.named(self._group_name).directories))
        await self._write(replace(record, stage=Stage.STARTING, since=since, group=directories))
        group = await asyncio.to_thread(self._make_group)
        await asyncio.to_thread(files.remove, self.directory)
        await self._open_door()
        self._process = await launch(
            Launch(record, image, network.control, house.accelerator, house.archives, group),
            self.directory,
            lock=self.home / "lock",
        )
        await self._write(replace(self.record, stage=Stage.RUNNING))

    @property
    def _group(self) -> Group:
        return Group(tuple(map(Path, self.record.group)))

    @property
    def _group_name(self) -> str:
        return f"nxc-{self.directory.name}"

    def _make_group(self) -> Group:
        """A control group of its own; none where the host does not let us."""
        memory = self.record.memory + OVERHEAD
        try:
            return self._house.groups.make(self._group_name, memory=memory, processes=THREADS)
        except OSError as error:
            logger.warning("machine %s gets no control group: %s", self.record.key, error)
            return Group()

    async def _leave_group(self) -> None:
        """Have nothing left in its control group, and then no group."""
        group = self._group if self.record.group else self._house.groups.named(self._group_name)
        deadline = asyncio.get_running_loop().time() + GROUP_LIMIT
        while group.occupied() and asyncio.get_running_loop().time() < deadline:
            group.kill()
            await asyncio.sleep(0.02)
        await asyncio.to_thread(group.remove)

    async def _settle_in(self) -> None:
        """Learn its SSH port, and look after it as soon as it has reported."""
        try:
            self._port = await ssh_port(self.monitor, lambda: self.alive)
        except NxcError as error:
            logger.warning("machine %s: %s", self.record.key, error.message)
            if self._process is not None:
                self._process.kill()
            return
        self.heard()

    def _look_after(self, host_key: str) -> None:
        if self._watch is not None or self._port is None or self._releasing:
            return
        boots = self.record.boots
        target = Target("127.0.0.1", self._port, host_key, boots.readiness, boots.ports)

        async def client_key() -> str:
            return (await self._house.context.briefings.client_key(self.record.owner)).private

        self._watch = Watch(target, client_key, self._wake)
        self._chores.spawn(self._watch.run())

    async def _starts_again(self, status: int | None) -> bool:
        """After the end of its process: whether it is to be started again, because its system asked for that.

        The node that comes up has the same attempt, token and document, and a host key of its own.
        """
        text = console.tail(self.directory / qemu.CONSOLE_LOG)
        end = last_words(text, console.tail(self.directory / EMULATOR_LOG), status)
        if await asyncio.to_thread(self._group.memory_exhausted):
            limit = (self.record.memory + OVERHEAD) >> 20
            end = End(f"QEMU used more than the {limit} MiB that it may, and was ended", Blame.TESTBED)
        attempt = self._house.attempts.get(self.record.key)
        if not end.restart or attempt is None or self._releasing:
            await self._end(end)
            return False
        next_ = started_again(
            self.record,
            attempt.information,
            reported=attempt.report is not None,
            now=self._house.context.clock(),
        )
        if isinstance(next_, End):
            await self._end(next_)
            return False
        logger.info("machine %s restarted itself and is started again", self.record.key)
        await self._chores.cancel()
        await self._close_door()
        self._process = self._port = self._watch = None
        self._up = asyncio.Event()
        self._house.attempts.again(self.record.key)
        await self._write(next_)
        self._wake()
        return True

    async def _end(self, end: End) -> None:
        """Put its end on record; its token opens nothing any more."""
        if self._releasing:
            return
        evidence = console.tail(self.directory / qemu.CONSOLE_LOG) or console.tail(
            self.directory / EMULATOR_LOG
        )
        self._house.attempts.close(self.record.key)
        self.record = replace(
            self.record, stage=Stage.ENDED, ended=end.why, blame=end.blame, evidence=evidence
        )
        try:
            await self._write(self.record)
        except TestbedError as error:  # the next operator finds it out by itself
            logger.error("the end of machine %s is not on record: %s", self.record.key, error)
        self._up.set()
        self._wake()
        await self._chores.cancel()
        await self._close_door()

    # ------------------------------------------------------------ small things

    def _wake(self) -> None:
        self._house.context.wake(self.record.owner)

    async def _write(self, record: VmRecord) -> None:
        self.record = record
        with kept():
            await asyncio.to_thread(files.write_record, self.home, record.to_dict())

    async def _open_door(self) -> None:
        """Answer this machine, and it alone, where its QEMU connects."""
        key = self.record.key
        files.private_directory(self.directory, self.record.user)
        self._door = await Listener.unix(
            self.directory / qemu.DOOR,
            lambda request: self._house.attempts.answer(request, only=key),
            owner=self.record.user,
        )

    async def _close_door(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            await door.aclose()
