"""Who may use a testbed now, and who waits.

One `Ledger` a testbed: what each deployment holds, and the queue of those that wait. First come, first
served, by creation time and then name: a deployment that does not fit holds back those behind it, so that
a large one cannot starve. One that could never fit is told so and does not queue.

The ledger lives in the leader's memory and is rebuilt from what the deployments' statuses record, so a
decision that was not written down was never made.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass

from controller.model.kinds import Key
from controller.model.quantity import counted, format_bytes
from controller.model.testbed import Capacity

Order = tuple[str, str]
"""A place in the queue: creation time (RFC 3339), and the name of what came in the same second."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What one deployment has of the testbed: machines by name, memory in bytes."""

    machines: tuple[str, ...] = ()
    memory: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """What a deployment needs in all: nodes, memory in bytes, and machines it insists on."""

    nodes: int
    memory: int
    machines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admitted:
    """The deployment holds this from now on."""

    holding: Holding


@dataclass(frozen=True, slots=True)
class Waiting:
    """The deployment is at this place of the queue, counted from 1, and why."""

    position: int
    message: str


@dataclass(frozen=True, slots=True)
class Impossible:
    """The testbed is too small, whoever leaves it."""

    message: str


Decision = Admitted | Waiting | Impossible


class Ledger:
    """Holdings and queue of one testbed. Every operation is O(log n) or O(what it moves)."""

    def __init__(self, testbed: str, capacity: Capacity) -> None:
        self._testbed = testbed
        self.capacity = capacity
        self._holdings: dict[Key, Holding] = {}
        self._owner: dict[str, Key] = {}
        self._memory = 0
        self._lowest = 1  # no machine below this index is free
        self._queue: list[tuple[Order, Key]] = []
        self._waiting: dict[Key, Order] = {}

    @property
    def nodes(self) -> int:
        """Machines held in all."""
        return len(self._owner)

    @property
    def memory(self) -> int:
        """Memory held in all, in bytes."""
        return self._memory

    @property
    def admitted(self) -> int:
        """How many deployments hold something."""
        return sum(1 for holding in self._holdings.values() if holding.machines)

    @property
    def waiting(self) -> tuple[Key, ...]:
        """Those that wait, first first."""
        return tuple(key for _, key in self._queue)

    def holding(self, key: Key) -> Holding:
        """What a deployment holds."""
        return self._holdings.get(key, Holding())

    def hold(self, key: Key, holding: Holding) -> None:
        """Set what a deployment holds, without asking: for what a status records.

        A machine that somebody else has stays with that one.
        """
        self._drop(key)
        machines = tuple(name for name in holding.machines if name not in self._owner)
        if not machines and not holding.memory:
            return
        self._holdings[key] = Holding(machines, holding.memory)
        self._memory += holding.memory
        for name in machines:
            self._owner[name] = key

    def request(self, key: Key, order: Order, need: Need) -> Decision:
        """Ask for `need` in all, what is held already included.

        A deployment that needs no more than it holds keeps it at once and passes the queue; one that
        shrinks gives back by `hold` when its nodes are gone, not here.
        """
        held = self.holding(key)
        more_nodes = max(0, need.nodes - len(held.machines))
        more_memory = max(0, need.memory - held.memory)
        missing = tuple(name for name in need.machines if name not in held.machines)
        if not more_nodes and not more_memory and not missing:
            self._leave_queue(key)
            return Admitted(held)
        if (why := self._impossible(need)) is not None:
            self._leave_queue(key)
            return Impossible(why)
        self._enter_queue(key, order)
        position = bisect_left(self._queue, (order, key)) + 1
        if position > 1:
            ahead = self._queue[0][1]
            return Waiting(
                position,
                f"{position - 1} ahead in the queue of testbed {self._testbed}, "
                f"the first {ahead.namespace}/{ahead.name}",
            )
        if (why := self._blocked(key, max(more_nodes, len(missing)), more_memory, missing)) is not None:
            return Waiting(position, why)
        self._leave_queue(key)
        extra = missing or self._free_names(more_nodes)
        self.hold(key, Holding((*held.machines, *extra), max(need.memory, held.memory)))
        return Admitted(self.holding(key))

    def withdraw(self, key: Key) -> None:
        """The deployment wants no more than it holds, for now: it leaves the queue."""
        self._leave_queue(key)

    def head(self) -> Key | None:
        """Who is next in the queue; to be woken when something became free."""
        return self._queue[0][1] if self._queue else None

    def too_small(self, need: Need) -> Impossible | None:
        """Whether the testbed could never hold as much; asks for nothing."""
        why = self._impossible(need)
        return Impossible(why) if why is not None else None

    def _impossible(self, need: Need) -> str | None:
        nodes, memory = self.capacity.nodes, self.capacity.memory
        if nodes is not None and need.nodes > nodes:
            return (
                f"needs {counted(need.nodes, 'node')}, and testbed {self._testbed} has {nodes} in all: lower the "
                "counts in spec.roles, or name a larger one in spec.testbedRef"
            )
        if memory is not None and need.memory > memory:
            return (
                f"needs {format_bytes(need.memory)} of memory, and testbed {self._testbed} has "
                f"{format_bytes(memory)} in all: lower counts or resources in spec.roles, or name a larger one in "
                "spec.testbedRef"
            )
        for name in need.machines:
            index = self._index(name)
            if index is None or (nodes is not None and index > nodes):
                last = self._name(nodes) if nodes is not None else "…"
                return f"spec.machines: {name!r} is not one of testbed {self._testbed} ({self._name(1)} to {last})"
        return None

    def _blocked(self, key: Key, nodes: int, memory: int, missing: Iterable[str]) -> str | None:
        for name in missing:
            owner = self._owner.get(name)
            if owner is not None and owner != key:
                return f"machine {name} is held by {owner.namespace}/{owner.name}"
        if self.capacity.nodes is not None and nodes > self.capacity.nodes - self.nodes:
            return (
                f"needs {counted(nodes, 'more node')}, and {max(0, self.capacity.nodes - self.nodes)} of "
                f"{self.capacity.nodes} are free on testbed {self._testbed}"
            )
        if self.capacity.memory is not None and memory > self.capacity.memory - self._memory:
            free = max(0, self.capacity.memory - self._memory)
            return (
                f"needs {format_bytes(memory)} more memory, and {format_bytes(free)} of "
                f"{format_bytes(self.capacity.memory)} are free on testbed {self._testbed}"
            )
        return None

    def _free_names(self, count: int) -> tuple[str, ...]:
        names: list[str] = []
        while len(names) < count:
            if (name := self._name(self._lowest)) not in self._owner:
                names.append(name)
            self._lowest += 1
        return tuple(names)

    def _name(self, index: int) -> str:
        return f"{self._testbed}-{index}"

    def _index(self, name: str) -> int | None:
        digits = name.removeprefix(f"{self._testbed}-")
        return (
            int(digits)
            if digits.isascii() and digits.isdecimal() and name == self._name(int(digits))
            else None
        )

    def _enter_queue(self, key: Key, order: Order) -> None:
        if self._waiting.get(key) == order:
            return
        self._leave_queue(key)
        self._waiting[key] = order
        insort(self._queue, (order, key))

    def _leave_queue(self, key: Key) -> None:
        order = self._waiting.pop(key, None)
        if order is not None:
            del self._queue[bisect_left(self._queue, (order, key))]

    def _drop(self, key: Key) -> None:
        held = self._holdings.pop(key, None)
        if held is None:
            return
        self._memory -= held.memory
        for name in held.machines:
            del self._owner[name]
            if (index := self._index(name)) is not None:
                self._lowest = min(self._lowest, index)
