"""Nodes: ask the backend what stands, plan the next step, write it down, do it."""

from __future__ import annotations

from collections.abc import Sequence

from controller.flavours.api import Backend
from controller.model.errors import NxcError
from controller.model.kinds import MACHINE_FINALIZER, Key
from controller.model.machine import Machine
from controller.model.node import Node, NodeStatus
from controller.plan import node as plan
from controller.plan.testbed import Refusal
from controller.reconcile.backends import Backends, limited
from controller.reconcile.desk import Desk
from controller.runtime.store import Entry


class NodeReconciler:
    """Brings one DeployedNode and its machine together."""

    def __init__(self, desk: Desk, backends: Backends) -> None:
        self._desk, self._backends = desk, backends

    async def reconcile(self, key: Key) -> float | None:
        """See `controller.runtime.loop.Reconciler`."""
        desk = self._desk
        entry = desk.store.get(key)
        if entry is None:
            desk.problems.pop(key, None)
            return None
        if not isinstance(entry.parsed, Node):
            return None
        node = entry.parsed
        world, backend = await self._gather(key, node)
        planned = plan.plan_node(world, desk.clock())
        self._measure(node, planned.status)
        try:
            if node.meta.deleting and planned.actions and isinstance(backend, Backend):
                return await self._let_go(key, entry, planned, backend)
            before = entry.meta.resource_version
            entry = await desk.write_status(key, entry, planned.status.to_dict())
            written = entry.meta.resource_version != before
            again = planned.look_again.total_seconds() if planned.look_again is not None else None
            for action in planned.actions:
                again = await self._do(key, node, planned.status, backend, action, again, written=written)
        except NxcError as error:
            desk.problems[key] = error
            raise
        desk.problems.pop(key, None)
        return again

    async def _gather(self, key: Key, node: Node) -> tuple[plan.NodeWorld, Backend | Refusal]:
        desk, spec = self._desk, node.spec
        deployment = desk.store.deployment(key.namespace, spec.deployment)
        backend = self._backends.get(spec.flavour, spec.testbed)
        machines: Sequence[Machine] = ()
        refusal = backend if isinstance(backend, Refusal) else None
        if not isinstance(backend, Refusal):
            try:
                machines = await limited("list machines", backend.machines(node.meta.uid))
            except NxcError as error:
                refusal = Refusal(error.reason, error.message, error.blame)
        world = plan.NodeWorld(
            node=node,
            machines=machines,
            installation=desk.installation,
            deployment=node.network,
            suspend=deployment is not None and deployment.suspend and node.meta.owned_by(deployment.meta.uid),
            refusal=refusal,
            problem=desk.problems.get(key),
        )
        return world, backend

    async def _let_go(self, key: Key, entry: Entry, planned: plan.NodePlan, backend: Backend) -> float | None:
        """Release first, and write only when that takes longer: most nodes go in one step."""
        desk, node = self._desk, entry.meta
        released = False
        try:
            released = await limited("release the machine", backend.release(node.uid, key))
        except NxcError as error:
            desk.problems[key] = error
        if released:
            desk.problems.pop(key, None)
            await desk.set_finalizer(key, entry, MACHINE_FINALIZER, present=False)
            return None
        await desk.write_status(key, entry, planned.status.to_dict())
        if (problem := desk.problems.get(key)) is not None:
            raise problem
        return planned.look_again.total_seconds() if planned.look_again is not None else None

    async def _do(
        self,
        key: Key,
        node: Node,
        planned: NodeStatus,
        backend: Backend | Refusal,
        action: plan.Action,
        again: float | None,
        *,
        written: bool,
    ) -> float | None:
        """Carry out one action; seconds until the next look."""
        if isinstance(backend, Refusal):
            return again
        match action:
            case plan.Boot(order):
                # A write that went through has just proved that the object is there; else ask.
                if not written and not await self._desk.fresh(key, node.meta.uid):
                    return 0.0
                self._see_that_it_is_free(node, planned)
                if self._backends.shares_network(node.spec.flavour):
                    # It was made before the node was; an orphan's may have been swept away since.
                    await limited("make the network", backend.prepare(order.deployment))
                await limited("take the order of a machine", backend.boot(order))
                self._desk.metrics.boots.labels(node.spec.flavour).inc()
            case plan.Inform(machine, information):
                await limited("take the deployment information", backend.inform(machine, information))
            case plan.Release():
                if await limited("release the machine", backend.release(node.meta.uid, key)):
                    return 0.0
        return again

    def _see_that_it_is_free(self, node: Node, status: NodeStatus) -> None:
        """Two nodes may be told to stand on one machine, after a `create` whose answer was lost: one waits.

        First comes whose machine was seen, then whose attempt began earlier.
        """
        mine = status.attempt
        for other in self._desk.store.nodes_on(node.spec.testbed, node.spec.machine):
            theirs = other.status.attempt
            if other.meta.uid == node.meta.uid or mine is None or theirs is None:
                continue
            if theirs.seen or (theirs.started, other.meta.uid) < (mine.started, node.meta.uid):
                raise NxcError(
                    "MachineTaken", f"machine {node.spec.machine} is still that of node {other.meta.name}"
                )

    def _measure(self, node: Node, after: NodeStatus) -> None:
        flavour, attempt = node.spec.flavour, after.attempt
        if after.last_failure is not None and after.failures > node.status.failures:
            failure = after.last_failure
            self._desk.metrics.boot_failures.labels(flavour, failure.reason, failure.blame.value).inc()
        if attempt is None:
            return
        for phase, time in after.timings.items():
            if phase not in node.status.timings:
                seconds = max(0.0, (time - attempt.started).total_seconds())
                self._desk.metrics.phase_seconds.labels(flavour, phase.removesuffix("At")).observe(seconds)
