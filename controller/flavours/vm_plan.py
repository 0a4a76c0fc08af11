"""From an order to what a virtual machine boots and is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.boot.document import Document, Interface
from controller.boot.parameters import command_line
from controller.flavours.api import Briefing
from controller.flavours.record import Stage
from controller.flavours.vm_record import Boots, VmRecord
from controller.model.errors import Blame, TestbedError, UserError
from controller.model.machine import Order
from controller.model.manifest import Manifest
from controller.testbeds.qemu import INFORMATION_ADDRESS, MANAGEMENT_ADDRESS

HIGHEST = 0xFFFD
"""The last number of a machine that has an address in 10.1.0.0/16."""
NETWORK_PREFIX = 16
PANIC = "panic=-1"
"""A kernel that panics restarts at once, which ends QEMU (-no-reboot), and so is noticed."""
RESTARTS, RESTARTS_WITHIN = 10, timedelta(minutes=10)
"""How often a machine may restart itself in a while; more is a loop."""
UNREACHED = 3
"""How often in a row before it has reported anything."""


def number_of(machine: str) -> int:
    """The number in a machine's name (`local-7`), from which its addresses follow. Raises `TestbedError`."""
    digits = machine.rpartition("-")[2]
    if not (digits.isascii() and digits.isdecimal()) or not 1 <= int(digits) <= HIGHEST:
        raise TestbedError(
            "BadMachineName", f"machine {machine!r} does not end in a number from 1 to {HIGHEST}"
        )
    return int(digits)


def address_of(machine: str) -> str:
    """Its address on the network of its deployment: the same for as long as a host stays on a machine."""
    high, low = divmod(number_of(machine), 256)
    return f"10.1.{high}.{low}"


def management_card(machine: str) -> Interface:
    """The card through which a node asks for information and is logged in to."""
    return Interface(_mac(0x4D, machine), f"{MANAGEMENT_ADDRESS}/24")


def network_card(machine: str) -> Interface:
    """The card on the network of the deployment."""
    return Interface(_mac(0x4E, machine), f"{address_of(machine)}/{NETWORK_PREFIX}")


def _mac(kind: int, machine: str) -> str:
    high, low = divmod(number_of(machine), 256)
    return f"52:54:00:{kind:02x}:{high:02x}:{low:02x}"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a document is for: a node by its uid, its host and role, on a machine, with a token."""

    node: str
    host: str
    role: str
    machine: str
    token: str


def document(briefing: Briefing, identity: Identity) -> Document:
    """What one node is told, with its cards and where to report."""
    return briefing.document(
        node=identity.node,
        host=identity.host,
        role=identity.role,
        addresses={host.machine: address_of(host.machine) for host in briefing.hosts if host.machine},
        interfaces=(management_card(identity.machine), network_card(identity.machine)),
        report=f"http://{INFORMATION_ADDRESS}/v1/report/{identity.token}",
    )


def plan_machine(
    order: Order, manifest: Manifest, told: Document, token: str, *, user: int | None, now: datetime
) -> VmRecord:
    """The record of the machine that an order asks for. Raises `UserError` where the image has no such role."""
    role = manifest.system_of(order.role)
    boots = Boots.of(manifest, role)
    if not boots.kernel or not boots.initrd:
        raise UserError("NotBootable", f"the image names no kernel and initrd for role {order.role!r}")
    line = command_line(
        [*manifest.kernel_parameters, f"init={role.init}", PANIC],
        order.kernel_parameters,
        told.canonical(),
        url=f"http://{INFORMATION_ADDRESS}/v1/info/{token}",
        card=management_card(order.machine),
    )
    return VmRecord(
        key=order.key,
        owner=order.owner,
        deployment=order.deployment,
        digest=order.digest,
        machine=order.machine,
        role=order.role,
        host=order.host,
        image=order.image,
        memory=order.resources.memory,
        cpus=order.resources.cpus,
        boots=boots,
        command_line=line.text,
        command_line_sha256=line.sha256,
        information=order.information,
        since=now,
        user=user,
    )


@dataclass(frozen=True, slots=True)
class End:
    """Why a machine ended, and who can mend that. `restart`: its system asked to be started again."""

    why: str
    blame: Blame
    restart: bool = False


def last_words(console: str, emulator: str, status: int | None) -> End:
    """Why a machine ended by itself, from its console and QEMU's own log.

    `reboot: …` is what the kernel says at the highest level before it obeys reboot(2) (kernel/reboot.c); a panic
    restarts without that. `status`: QEMU's, where it was our child.
    """
    if status is not None and status < 0:
        return End(f"QEMU was ended by signal {-status}", Blame.TESTBED)
    for line in reversed(console.splitlines()):
        if "reboot: Restarting system" in line:
            return End("the machine restarted itself", Blame.USER, restart=not status)
        if "reboot: Power down" in line:
            return End("the machine shut down by itself", Blame.USER)
        if "Out of memory" in line or "System is deadlocked on memory" in line or "write error" in line:
            return End(f"its memory is too small: {line.strip()[-300:]}", Blame.USER)
        if "Kernel panic" in line:
            return End(
                f"its kernel panicked: {line.partition('Kernel panic')[2].strip(' -')[:300]}", Blame.USER
            )
    said = emulator.strip().splitlines()[-1:] or [""]
    if status:
        return End(f"QEMU ended with {status}: {said[0][:300] or 'it said nothing'}", Blame.TESTBED)
    if status == 0:
        return End("the machine ended without a word: a reset by its hardware, or a shutdown", Blame.USER)
    return End("QEMU ended", Blame.TESTBED)


def started_again(record: VmRecord, told: str, *, reported: bool, now: datetime) -> VmRecord | End:
    """What is on record of a machine that restarted itself and is started again; its end where it does not cease.

    `told` is the digest of what it is told at its start, `reported` whether it had come so far as to report.
    """
    recent = tuple(time for time in record.restarts if now - time < RESTARTS_WITHIN)
    unreached = 0 if reported else record.unreached + 1
    if len(recent) >= RESTARTS:
        minutes = int(RESTARTS_WITHIN.total_seconds() // 60)
        return End(f"it restarted itself more than {RESTARTS} times within {minutes} minutes", Blame.USER)
    if unreached > UNREACHED:
        return End(f"it restarted itself {unreached} times in a row without ever reporting", Blame.USER)
    return replace(
        record, stage=Stage.ORDERED, restarts=(*recent, now), unreached=unreached, information=told
    )
