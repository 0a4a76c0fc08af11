"""Wires the parts of the operator. Decides nothing."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from controller.build.api import BuildContext, Builder, BuilderFactory
from controller.build.settings import BuildSettings
from controller.flavours.api import BuiltImage, Flavour
from controller.kube.api import Api, ApiError, NotFound
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NAMESPACE, NODE, TESTBED, Kind
from controller.model.meta import Object
from controller.observe.metrics import QUEUE, Metrics
from controller.reconcile.backends import Backends
from controller.reconcile.briefings import DeploymentBriefings
from controller.reconcile.composition import CompositionReconciler, images_in_use
from controller.reconcile.deployment import DeploymentReconciler
from controller.reconcile.desk import Desk
from controller.reconcile.key_pairs import KeyPairs
from controller.reconcile.ledgers import Ledgers
from controller.reconcile.node import NodeReconciler
from controller.reconcile.testbed import TestbedReconciler
from controller.runtime.feed import Feed
from controller.runtime.leader import Leadership, LeaseTimes
from controller.runtime.loop import Loop
from controller.runtime.queue import WorkQueue
from controller.runtime.recorder import Recorder
from controller.runtime.resync import Resync
from controller.runtime.store import Store
from controller.sandbox.api import Context as SandboxContext
from controller.sandbox.api import SandboxFactory

logger = logging.getLogger(__name__)

RETRY = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator may set. Times in seconds.

    `namespace` is the operator's own, where its Lease is. `host` is this machine's name, which Testbeds of
    kinds that live on one host must name. `state`: where what runs on this host is on record, by default beside
    the state of builds.
    """

    namespace: str = "nxc-system"
    lease_name: str = "nxc-controller"
    leader_election: bool = True
    lease_times: LeaseTimes = field(default_factory=LeaseTimes)
    workers: int = 10
    reconcile_limit: float = 120.0
    resync: float = 450.0
    host: str = field(default_factory=socket.gethostname)
    build: BuildSettings = field(default_factory=BuildSettings)
    state: Path | None = None


class Images:
    """Where backends find images: with whichever builder made them."""

    def __init__(self, builders: Iterable[Builder]) -> None:
        self._builders = tuple(dict.fromkeys(builders))

    async def image(self, digest: str) -> BuiltImage | None:
        """See `controller.flavours.api.ImageSource`."""
        for builder in self._builders:
            if (found := await builder.image(digest)) is not None:
                return found
        return None


class Operator:
    """The whole loop. `feed.on_event` takes the watch's events; `run` does the rest."""

    def __init__(
        self,
        *,
        api: Api,
        flavours: Mapping[str, Flavour],
        builders: Mapping[str, BuilderFactory],
        sandbox: SandboxFactory,
        clock: Callable[[], datetime],
        rng: random.Random,
        settings: Settings,
        identity: str,
    ) -> None:
        self._api, self._flavours, self._builders = api, flavours, builders
        self._sandbox = sandbox
        self._clock, self._random, self._settings = clock, rng, settings
        self.feed = Feed(Store())
        self.metrics = Metrics()
        self.queue: WorkQueue | None = None
        self.leadership = Leadership(
            api,
            namespace=settings.namespace,
            name=settings.lease_name,
            identity=identity,
            clock=clock,
            rng=rng,
            times=settings.lease_times,
        )

    async def run(self) -> None:
        """Until cancelled: lead when it may, and work while it leads."""
        if self._settings.leader_election:
            await self.leadership.run(self.work)
        else:
            await self.work()

    async def work(self) -> None:
        """One term of leadership: everything decided in memory starts anew, from what is on record."""
        installation = await self._installation()
        queue = WorkQueue(self._random)
        resync = Resync(self._api, self.feed, self.metrics, interval=self._settings.resync, rng=self._random)
        recorder = Recorder(self._api, self._clock)
        self.feed.wake = queue.add_after
        async with AsyncExitStack() as stack:
            stack.callback(self._end_term, queue)
            await resync.fill()
            self.queue = queue
            self.metrics.watch_queue(queue)
            self.metrics.leader.labels(QUEUE).set(1)
            desk = Desk(
                api=self._api,
                feed=self.feed,
                recorder=recorder,
                metrics=self.metrics,
                clock=self._clock,
                installation=installation,
                wake=queue.add_after,
            )
            key_pairs = KeyPairs(desk)
            builders = self._make_builders(stack, queue)
            state = self._settings.state or self._settings.build.state.parent
            backends = Backends(
                self._flavours,
                self.feed.store,
                installation=installation,
                host=self._settings.host,
                wake=queue.add,
                clock=self._clock,
                state=state,
                images=Images(builders.values()),
                briefings=DeploymentBriefings(desk, key_pairs),
            )
            stack.push_async_callback(backends.aclose)
            sandbox = self._sandbox(
                SandboxContext(queue.add, state / "tests", trusted=self._settings.build.trusted)
            )
            stack.push_async_callback(sandbox.aclose)
            await sandbox.open()
            ledgers = Ledgers(self.feed.store, queue.add_after)
            loop = Loop(
                queue,
                self.feed.store,
                {
                    COMPOSITION: CompositionReconciler(desk, builders, self._settings.build.package_source),
                    DEPLOYMENT: DeploymentReconciler(desk, backends, ledgers, key_pairs, sandbox),
                    NODE: NodeReconciler(desk, backends),
                    TESTBED: TestbedReconciler(desk, backends, ledgers),
                },
                self.metrics,
                workers=self._settings.workers,
                time_limit=self._settings.reconcile_limit,
                rng=self._random,
            )
            for kind in (TESTBED, COMPOSITION, DEPLOYMENT, NODE):
                for key, _ in self.feed.store.all(kind):
                    queue.add(key)
            async with asyncio.TaskGroup() as group:
                group.create_task(loop.run())
                group.create_task(resync.run())
                group.create_task(recorder.run())

    def _make_builders(self, stack: AsyncExitStack, queue: WorkQueue) -> dict[str, Builder]:
        """The builder of each package source, by its name; a factory is asked once, for all it serves."""
        settings = self._settings.build
        context = BuildContext(
            wake=queue.add,
            clock=self._clock,
            read=self._read,
            in_use=lambda: images_in_use(self.feed.store),
            settings=settings,
            metrics=self.metrics,
            rng=self._random,
        )
        made: dict[int, Builder] = {}
        found: dict[str, Builder] = {}
        for name, kind in settings.offered(self._builders).items():
            factory = self._builders[kind]
            if id(factory) not in made:
                made[id(factory)] = factory(context)
                stack.push_async_callback(made[id(factory)].aclose)
            found[name] = made[id(factory)]
        return found

    async def _read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return await self._api.get(kind, namespace, name)
        except NotFound:
            return None

    def _end_term(self, queue: WorkQueue) -> None:
        self.feed.wake = None
        self.queue = None
        self.metrics.watch_queue(None)
        self.metrics.leader.labels(QUEUE).set(0)
        queue.close()

    async def _installation(self) -> str:
        """The id that everything in the world carries: the uid of namespace kube-system."""
        while True:
            try:
                obj = await self._api.get(NAMESPACE, "", "kube-system")
                return str(obj["metadata"]["uid"])
            except ApiError as error:
                logger.warning("cannot read namespace kube-system: %s", error.message)
                await asyncio.sleep(RETRY)
