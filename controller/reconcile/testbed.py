"""Testbeds: ask whether they answer, count what is in use, and sweep up what nobody owns."""

from __future__ import annotations

import logging

from controller.flavours.api import Backend
from controller.kube.api import NotFound
from controller.model.deployment import Deployment
from controller.model.errors import NxcError
from controller.model.kinds import DEPLOYMENT, IN_USE_FINALIZER, NODE, Key
from controller.model.machine import Inventory, Machine
from controller.model.node import Node
from controller.model.testbed import Testbed
from controller.plan.testbed import Usage, judge, usage_status
from controller.reconcile.backends import Backends, limited
from controller.reconcile.desk import Desk
from controller.reconcile.ledgers import Ledgers

logger = logging.getLogger(__name__)

PROBE_EVERY = 60.0
LEAVING_EVERY = 5.0
"""The same for one that is being deleted and still carries something of ours that nobody owns."""


class TestbedReconciler:
    """Looks after one Testbed."""

    __test__ = False

    def __init__(self, desk: Desk, backends: Backends, ledgers: Ledgers) -> None:
        self._desk, self._backends, self._ledgers = desk, backends, ledgers

    async def reconcile(self, key: Key) -> float | None:
        """See `controller.runtime.loop.Reconciler`."""
        desk = self._desk
        entry = desk.store.get(key)
        if entry is None or not isinstance(entry.parsed, Testbed):
            return None
        testbed = entry.parsed
        self._ledgers.set_capacity(testbed)
        in_use = self._in_use(key)
        leaving = testbed.meta.deleting and not in_use
        if leaving and IN_USE_FINALIZER not in testbed.meta.finalizers:
            return None
        problem: NxcError | None = None
        seen = networks = 0
        for flavour, backend in self._backends.on(testbed).items():
            try:
                await limited("answer a probe", backend.probe())
                inventory = await limited("list what it carries", backend.inventory())
                seen += len(inventory.machines)
                networks += len(inventory.networks)
                await self._sweep(backend, inventory, self._networks_wanted(testbed.meta.name, flavour))
            except NxcError as error:
                problem = error
        left = await self._sweep_what_is_left(testbed)
        if leaving and problem is None and not (seen or networks or left):
            await desk.set_finalizer(key, entry, IN_USE_FINALIZER, present=False)
            return None
        kinds = frozenset(kind for kinds in self._backends.served_by.values() for kind in kinds)
        ledger = self._ledgers.of(testbed.meta.name)
        usage = Usage(ledger.nodes, ledger.memory, ledger.admitted, len(ledger.waiting), seen)
        generation = testbed.meta.generation
        conditions = testbed.conditions.then(
            judge(testbed, kinds, problem), generation=generation, now=desk.clock()
        )
        status = {
            "observedGeneration": generation,
            "conditions": conditions.to_list(),
            **usage_status(testbed, usage),
        }
        entry = await desk.write_status(key, entry, status)
        if in_use and not testbed.meta.deleting and IN_USE_FINALIZER not in testbed.meta.finalizers:
            await desk.set_finalizer(key, entry, IN_USE_FINALIZER, present=True)
        return LEAVING_EVERY if leaving else PROBE_EVERY

    def _in_use(self, key: Key) -> bool:
        """Whether a deployment holds something here, or a node stands here."""
        for user in self._desk.store.users(key):
            entry = self._desk.store.get(user)
            parsed = entry.parsed if entry is not None else None
            if isinstance(parsed, Node):
                return True
            if isinstance(parsed, Deployment):
                held = parsed.status.reservation
                if held is not None and held.testbed == key.name:
                    return True
        return False

    def _networks_wanted(self, testbed: str, flavour: str) -> set[str]:
        """The uids of deployments that hold something here in this flavour, or made nodes that are here."""
        wanted = set()
        for _, entry in self._desk.store.all(DEPLOYMENT):
            parsed = entry.parsed
            if isinstance(parsed, Deployment) and parsed.flavour == flavour:
                held = parsed.status.reservation
                if held is not None and held.testbed == testbed:
                    wanted.add(entry.meta.uid)
        for _, entry in self._desk.store.all(NODE):
            node = entry.parsed
            if isinstance(node, Node) and (node.spec.testbed, node.spec.flavour) == (testbed, flavour):
                wanted.add(node.network)
        return wanted

    async def _sweep_what_is_left(self, testbed: Testbed) -> int:
        """Sweep in flavours that the testbed serves no more; how much there was. What fails there is no fault of it."""
        left = 0
        for flavour, backend in self._backends.once_on(testbed).items():
            try:
                inventory = await limited("list what it carries", backend.inventory())
                left += len(inventory.machines) + len(inventory.networks)
                await self._sweep(backend, inventory, self._networks_wanted(testbed.meta.name, flavour))
            except NxcError as error:
                logger.info("what %s carries in %s is not known: %s", testbed.meta.name, flavour, error)
        return left

    async def _sweep(self, backend: Backend, inventory: Inventory, networks_wanted: set[str]) -> None:
        """Release what carries our id and whose object is gone: a controller died at a bad moment."""
        for machine in inventory.machines:
            if await self._ownerless(machine):
                logger.warning("machine %s has no DeployedNode any more; it is released", machine.key)
                await limited("release the machine", backend.release(machine.key.node, machine.owner))
        carried = {machine.deployment for machine in inventory.machines}
        for network in inventory.networks:
            if network not in networks_wanted and network not in carried:
                logger.warning("the network of deployment %s is not wanted any more", network)
                await limited("dismantle the network", backend.dismantle(network))

    async def _ownerless(self, machine: Machine) -> bool:
        if not machine.owner.name:  # its record was lost
            nodes = (await self._desk.api.list(NODE)).items
            return all(node["metadata"].get("uid") != machine.key.node for node in nodes)
        entry = self._desk.store.get(machine.owner)
        if entry is not None and entry.meta.uid == machine.key.node:
            return False
        try:
            obj = await self._desk.api.get(NODE, machine.owner.namespace, machine.owner.name)
        except NotFound:
            return True
        self._desk.feed.accept(NODE, obj)
        return str(obj["metadata"].get("uid")) != machine.key.node
