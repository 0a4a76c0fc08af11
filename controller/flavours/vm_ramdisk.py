"""The flavour `vm-ramdisk`: each node a QEMU machine on this host, its system in memory, on a VDE network.

Machines are booted straight into kernel and initrd. They outlive the operator: what it needs to find them again
stands in its state directory, and what runs holds locks there (`controller.testbeds.process`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from controller.boot.attempts import Attempt, Attempts
from controller.flavours.api import Context
from controller.flavours.orders import Orders, put_on_record
from controller.flavours.record import kept, load
from controller.flavours.vm_machine import House, VmMachine
from controller.flavours.vm_network import Networks
from controller.flavours.vm_plan import Identity, document, plan_machine
from controller.flavours.vm_record import VERSION, VmRecord
from controller.model.errors import NxcError, TestbedError
from controller.model.kinds import Key
from controller.model.machine import Inventory, Machine, MachineKey, Order
from controller.model.testbed import Testbed
from controller.testbeds import cgroups, files, initrd
from controller.testbeds.accelerator import Accelerator, probe

logger = logging.getLogger(__name__)

FLAVOUR = "vm-ramdisk"
PROGRAMS = {"qemu-system-x86_64": "qemu-system-x86", "vde_switch": "vde2"}
"""What must be installed, and Debian's package of it."""
LOGS_EVERY = 30.0


class VmRamdiskBackend:
    """The machines of one testbed on this host."""

    def __init__(self, testbed: str, context: Context, forget: Callable[[], None]) -> None:
        self._context, self._forget = context, forget
        state = context.state / "machines" / testbed
        runtime = files.runtime_directory(state)
        self._machines: dict[MachineKey, VmMachine] = {}
        self._orders = Orders()
        self._state, self._runtime = state, runtime
        self._opening: asyncio.Task[House] | None = None
        self._cutter: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ verbs

    async def probe(self) -> None:
        """See `controller.flavours.api.Backend`."""
        for program, package in PROGRAMS.items():
            if shutil.which(program) is None:
                raise TestbedError(
                    "ProgramMissing", f"{program} is not installed on this host (Debian: {package})"
                )
        await self._house()

    async def prepare(self, deployment: str) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        with kept():
            await house.networks.prepare(deployment)

    async def dismantle(self, deployment: str) -> bool:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        if any(machine.record.deployment == deployment for machine in self._machines.values()):
            return False
        gone = await house.networks.dismantle(deployment)
        files.remove_empty(self._runtime, self._runtime.parent)
        return gone

    async def boot(self, order: Order) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        if order.key in self._machines:
            return
        await self._orders.take(order.key, lambda: self._take(house, order))

    async def _take(self, house: House, order: Order) -> None:
        """Put an order on record, and begin."""
        image = await self._context.images.image(order.image)
        if image is None:
            raise NxcError("ImageMissing", f"image {order.image} is not in the store (any more)")
        briefing = await self._context.briefings.brief(order.owner, order.information)
        network = house.networks.get(order.deployment)
        if network is None:
            raise TestbedError("NoNetwork", "the network of its deployment is not there")
        token = house.attempts.token(order.key)
        told = document(briefing, Identity(order.key.node, order.host, order.role, order.machine, token))
        record = plan_machine(
            order, image.manifest, told, token, user=network.user, now=self._context.clock()
        )
        machine = VmMachine(house, record)
        with kept():
            attempt = Attempt(order.key, token, told.canonical(), order.information)
            await put_on_record(house.attempts, attempt, machine.home, record)
        self._machines[order.key] = machine
        machine.begin()

    async def inform(self, key: MachineKey, information: str) -> None:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        machine = self._machines.get(key)
        if machine is None:
            raise TestbedError("NoSuchMachine", f"there is no machine {key}")
        record = machine.record
        briefing = await self._context.briefings.brief(record.owner, information)
        identity = Identity(key.node, record.host, record.role, record.machine, house.attempts.token(key))
        await machine.push(document(briefing, identity).canonical(), information)

    async def release(self, node: str, owner: Key) -> bool:  # noqa: ARG002 - others find their nodes by name
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        await self._orders.settled(node)
        for key, machine in [item for item in self._machines.items() if item[0].node == node]:
            if not await machine.release():
                return False
            self._machines.pop(key, None)
        wanted = {initrd.name_of(machine.record.boots.initrd) for machine in self._machines.values()}
        await asyncio.to_thread(initrd.sweep, house.archives, wanted)
        return True

    async def machines(self, node: str) -> Sequence[Machine]:
        """See `controller.flavours.api.Backend`."""
        await self._house()
        return [machine.state() for key, machine in self._machines.items() if key.node == node]

    async def inventory(self) -> Inventory:
        """See `controller.flavours.api.Backend`."""
        house = await self._house()
        ours = self._context.installation
        return Inventory(
            tuple(machine.state() for key, machine in self._machines.items() if key.installation == ours),
            tuple(house.networks.names()),
        )

    async def aclose(self) -> None:
        """See `controller.flavours.api.Backend`."""
        self._forget()
        if self._opening is None:
            return
        if self._cutter is not None:
            self._cutter.cancel()
        try:
            house = await self._opening
        except NxcError:
            return  # it never had anything
        await self._orders.settled()
        await asyncio.gather(*(machine.aclose() for machine in self._machines.values()))
        await house.networks.aclose()
        self._machines.clear()

    # ------------------------------------------------------------ its records

    async def _house(self) -> House:
        """Everything that machines share; with the first call, what an earlier process left is taken up."""
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> House:
        try:
            attempts = Attempts(self._state / "attempts", self._heard)
        except OSError as error:
            raise TestbedError(
                "StateUnusable", f"the directory of machines cannot be used: {error}"
            ) from None
        accelerator = probe()
        networks = Networks(self._state, self._runtime, self._reconnect)
        groups = await asyncio.to_thread(cgroups.find)
        if groups.unavailable:
            logger.warning("machines have no control groups of their own: %s", groups.unavailable)
        house = House(
            context=self._context,
            state=self._state,
            runtime=self._runtime,
            attempts=attempts,
            networks=networks,
            accelerator=accelerator,
            groups=groups,
            slots=asyncio.Semaphore(at_once(accelerator, os.cpu_count() or 1)),
        )
        await networks.load()
        for home, text in files.records(self._state / "machines"):
            record = load(
                *(home, text, VERSION, VmRecord.from_dict, VmRecord.lost),
                installation=self._context.installation,
                now=self._context.clock(),
            )
            self._machines[record.key] = VmMachine(house, record)
        attempts.keep_only(self._machines)
        for machine in self._machines.values():
            machine.begin()
        self._cutter = asyncio.create_task(self._cut_logs())
        return house

    def _heard(self, key: MachineKey) -> None:
        machine = self._machines.get(key)
        if machine is not None:
            machine.heard()

    async def _reconnect(self, deployment: str) -> None:
        async def one(machine: VmMachine) -> None:
            try:
                await machine.reconnect()
            except NxcError as error:
                logger.warning("machine %s stays without its network: %s", machine.record.key, error.message)

        of_it = [machine for machine in self._machines.values() if machine.record.deployment == deployment]
        await asyncio.gather(*(one(machine) for machine in of_it))

    async def _cut_logs(self) -> None:
        while True:
            await asyncio.sleep(LOGS_EVERY)
            for machine in list(self._machines.values()):
                await asyncio.to_thread(machine.cut_logs)


def at_once(accelerator: Accelerator, processors: int) -> int:
    """How many machines may boot at a time: a booting machine takes a whole processor under emulation."""
    return max(2, processors * 2) if accelerator is Accelerator.KVM else max(1, processors)


class VmRamdisk:
    """What the entry point names. One process has one backend for a testbed, however often it is opened."""

    name = FLAVOUR
    testbed_kinds = frozenset({"local"})
    shares_network = True
    boots_kernel = True

    def __init__(self) -> None:
        self._open: dict[Path, VmRamdiskBackend] = {}

    def open(self, testbed: Testbed, context: Context) -> VmRamdiskBackend:
        """See `controller.flavours.api.Flavour`."""
        place = context.state / testbed.meta.name
        if place not in self._open:
            self._open[place] = VmRamdiskBackend(testbed.meta.name, context, lambda: self._close(place))
        return self._open[place]

    def _close(self, place: Path) -> None:
        self._open.pop(place, None)


VM_RAMDISK = VmRamdisk()
