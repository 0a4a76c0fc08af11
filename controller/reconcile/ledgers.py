"""One ledger a testbed, for as long as this operator leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from controller.model.kinds import DEPLOYMENT, NODE, TESTBED, Key
from controller.model.node import Node
from controller.model.testbed import Capacity, Testbed
from controller.plan.admission import Decision, Holding, Impossible, Ledger, Need, Waiting
from controller.runtime.feed import TESTBED_NEWS
from controller.runtime.store import Store


class Ledgers:
    """Who holds what of which testbed. Rebuilt from the store when a term of leadership begins."""

    def __init__(self, store: Store, wake: Callable[[Key, float], None]) -> None:
        self._ledgers: dict[str, Ledger] = {}
        self._on: dict[Key, str] = {}
        self._orphaned: set[Key] = set()  # whose holding stands for orphans
        self._wake = wake
        for key, _ in store.all(DEPLOYMENT):
            deployment = store.deployment(key.namespace, key.name)
            if deployment is not None and (held := deployment.status.reservation) is not None:
                self._hold(key, held.testbed, Holding(held.machines, held.memory))
        for key, entry in store.all(NODE):
            if isinstance(entry.parsed, Node):
                owner = Key(DEPLOYMENT, key.namespace, entry.parsed.spec.deployment)
                if owner not in self._on:
                    self.hold_orphans(owner, store.nodes_of(owner))

    def hold_orphans(self, deployment: Key, nodes: Sequence[Node]) -> None:
        """Nodes whose Deployment was deleted without them, and those that a Deployment of the same name may
        take up once it is admitted: nobody else may have their machines."""
        if not nodes:
            self.forget(deployment)
            return
        self.hold(deployment, nodes[0].spec.testbed, _standing(nodes))
        self._orphaned.add(deployment)

    def recount_orphans(self, deployment: Key, nodes: Sequence[Node]) -> None:
        """The same for a Deployment that waits in the queue, and keeps its place there.

        What it was granted and has not on record yet is not touched: that may be on record all the same.
        """
        if deployment in self._orphaned:
            here = self._on[deployment]
            self.hold(deployment, here, _standing([node for node in nodes if node.spec.testbed == here]))
            self._orphaned.add(deployment)

    def of(self, testbed: str) -> Ledger:
        """The ledger of a testbed."""
        ledger = self._ledgers.get(testbed)
        if ledger is None:
            ledger = self._ledgers[testbed] = Ledger(testbed, Capacity())
        return ledger

    def testbed_of(self, key: Key) -> str:
        """Where a deployment holds or wants something; empty where nowhere."""
        return self._on.get(key, "")

    def set_capacity(self, testbed: Testbed) -> None:
        """What the testbed has now; wakes who may get in by that."""
        ledger = self.of(testbed.meta.name)
        if ledger.capacity != testbed.capacity:
            ledger.capacity = testbed.capacity
            self._wake_head(testbed.meta.name)

    def request(self, key: Key, testbed: Testbed, order: tuple[str, str], need: Need) -> Decision:
        """Ask a testbed's ledger."""
        name = testbed.meta.name
        elsewhere = self._on.get(key)
        if elsewhere is not None and elsewhere != name:
            self.forget(key)
        self._on[key] = name
        ledger = self.of(name)
        ledger.capacity = testbed.capacity
        decision = ledger.request(key, order, need)
        if not isinstance(decision, Waiting):
            self._orphaned.discard(key)
            self._wake_head(name)  # it left the queue: the next one may fit
        return decision

    def too_small(self, testbed: Testbed, need: Need) -> Impossible | None:
        """Whether a testbed that somebody thinks of moving to could never hold as much."""
        self.set_capacity(testbed)
        return self.of(testbed.meta.name).too_small(need)

    def withdraw(self, key: Key) -> None:
        """A deployment asks for nothing now, and keeps what it holds: those behind it in the queue move up."""
        name = self._on.get(key)
        if name is not None and self.of(name).withdraw(key):
            self._wake_head(name)

    def hold(self, key: Key, testbed: str, holding: Holding) -> None:
        """Set what a deployment holds; wakes who may get in when that is less than before."""
        before = self.of(testbed).holding(key)
        if holding != before:
            self._hold(key, testbed, holding)
            self._wake_head(testbed)

    def forget(self, key: Key) -> None:
        """A deployment holds and wants nothing more, on any testbed."""
        name = self._on.pop(key, None)
        self._orphaned.discard(key)
        if name is not None:
            self.of(name).forget(key)
            self._wake_head(name)

    def _hold(self, key: Key, testbed: str, holding: Holding) -> None:
        self._on[key] = testbed
        self._orphaned.discard(key)
        self.of(testbed).hold(key, holding)

    def _wake_head(self, testbed: str) -> None:
        if (head := self.of(testbed).head()) is not None:
            self._wake(head, 0)
        self._wake(Key(TESTBED, "", testbed), TESTBED_NEWS)


def _standing(nodes: Sequence[Node]) -> Holding:
    """What nodes stand on."""
    memory = sum(node.spec.resources.memory for node in nodes)
    return Holding(tuple(node.spec.machine for node in nodes), memory)
