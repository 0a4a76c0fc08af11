"""The life of one simulated machine: how it stands at a time, as a pure function of its record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from math import inf
from typing import Any

from controller.model.deployment import Resources
from controller.model.errors import Blame
from controller.model.kinds import NODE, Key
from controller.model.machine import Machine, MachineKey, Order, Phase, Signal

NEVER = inf


@dataclass(frozen=True, slots=True)
class Fate:
    """What will become of a machine: seconds after its order; `NEVER` for what does not happen.

    `reported` is when it has fetched its information and told what it booted, rightly or (`wrong`) not.
    `ends` is when it stops by itself, for the reason `ending`; `broken` names the unit that fails.
    """

    running: float
    reported: float
    reached: float
    healthy: float
    ends: float = NEVER
    ending: str = ""
    wrong: bool = False
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A machine that was ordered.

    `since` is the orderer's clock reading, `born` the world's time. `pushed` is the information that was
    pushed last. `cut` is when something from outside ended it, `leaving` when its release will be done.
    """

    order: Order
    flavour: str
    since: datetime
    born: float
    fate: Fate
    pushed: str = ""
    cut: float = NEVER
    cut_by: str = ""
    leaving: float = NEVER

    @property
    def ends(self) -> float:
        """When it stops to run, whyever."""
        return min(self.born + self.fate.ends, self.cut)

    def running(self, now: float) -> bool:
        """Whether it runs."""
        return self.born + self.fate.running <= now < self.ends

    def alive(self, now: float) -> bool:
        """Whether it starts or runs: whether it takes a place on its testbed."""
        return now < self.ends

    def transitions(self) -> tuple[float, ...]:
        """Every time at which a reader of `machine` sees something change by itself."""
        fate = self.fate
        ages = (fate.running, fate.reported, fate.reached, fate.healthy)
        times = {self.born + age for age in ages if self.born + age < self.ends}
        return tuple(sorted(time for time in times | {self.ends, self.leaving} if time != NEVER))


def machine(record: Record, now: float) -> Machine:
    """How the machine stands."""
    order, fate, age = record.order, record.fate, now - record.born
    common = Machine(
        key=order.key,
        owner=order.owner,
        deployment=order.deployment,
        machine=order.machine,
        digest=order.digest,
        phase=Phase.STARTING,
        since=record.since,
        evidence=_console(record, now),
    )
    if not record.alive(now):
        why = fate.ending if record.born + fate.ends <= record.cut else record.cut_by
        return _with(common, phase=Phase.GONE, ended=why or "the simulated machine ended")
    if age < fate.running:
        return common
    found: dict[str, Any] = {"phase": Phase.RUNNING, "address": _address(order.machine or order.host)}
    if age >= fate.reported:
        found["information"] = record.pushed or order.information
        found["verified"] = (
            Signal(False, "WrongSystem", f"it booted another system than {order.image}")
            if fate.wrong
            else Signal(True, "Verified", f"it runs {order.image} as {order.role}")
        )
        found["reachable"] = Signal(False, "NoAnswer", "port 22 does not answer")
    if age >= fate.reached:
        found["reachable"] = Signal(True, "Answering", "")
        found["healthy"] = Signal(None, "Starting", "units are starting")
        if fate.broken:
            found["healthy"] = Signal(False, "UnitFailed", f"{fate.broken} has failed")
    if age >= fate.healthy:
        found["healthy"] = Signal(True, "Running", "no unit has failed")
    return _with(common, **found)


def _with(before: Machine, **changes: Any) -> Machine:
    values = {name: getattr(before, name) for name in Machine.__slots__}
    return Machine(**{**values, **changes})


def _address(name: str) -> str:
    number = sum(ord(letter) * 257**place for place, letter in enumerate(reversed(name)))
    return f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 1}"


def _console(record: Record, now: float) -> str:
    age, fate = now - record.born, record.fate
    lines = [f"simulated machine {record.order.machine}, image {record.order.image}"]
    lines += [
        f"[{second:10.3f}] {text}"
        for second, text in (
            (fate.running, f"Booting {record.order.role} ({record.order.host})"),
            (fate.reported, "Reached target nxc-first-boot.target"),
            (fate.healthy, "Reached target multi-user.target"),
            (fate.ends, fate.ending),
        )
        if second <= age
    ]
    return "\n".join(lines)


def dump(record: Record) -> dict[str, Any]:
    """A record as JSON has it."""
    order = asdict(record.order)
    order["key"] = list(record.order.key)
    order["owner"] = [record.order.owner.namespace, record.order.owner.name]
    order["kernel_parameters"] = list(record.order.kernel_parameters)
    times = {name: value for name, value in asdict(record.fate).items() if value != NEVER}
    found = {
        "order": order,
        "flavour": record.flavour,
        "since": record.since.isoformat(),
        "born": record.born,
        "fate": times,
        "pushed": record.pushed,
        "cut_by": record.cut_by,
    }
    for name in ("cut", "leaving"):
        if getattr(record, name) != NEVER:
            found[name] = getattr(record, name)
    return found


def load(value: Mapping[str, Any]) -> Record:
    """The record that `dump` wrote."""
    order = dict(value["order"])
    order["key"] = MachineKey(*order["key"])
    order["owner"] = Key(NODE, *order["owner"])
    order["resources"] = Resources(**order["resources"])
    order["kernel_parameters"] = tuple(order["kernel_parameters"])
    fate = dict.fromkeys(("running", "reported", "reached", "healthy"), NEVER) | value["fate"]
    return Record(
        order=Order(**order),
        flavour=value["flavour"],
        since=datetime.fromisoformat(value["since"]),
        born=value["born"],
        fate=Fate(**fate),
        pushed=value["pushed"],
        cut=value.get("cut", NEVER),
        cut_by=value["cut_by"],
        leaving=value.get("leaving", NEVER),
    )


__all__ = ["NEVER", "Blame", "Fate", "Record", "dump", "load", "machine"]
