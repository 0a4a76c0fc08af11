"""What exists on a simulated testbed, apart from the life of any operator; and what operators did to it.

The world is a strict host: it does what a contract of `controller.flavours.api` says, and writes down every
breach of that contract by whoever uses it, for tests to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from controller.model.errors import TestbedError
from controller.model.machine import Inventory, Machine, MachineKey, Order
from nxc_simulators.life import NEVER, Record, machine
from nxc_simulators.policy import Policy, parameters
from nxc_simulators.shelf import Shelf


class Network(NamedTuple):
    """What the nodes of one deployment share, in one flavour."""

    installation: str
    flavour: str
    deployment: str


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done here, for the journal."""

    time: float
    verb: str
    subject: str
    detail: str = ""


Listener = Callable[[Record], None]


class World:
    """Machines and networks of one testbed. Every method is quick and repeatable.

    `now` gives the world's own time in seconds, which nobody's clock can jump. With a `shelf`, all of it
    is kept there, and other processes may share it.
    """

    def __init__(self, *, now: Callable[[], float], policy: Policy | None = None, shelf: Shelf | None = None):
        self.now = now
        self.policy = policy or Policy()
        self.journal: list[Deed] = []
        self.breaches: list[str] = []
        self.on_breach: Callable[[str], None] = lambda what: None
        self.on_collision: Callable[[Order, Record], None] = lambda order, other: None
        """Hears of an order for a machine that carries another node's: a breach, if that node is still wanted."""
        self.listeners: list[Listener] = []
        self.needs_network: set[str] = set()
        """Flavours whose machines may only be booted on a prepared network."""
        self.outage = ""
        """Why the testbed does not answer now; empty when it does."""
        self._records: dict[MachineKey, Record] = {}
        self._index: dict[tuple[str, str], dict[MachineKey, None]] = {}
        self._networks: dict[Network, None] = {}
        self._booted: dict[MachineKey, str] = {}
        self._lost: set[MachineKey] = set()
        self._refused: Counter[MachineKey] = Counter()
        self._shelf = shelf
        if shelf is not None:
            self.refresh()

    @property
    def shared(self) -> bool:
        """Whether other processes may change it."""
        return self._shelf is not None

    # ------------------------------------------------------------ what a backend asks

    def boot(self, order: Order, flavour: str, since: datetime, *, pace: float = 1.0) -> None:
        """Take an order; raises `TestbedError` where the testbed refuses it.

        `since` is the orderer's clock reading; `pace` stretches the usual length of stages.
        """
        self.refresh()
        key = order.key
        there = self._records.get(key)
        if there is not None:
            if there.order.digest != order.digest:
                self._breach(f"{key} was booted with {there.order.digest} and again with {order.digest}")
            return
        if key in self._booted:
            self._breach(f"{key} was booted, released, and booted again")
        if any(other.attempt > key.attempt for other in self._keys("node", key.node)):
            self._breach(f"{key} was booted after a later attempt")
        if flavour in self.needs_network and not self._has_network(key.installation, flavour, order):
            self._breach(f"{key} was booted before the network of deployment {order.deployment} was made")
        if self.policy.refuses(order, self._refused[key]):
            self._refused[key] += 1
            raise TestbedError("OrderRefused", f"the testbed refuses to start {order.machine} (simulated)")
        now = self.now()
        for other in self._of("node", key.node):
            if other.alive(now):
                self._breach(f"{key} was booted while {other.order.key} is there")
        for other in self._of("place", order.machine):
            if other.alive(now) and other.order.key.node != key.node:
                self.on_collision(order, other)
                raise TestbedError("MachineTaken", f"{order.machine} still carries {other.order.owner.name}")
        self._booted[key] = order.digest
        self._keep("boot", str(key), order.digest)
        self._set(Record(order, flavour, since, now, self.policy.fate(order, pace)))
        self._note("boot", str(key), f"{order.owner.name} on {order.machine}, attempt {key.attempt}")

    def inform(self, key: MachineKey, information: str) -> None:
        """Push information to a running machine; raises `TestbedError` where it cannot be reached."""
        self.refresh()
        record = self._records.get(key)
        if record is None:
            if key not in self._booted and key not in self._lost:
                self._breach(f"{key} was informed and never booted")
            raise TestbedError("NoSuchMachine", f"there is no machine {key}")
        if not machine(record, self.now()).information:
            raise TestbedError("NotAnswering", f"{record.order.machine} does not answer")
        if record.pushed != information:
            self._set(replace(record, pushed=information))
            self._note("inform", str(key), f"{record.order.owner.name} of its changed information")

    def release(self, node: str, flavour: str = "") -> bool:
        """End and forget the machines of a node; False while some are still on their way out.

        `flavour`: of the backend that asks; it may end no other flavour's machines.
        """
        self.refresh()
        now = self.now()
        for record in self._of("node", node):
            key = record.order.key
            if flavour and record.flavour != flavour:
                self._breach(f"{key} is of flavour {record.flavour}, and {flavour} was told to release it")
            if record.leaving == NEVER:
                lasts = self.policy.ending if record.alive(now) else 0.0
                record = replace(
                    record, cut=min(record.cut, now), cut_by=record.cut_by or "released", leaving=now + lasts
                )
                self._set(record)
                self._note("release", str(key), record.order.owner.name)
            if record.leaving <= now:
                self._remove(key)
        return not self._keys("node", node)

    def machines(self, node: str, flavour: str) -> list[Machine]:
        """The machines of a node."""
        self.refresh()
        now = self.now()
        return [machine(record, now) for record in self._of("node", node) if record.flavour == flavour]

    def inventory(self, installation: str, flavour: str) -> Inventory:
        """Everything of one installation and flavour."""
        self.refresh()
        now = self.now()
        return Inventory(
            machines=tuple(
                machine(record, now)
                for record in self._records.values()
                if record.order.key.installation == installation and record.flavour == flavour
            ),
            networks=tuple(
                network.deployment
                for network in self._networks
                if network.installation == installation and network.flavour == flavour
            ),
        )

    def prepare(self, network: Network) -> None:
        """Make a network."""
        self.refresh()
        if network not in self._networks:
            self._networks[network] = None
            self._keep("network", "/".join(network), "")
            self._note("prepare", network.deployment)

    def dismantle(self, network: Network) -> bool:
        """Take a network away; False while machines are on it."""
        self.refresh()
        now = self.now()
        for record in self._of("deployment", network.deployment):
            if record.flavour == network.flavour and record.leaving > now:
                return False
        if network in self._networks:
            del self._networks[network]
            self._keep("network", "/".join(network), None)
            self._note("dismantle", network.deployment)
        return True

    # ------------------------------------------------------------ what happens to it

    def cut(self, key: MachineKey, why: str) -> None:
        """End a machine from outside: a power cut, somebody's `kill`."""
        self.refresh()
        record = self._records[key]
        if record.alive(self.now()):
            self._set(replace(record, cut=self.now(), cut_by=why))
            self._note("cut", str(key), f"{record.order.owner.name}: {why}")

    def lose(self, key: MachineKey) -> None:
        """End a machine and every trace of it, which no good testbed does."""
        self.refresh()
        self._note("lose", str(key), self._records[key].order.owner.name)
        self._remove(key)
        self._booted.pop(key, None)  # who never saw it cannot know that it was there
        self._lost.add(key)

    def spare(self) -> None:
        """Let no machine end any more that was fated to by chance."""
        for record in self.records():
            if record.alive(self.now()) and not {"fail", "vanish-after"} & parameters(record.order).keys():
                self._set(replace(record, fate=replace(record.fate, ends=NEVER)))

    def records(self) -> tuple[Record, ...]:
        """Every machine of which there is a trace."""
        self.refresh()
        return tuple(self._records.values())

    def networks(self) -> tuple[Network, ...]:
        """Every network."""
        self.refresh()
        return tuple(self._networks)

    def refresh(self) -> None:
        """See what other processes did."""
        if self._shelf is None:
            return
        for kind, name, value in self._shelf.news():
            match kind:
                case "machine":
                    self._learn_machine(name, value)
                case "network":
                    network = Network(*name.split("/"))
                    if value is None:
                        self._networks.pop(network, None)
                    else:
                        self._networks[network] = None
                case "boot":
                    self._booted[_key(name)] = str(value)
                case "outage":
                    self.outage = str(value or "")

    def set_outage(self, why: str) -> None:
        """Let the testbed not answer, or (with nothing) answer again."""
        self.outage = why
        self._keep("outage", "", why)

    # ------------------------------------------------------------ inside

    def _keys(self, by: str, name: str) -> Iterable[MachineKey]:
        return self._index.get((by, name), ())

    def _of(self, by: str, name: str) -> list[Record]:
        return [self._records[key] for key in self._keys(by, name)]

    def _has_network(self, installation: str, flavour: str, order: Order) -> bool:
        return Network(installation, flavour, order.deployment) in self._networks

    def _set(self, record: Record) -> None:
        self._put(record)
        if self._shelf is not None:
            self._shelf.put_record(str(record.order.key), record)
        self._tell(record)

    def _put(self, record: Record) -> None:
        self._records[record.order.key] = record
        for entry in _entries(record):
            self._index.setdefault(entry, {})[record.order.key] = None

    def _remove(self, key: MachineKey) -> None:
        record = self._drop(key)
        self._keep("machine", str(key), None)
        if record is not None:
            self._tell(record)

    def _drop(self, key: MachineKey) -> Record | None:
        record = self._records.pop(key, None)
        for entry in _entries(record) if record is not None else ():
            left = self._index[entry]
            del left[key]
            if not left:
                del self._index[entry]
        return record

    def _learn_machine(self, name: str, value: object) -> None:
        if isinstance(value, Record):
            self._put(value)
            self._tell(value)
        elif (record := self._drop(_key(name))) is not None:
            self._tell(record)

    def _keep(self, kind: str, name: str, value: str | None) -> None:
        if self._shelf is not None:
            self._shelf.put(kind, name, value)

    def _tell(self, record: Record) -> None:
        for listener in tuple(self.listeners):
            listener(record)

    def _note(self, verb: str, subject: str, detail: str = "") -> None:
        self.journal.append(Deed(self.now(), verb, subject, detail))

    def _breach(self, what: str) -> None:
        self.breaches.append(f"{self.now():.3f}: {what}")
        self.on_breach(what)
        self._keep("breach", f"{self.now():.6f}", what)


def _key(name: str) -> MachineKey:
    installation, node, attempt = name.rsplit("/", 2)
    return MachineKey(installation, node, int(attempt))


def _entries(record: Record) -> tuple[tuple[str, str], ...]:
    order = record.order
    return ("node", order.key.node), ("place", order.machine), ("deployment", order.deployment)
