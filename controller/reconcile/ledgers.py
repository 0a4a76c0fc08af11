"""One ledger a testbed, for as long as this operator leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.model.deployment import Reservation
from controller.model.kinds import DEPLOYMENT, NODE, TESTBED, Key
from controller.model.node import Node
from controller.model.testbed import Capacity, Testbed
from controller.plan.admission import Admitted, Decision, Holding, Impossible, Ledger, Need, Waiting
from controller.runtime.feed import TESTBED_NEWS
from controller.runtime.store import Store


class Ledgers:
    """Who holds what of which testbed. Rebuilt from the store when a term of leadership begins.

    A deployment holds its reservation, on one testbed at most. Wherever else nodes bear its name (orphans of a
    Deployment that was deleted without them, which one of the same name takes up once it is admitted) it holds
    what they stand on: nobody else may have their machines.
    """

    def __init__(self, store: Store, wake: Callable[[Key, float], None]) -> None:
        self._ledgers: dict[str, Ledger] = {}
        self._reserved: dict[Key, str] = {}
        """On which testbed a deployment has its reservation: on record, or granted just now."""
        self._wanted: dict[Key, str] = {}
        """In which testbed's queue it waits."""
        self._stood: dict[Key, frozenset[str]] = {}
        """Where else it holds something, as last counted."""
        self._wake = wake
        for key, _ in store.all(DEPLOYMENT):
            deployment = store.deployment(key.namespace, key.name)
            if deployment is not None and (held := deployment.status.reservation) is not None:
                self.hold(key, held.testbed, Holding(held.machines, held.memory))
        for key, entry in store.all(NODE):
            if isinstance(entry.parsed, Node):
                owner = Key(DEPLOYMENT, key.namespace, entry.parsed.spec.deployment)
                self.recount(owner, store.nodes_of(owner))

    def of(self, testbed: str) -> Ledger:
        """The ledger of a testbed."""
        ledger = self._ledgers.get(testbed)
        if ledger is None:
            ledger = self._ledgers[testbed] = Ledger(testbed, Capacity())
        return ledger

    def testbed_of(self, key: Key) -> str:
        """Where a deployment has its reservation; empty where nowhere."""
        return self._reserved.get(key, "")

    def set_capacity(self, testbed: Testbed) -> None:
        """What the testbed has now; wakes who may get in by that."""
        ledger = self.of(testbed.meta.name)
        if ledger.capacity != testbed.capacity:
            ledger.capacity = testbed.capacity
            self._wake_head(testbed.meta.name)

    def request(self, key: Key, testbed: Testbed, order: tuple[str, str], need: Need) -> Decision:
        """Ask a testbed's ledger."""
        name = testbed.meta.name
        if self._wanted.get(key, name) != name:
            self.withdraw(key)
        ledger = self.of(name)
        ledger.capacity = testbed.capacity
        decision = ledger.request(key, order, need)
        if isinstance(decision, Waiting):
            self._wanted[key] = name
            return decision
        self._wanted.pop(key, None)
        if isinstance(decision, Admitted):
            self._reserve(key, name)
        self._wake_head(name)  # it left the queue: the next one may fit
        return decision

    def too_small(self, testbed: Testbed, need: Need) -> Impossible | None:
        """Whether a testbed that somebody thinks of moving to could never hold as much."""
        self.set_capacity(testbed)
        return self.of(testbed.meta.name).too_small(need)

    def withdraw(self, key: Key) -> None:
        """A deployment asks for nothing now, and keeps what it holds: those behind it in the queue move up."""
        name = self._wanted.pop(key, None)
        if name is not None:
            self.of(name).withdraw(key)
            self._wake_head(name)

    def hold(self, key: Key, testbed: str, holding: Holding) -> None:
        """A deployment's reservation is this; wakes who may get in when that is less than before."""
        self._reserve(key, testbed)
        self._set(key, testbed, holding)

    def would_lose(self, key: Key, reservation: Reservation | None) -> bool:
        """Whether a deployment holds by its reservation, or was granted, more than this."""
        name = self._reserved.get(key)
        if name is None:
            return False
        if reservation is None or reservation.testbed != name:
            return True
        held = self.of(name).holding(key)
        return not set(held.machines) <= set(reservation.machines) or held.memory > reservation.memory

    def release(self, key: Key) -> None:
        """A deployment has no reservation on record; what it had stays held until `recount`."""
        name = self._reserved.pop(key, None)
        if name is not None:
            self._stood[key] = self._stood.get(key, frozenset()) | {name}

    def recount(self, key: Key, nodes: Sequence[Node]) -> None:
        """Count what the nodes of a deployment stand on where it has no reservation."""
        standing: dict[str, list[Node]] = {}
        for node in nodes:
            if node.spec.testbed != self._reserved.get(key):
                standing.setdefault(node.spec.testbed, []).append(node)
        for testbed in sorted({*self._stood.pop(key, ()), *standing}):
            self._set(key, testbed, _sum(standing.get(testbed, ())))
        if standing:
            self._stood[key] = frozenset(standing)

    def hold_orphans(self, key: Key, nodes: Sequence[Node]) -> None:
        """A deployment is gone: it holds what its nodes stand on."""
        self.withdraw(key)
        self.release(key)
        self.recount(key, nodes)

    def _reserve(self, key: Key, testbed: str) -> None:
        if self._reserved.get(key, testbed) != testbed:
            self.release(key)
        self._reserved[key] = testbed
        self._stood[key] = self._stood.get(key, frozenset()) - {testbed}

    def _set(self, key: Key, testbed: str, holding: Holding) -> None:
        ledger = self.of(testbed)
        before = ledger.holding(key)
        if holding != before:
            ledger.hold(key, holding)
        if ledger.holding(key) != before:
            self._wake_head(testbed)

    def _wake_head(self, testbed: str) -> None:
        if (head := self.of(testbed).head()) is not None:
            self._wake(head, 0)
        self._wake(Key(TESTBED, "", testbed), TESTBED_NEWS)


def _sum(nodes: Sequence[Node]) -> Holding:
    """What nodes stand on."""
    memory = sum(node.spec.resources.memory for node in nodes)
    return Holding(tuple(node.spec.machine for node in nodes), memory)
