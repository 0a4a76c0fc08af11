"""Deployments: gather what is known, ask the ledger, plan, write, act."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

from controller.kube.api import AlreadyExists, Conflict, NotFound
from controller.model.deployment import Deployment, DeploymentStatus
from controller.model.errors import Blame, NxcError
from controller.model.kinds import (
    DEPLOYMENT,
    DEPLOYMENT_LABEL,
    IN_USE_FINALIZER,
    MACHINE_FINALIZER,
    NAMESPACE,
    NETWORK_LABEL,
    NODE,
    RESERVATION_FINALIZER,
    ROLE_LABEL,
    SECRET,
    TESTBED,
    Key,
)
from controller.model.meta import Meta
from controller.model.names import node_name
from controller.model.node import Node, NodeSpec
from controller.model.quantity import format_precise
from controller.model.testbed import Testbed
from controller.plan import deployment as plan
from controller.plan.admission import Admitted, Decision, Waiting
from controller.plan.testbed import Refusal, choose
from controller.plan.wish import DeploymentWorld, Wish, lapsed, wish
from controller.reconcile.backends import Backends, limited
from controller.reconcile.desk import Desk
from controller.reconcile.key_pairs import KeyPairs
from controller.reconcile.ledgers import Ledgers
from controller.runtime.store import Entry
from controller.sandbox.api import Order, Sandbox

AT_ONCE = 10
"""How many nodes of one deployment are created, changed or deleted side by side."""


class DeploymentReconciler:
    """Brings one Deployment and its nodes together."""

    def __init__(
        self, desk: Desk, backends: Backends, ledgers: Ledgers, key_pairs: KeyPairs, sandbox: Sandbox
    ) -> None:
        self._desk, self._backends, self._ledgers, self._key_pairs = desk, backends, ledgers, key_pairs
        self._sandbox = sandbox

    async def reconcile(self, key: Key) -> float | None:
        """See `controller.runtime.loop.Reconciler`."""
        desk = self._desk
        entry = desk.store.get(key)
        if entry is None:
            await self._sandbox.stop(key)
            desk.problems.pop(key, None)
            desk.information.pop(key, None)
            orphans = desk.store.nodes_of(key)
            self._ledgers.hold_orphans(key, orphans)
            if not orphans:
                self._key_pairs.forget(key)
            return None
        if not isinstance(entry.parsed, Deployment):
            return None
        world = await self._gather(key, entry.parsed)
        self._sandbox.tell(key, world.nodes)
        now = desk.clock()
        wanted = wish(world)
        if (refused := await self._refused(world, wanted)) is not None:
            wanted = replace(wanted, refusal=refused)
        decision = self._decide(key, world, wanted)
        if not isinstance(decision, Waiting):
            self._ledgers.withdraw(key)  # in the queue are those that were told to wait, and nobody else
        if isinstance(decision, Admitted) and isinstance(world.testbed, Testbed):
            await self._claim(world.testbed)
        planned = plan.plan_deployment(world, wanted, decision, now)
        if planned.information is not None:
            desk.information[key] = planned.information
        # With the last finalizer goes the object: then nobody would read the status. Its reservation is on
        # record, as it was, until then.
        leaving = entry.meta.finalizers == (RESERVATION_FINALIZER,) and any(
            isinstance(action, plan.RemoveFinalizer) for action in planned.actions
        )
        if not leaving:
            entry = await self._record(key, entry, planned.status)
            if planned.status.reservation is not None:
                self._ledgers.hold(key, planned.status.reservation.testbed, planned.holding)
            else:
                self._ledgers.release(key)
            self._ledgers.recount(key, world.nodes)
        for notice in planned.notices:
            desk.recorder.record(key, entry.meta.uid, notice.reason, notice.message, warning=notice.warning)
        try:
            await self._act(key, world, planned)
            await self._key_pairs.keep(key)
        except NxcError as error:
            desk.problems[key] = error
            raise
        if leaving:
            self._ledgers.hold_orphans(key, desk.store.nodes_of(key))
        if desk.problems.pop(key, None) is not None:
            return 0.0  # the status still tells of it
        return planned.look_again.total_seconds()

    async def _record(self, key: Key, entry: Entry, status: DeploymentStatus) -> Entry:
        """Write the status down: then its reservation is on record, and no larger one."""
        desk = self._desk
        written = await desk.write_status(key, entry, status.to_dict())
        if written is entry and self._ledgers.would_lose(key, status.reservation):
            await desk.read(key)  # what it was granted may be on record, and only the answer was lost
            if desk.store.get(key) is not entry:
                raise Conflict(409, "Conflict", f"{key} has more on record than was known")
        return written

    async def _gather(self, key: Key, deployment: Deployment) -> DeploymentWorld:
        desk = self._desk
        return DeploymentWorld(
            deployment=deployment,
            composition=desk.store.composition(key.namespace, deployment.composition),
            testbed=await self._testbed(deployment),
            nodes=desk.store.nodes_of(key),
            shares_network=self._backends.shares_network(deployment.flavour),
            boots_kernel=self._backends.boots_kernel(deployment.flavour),
            problem=desk.problems.get(key),
            trial=self._sandbox.seen(key),
        )

    async def _testbed(self, deployment: Deployment) -> Testbed | Refusal:
        """The deployment's testbed, or why it gets none."""
        testbeds = self._desk.store.testbeds()
        labels = None
        if any(testbed.access == "Selector" for testbed in testbeds):
            labels = await self._labels(deployment.meta.namespace)
        chosen = choose(deployment, testbeds, served_by=self._backends.served_by, namespace_labels=labels)
        if isinstance(chosen, Refusal) or deployment.status.reservation is not None:
            return chosen
        if chosen.suspend:
            return Refusal(
                "TestbedSuspended",
                f"testbed {chosen.meta.name!r} admits nobody now (its spec.suspend)",
                Blame.TESTBED,
            )
        if chosen.credentials_mode == "PerNamespace" and not await self._has_secret(deployment, chosen):
            return Refusal(
                "CredentialsMissing",
                f"testbed {chosen.meta.name!r} wants the namespace's own credentials: there is no Secret "
                f"{chosen.credentials_secret!r} in namespace {deployment.meta.namespace!r}",
            )
        return chosen

    async def _refused(self, world: DeploymentWorld, wanted: Wish) -> Refusal | None:
        """What the image wants of the testbed's host and will not get; asked for nodes that are yet to be made."""
        deployment, testbed = world.deployment, world.testbed
        idle = deployment.meta.deleting or deployment.suspend or wanted.refusal is not None
        if idle or isinstance(testbed, Refusal) or not wanted.image_ready.holds:
            return None
        booted = {node.spec.host for node in world.nodes if node.spec.image == wanted.image}
        roles = {role.name for role in wanted.roles if not booted.issuperset(role.hosts)}
        if not roles:
            return None
        return await self._backends.refusal(deployment.flavour, testbed, wanted.image, roles)

    async def _labels(self, namespace: str) -> dict[str, str] | None:
        try:
            found = await self._desk.api.get(NAMESPACE, "", namespace)
        except NotFound:
            return None
        return dict(found["metadata"].get("labels") or {})

    async def _has_secret(self, deployment: Deployment, testbed: Testbed) -> bool:
        try:
            await self._desk.api.get(SECRET, deployment.meta.namespace, testbed.credentials_secret)
        except NotFound:
            return False
        return True

    def _decide(self, key: Key, world: DeploymentWorld, wanted: Wish) -> Decision | None:
        """Ask the ledger, where the deployment is in a state to be admitted."""
        deployment, testbed = world.deployment, world.testbed
        held = deployment.status.reservation
        if (
            deployment.meta.deleting
            or deployment.suspend
            or wanted.refusal is not None
            or isinstance(testbed, Refusal)
            or lapsed(world, self._desk.clock())
            or not wanted.need.nodes
            or not wanted.image
        ):
            return None
        if held is not None and held.testbed != testbed.meta.name:
            return self._ledgers.too_small(testbed, wanted.need)
        # Creation times have whole seconds: what one `kubectl apply` made goes by name.
        order = (format_precise(deployment.meta.created) or "", f"{key.namespace}/{key.name}")
        return self._ledgers.request(key, testbed, order, wanted.need)

    async def _claim(self, testbed: Testbed) -> None:
        """A testbed in use cannot go: nobody is let in before it has our finalizer."""
        key = Key(TESTBED, "", testbed.meta.name)
        if IN_USE_FINALIZER not in testbed.meta.finalizers:
            await self._desk.set_finalizer(key, self._entry(key), IN_USE_FINALIZER, present=True)

    async def _act(self, key: Key, world: DeploymentWorld, planned: plan.DeploymentPlan) -> None:
        creating = any(isinstance(action, plan.CreateNode) for action in planned.actions)
        if creating and world.shares_network:
            await self._prepare(key, world.deployment)
        if any(isinstance(action, plan.UpdateNode) and action.adopt for action in planned.actions):
            await self._may_adopt(key, world.deployment)
        side_by_side = asyncio.Semaphore(AT_ONCE)
        nodes: list[plan.Action] = []
        for action in planned.actions:
            if isinstance(action, plan.CreateNode | plan.UpdateNode | plan.DeleteNode):
                nodes.append(action)
            else:
                await self._do(key, world, action)

        async def one(action: plan.Action) -> None:
            async with side_by_side:
                await self._do(key, world, action)

        # One node that is refused must not keep the others from being made.
        results = await asyncio.gather(*(one(action) for action in nodes), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _do(self, key: Key, world: DeploymentWorld, action: plan.Action) -> None:
        desk, deployment = self._desk, world.deployment
        match action:
            case plan.AddFinalizer():
                await desk.set_finalizer(key, self._entry(key), RESERVATION_FINALIZER, present=True)
            case plan.CreateNode(spec):
                await self._create(deployment, spec)
            case plan.UpdateNode(node, spec, adopt):
                patch: dict[str, Any] = {
                    "metadata": {"resourceVersion": node.meta.resource_version},
                    "spec": spec.to_dict(),
                }
                if adopt:
                    # As Kubernetes' own controllers: nobody adopts who may be on his way out already.
                    if not await desk.fresh(key, deployment.meta.uid):
                        raise Conflict(409, "Conflict", f"{key} is being deleted and adopts nobody")
                    patch["metadata"]["ownerReferences"] = [deployment.meta.owner_reference(DEPLOYMENT)]
                await self._desk.patch(Key(NODE, key.namespace, node.meta.name), patch)
                desk.wake(Key(NODE, key.namespace, node.meta.name), 0)
            case plan.DeleteNode(node):
                await self._delete(deployment, node)
            case plan.Dismantle(testbed, flavour):
                await self._dismantle(deployment, testbed, flavour)
            case plan.StartTrial(digest, run, script):
                # what stands on record of it was written this moment, guarded by the resource version
                private_key = partial(self._private_key, key)
                uid = deployment.meta.uid
                self._sandbox.start(Order(key, uid, digest, run, script, world.nodes, private_key))
            case plan.StopTrial():
                await self._sandbox.stop(key)
            case plan.RemoveFinalizer():
                await desk.set_finalizer(key, self._entry(key), RESERVATION_FINALIZER, present=False)

    async def _private_key(self, key: Key) -> str:
        return (await self._key_pairs.of(key)).private

    async def _may_adopt(self, key: Key, deployment: Deployment) -> None:
        """Nodes without an owner may just have been orphaned on purpose: ask whether we are being deleted.

        kube-controller-manager does the same before it adopts (`RecheckDeletionTimestamp`).
        """
        if not await self._desk.fresh(key, deployment.meta.uid):
            raise Conflict(409, "Conflict", f"{key} is being deleted and adopts no node")

    async def _delete(self, deployment: Deployment, node: Node) -> None:
        """Delete a node; of a deployment that goes, only if it is ours still.

        `kubectl delete --cascade=orphan` takes our name off the nodes, and that news may come after the
        deployment's own, or before it.
        """
        key, uid = Key(NODE, node.meta.namespace, node.meta.name), deployment.meta.uid
        if deployment.meta.deleting:
            obj = await self._desk.read(key)
            if obj is None or not Meta.of(obj).owned_by(uid):
                return
        elif not node.meta.owned_by(uid):
            await self._may_adopt(Key(DEPLOYMENT, key.namespace, deployment.meta.name), deployment)
        await self._desk.delete(key, node.meta.uid)

    def _entry(self, key: Key) -> Entry:
        entry = self._desk.store.get(key)
        if entry is None:
            raise Conflict(409, "Conflict", f"{key} was deleted meanwhile")
        return entry

    async def _create(self, deployment: Deployment, spec: NodeSpec) -> None:
        name, namespace = node_name(deployment.meta.name, spec.host), deployment.meta.namespace
        node = {
            "apiVersion": NODE.api_version,
            "kind": NODE.kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": {
                    DEPLOYMENT_LABEL: deployment.meta.name,
                    ROLE_LABEL: spec.role,
                    NETWORK_LABEL: deployment.meta.uid,
                },
                "ownerReferences": [deployment.meta.owner_reference(DEPLOYMENT)],
                "finalizers": [MACHINE_FINALIZER],
            },
            "spec": spec.to_dict(),
        }
        try:
            await self._desk.create(NODE, node)
        except AlreadyExists:
            # Ours from before a crash, or the store has not heard of it yet: take it in and plan again.
            self._desk.feed.accept(NODE, await self._desk.api.get(NODE, namespace, name))
            raise Conflict(409, "Conflict", f"DeployedNode {name} was there already") from None

    async def _prepare(self, key: Key, deployment: Deployment) -> None:
        held = self._ledgers.testbed_of(key)
        backend = self._backends.get(deployment.flavour, held or "")
        if isinstance(backend, Refusal):
            raise NxcError(backend.reason, backend.message, blame=backend.blame)
        await limited("make the network", backend.prepare(deployment.meta.uid))

    async def _dismantle(self, deployment: Deployment, testbed: str, flavour: str) -> None:
        if not self._backends.shares_network(flavour):
            return
        backend = self._backends.get(flavour, testbed)
        if isinstance(backend, Refusal):
            return  # nothing of ours can be reached there; the testbed's sweep takes it when it is back
        if not await limited("dismantle the network", backend.dismantle(deployment.meta.uid)):
            raise NxcError(
                "Dismantling", "the network of the deployment is not gone yet", blame=Blame.TESTBED
            )
