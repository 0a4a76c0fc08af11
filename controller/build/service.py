"""The build service: everybody's wishes for images, each distinct piece of work done once.

A *client* is a Composition as a requester: its source, looked at again at its interval. A *work* is the
image of one content for one flavour; clients whose sources have the same content share it, whatever their
namespaces. A work ends when it has an image or has failed for good; it is cancelled when nobody wants it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any

from controller.build.api import BuildContext, BuildState
from controller.build.claim import Claim
from controller.build.client import Client, Readers
from controller.build.course import Course
from controller.build.engine import Engine, Facts, Order
from controller.build.image import BuiltImage
from controller.build.origin import Origin
from controller.build.records import Records
from controller.build.retention import Retention
from controller.build.settings import FLAVOURS, PackageSource
from controller.build.slots import Slots
from controller.build.spool import Spool
from controller.build.work import Work
from controller.model.composition import Composition, Image, ImageState
from controller.model.errors import NxcError
from controller.model.kinds import Key
from controller.model.names import digest

logger = logging.getLogger(__name__)

CALM = 1.0
"""Seconds between two wakes for the progress of one work."""
STOP = 15.0
"""Seconds that processes have to end when their work is cancelled."""
OPEN_AGAIN = 30.0
"""Seconds until the engine is tried again where it could not be opened."""
IMAGES = 64
"""Manifests that are kept in memory."""

Offload = Callable[..., Awaitable[Any]]
"""Calls a blocking function elsewhere, as `asyncio.to_thread` does."""


class BuildService:
    """A `controller.build.api.Builder` on an `Engine`."""

    def __init__(
        self,
        context: BuildContext,
        engine: Engine,
        *,
        origin: Origin | None = None,
        offload: Offload | None = None,
    ) -> None:
        settings = context.settings
        self._context, self._settings, self._engine = context, settings, engine
        self._offload: Offload = offload or asyncio.to_thread
        self._spool = Spool(settings.state / "sources")
        self._records = Records(settings.state / "records")
        self._slots = Slots(settings.jobs)
        self._clients: dict[Key, Client] = {}
        self._works: dict[tuple[str, str], Work] = {}
        self._ending: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._pins: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._arrivals = 0
        self._facts: Facts | None = None
        self._trouble: NxcError | None = None
        self._opened = asyncio.Event()
        self._images: dict[str, BuiltImage] = {}
        self._closed = False
        self._claim: Claim | None = None
        self._readers = Readers(
            origin or Origin(context.read, settings.source_limit),
            self._spool,
            ready=self._opened,
            prepare=self._prepare,
            wake=context.wake,
            rng=context.rng,
            offload=self._offload,
        )
        self._retention = Retention(
            engine,
            self._records,
            settings,
            context.metrics,
            in_use=self._outputs_in_use,
            logs=settings.state / "logs",
            offload=self._offload,
        )
        self._course = Course(
            engine,
            self._records,
            self._slots,
            self._retention,
            context,
            self.stir,
            self._repin,
            logs=settings.state / "logs",
            offload=self._offload,
        )
        self._main: asyncio.Task[None] | None = None
        if settings.state.is_dir():
            self._begin()

    # ------------------------------------------------------------ what the operator asks

    def flavours(self, package_source: str) -> frozenset[str]:
        """See `Builder`."""
        packages = self._settings.source(package_source)
        return FLAVOURS.get(packages.kind, frozenset()) if packages is not None else frozenset()

    def want(self, requester: Key, composition: Composition, flavour: str, package_source: str) -> BuildState:
        """See `Builder`."""
        self._begin()
        packages = self._settings.source(package_source)
        if packages is None:
            raise NxcError("NoPackageSource", f"there is no package source {package_source!r}")
        client = self._client(requester, composition, packages)
        client.works.setdefault(flavour, None)
        return self._state(client, flavour)

    def leave(self, requester: Key, *, but: Collection[str] = ()) -> None:
        """See `Builder`."""
        client = self._clients.get(requester)
        if client is None:
            return
        unwanted = [flavour for flavour in client.works if flavour not in but]
        for flavour in unwanted:
            self._part(client, flavour)
            del client.works[flavour]
        if not client.works:
            del self._clients[requester]
            client.stop()
        if unwanted or not client.works:
            self._retention.soon()

    async def image(self, digest: str) -> BuiltImage | None:
        """See `Builder`."""
        self._begin()
        if self._trouble is not None:
            raise self._trouble
        try:
            async with asyncio.timeout(OPEN_AGAIN):
                await self._opened.wait()
        except TimeoutError:
            raise NxcError(
                "BuilderNotReady", f"the store could not be opened within {OPEN_AGAIN:.0f} s"
            ) from None
        for record in self._records.by_digest([digest]):
            if not await self._engine.valid(record.output):
                continue
            if digest not in self._images:
                _, manifest = await self._engine.manifest(record.output)
                while len(self._images) >= IMAGES:
                    del self._images[next(iter(self._images))]
                self._images[digest] = BuiltImage(digest, manifest, self._engine.root())
            return self._images[digest]
        return None

    async def aclose(self) -> None:
        """See `Builder`."""
        self._closed = True
        tasks = [client.task for client in self._clients.values() if client.task is not None]
        tasks += [work.task for work in self._works.values() if work.task is not None]
        tasks += self._ending.values()
        if self._main is not None:
            tasks.append(self._main)
        for work in self._works.values():
            if work.alarm is not None:
                work.alarm.cancel()
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP)
            for task in late:
                logger.warning("%s did not stop within %.0f s", task.get_name(), STOP)
        self._clients.clear()
        self._works.clear()
        if self._claim is not None:
            self._claim.release()

    # ------------------------------------------------------------ clients and their sources

    def _client(self, key: Key, composition: Composition, packages: PackageSource) -> Client:
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = Client(key, composition, packages)
            self._readers.follow(client)
            return client
        before, client.composition = client.composition, composition
        moved = before.source_digest != composition.source_digest or client.packages != packages
        if moved:
            for flavour in client.works:
                self._part(client, flavour)
            client.packages = packages
            client.forget()
            self._retention.soon()
        asked = before.meta.requested_at != composition.meta.requested_at
        if asked:
            for work in filter(None, client.works.values()):
                work.checked = False
                if work.state is ImageState.FAILED:
                    self._start(work)
        if moved or asked:
            self._readers.follow(client)
        return client

    # ------------------------------------------------------------ works and those who want them

    def _state(self, client: Client, flavour: str) -> BuildState:
        if self._trouble is not None:
            return self._failed(client, flavour, self._trouble)
        pin = self._pins.get(client.packages.name)
        if not client.tree or self._facts is None or pin is None:
            if client.problem is not None:
                return self._failed(client, flavour, client.problem)
            waiting = Image(flavour, ImageState.PENDING, source=client.composition.source_digest)
            return BuildState(waiting, revision=client.composition.revision)
        work = self._join(client, flavour, self._facts, pin)
        self._terms_changed(work)
        image = work.image(client.composition.source_digest, self._progress(work))
        notes = [*work.warnings, *(f"builds are not isolated: {lack}" for lack in self._facts.lacks)]
        if note := self._notes.get(client.packages.name):
            notes.append(note)
        if client.problem is not None:
            notes.append(f"the source could not be looked at again: {client.problem.message}")
        revision = client.source.revision if client.source is not None else ""
        return BuildState(image, work.roles, revision, tuple(notes))

    def _failed(self, client: Client, flavour: str, error: NxcError) -> BuildState:
        composition = client.composition
        known = composition.images.get(flavour)
        if known is None or known.state is not ImageState.READY or known.source != composition.source_digest:
            known = Image(
                flavour,
                ImageState.FAILED,
                source=composition.source_digest,
                reason=error.reason,
                message=error.message,
                blame=error.blame,
            )
        # An image on record is none the worse for it that nobody can look whether there is a newer one.
        return BuildState(known, revision=composition.revision, notes=(error.message,))

    def _progress(self, work: Work) -> str:
        place = self._slots.place(work) if work.state is ImageState.PENDING else None
        return f"place {place} in the queue" if place is not None else work.progress

    def _join(self, client: Client, flavour: str, facts: Facts, pin: str) -> Work:
        order = self._order(client, flavour, pin)
        content = _content(client.tree, order, facts)
        before = client.works.get(flavour)
        if before is not None and (before.content, before.flavour) == (content, flavour):
            before.requesters[client.key] = client.terms
            return before
        if before is not None:
            self._part(client, flavour)
        work = self._works.get((content, flavour))
        if work is None:
            self._arrivals += 1
            work = self._works[content, flavour] = Work(content, flavour, client.tree, order, self._arrivals)
        client.works[flavour] = work
        work.requesters[client.key] = client.terms
        if work.task is None:
            self._start(work)
        self._slots.changed()
        return work

    def _order(self, client: Client, flavour: str, pin: str) -> Order:
        assert client.source is not None
        composition = client.composition
        return Order(
            tree=self._spool.path(client.tree),
            entry=client.source.entry,
            select=composition.select,
            setup={
                "variant": composition.setup.get("variant", ""),
                "parameters": dict(composition.setup.get("parameters") or {}),
            },
            flavour=flavour,
            packages=client.packages,
            pin=pin,
        )

    def _terms_changed(self, work: Work) -> None:
        """A requester may give more time, or ask for more, than those before."""
        if work.limit is not None and not work.limit.expired():
            work.given = work.timeout
            work.limit.reschedule(work.started + work.given.total_seconds())
        ended = work.task is None or work.task.done()
        if ended and work.reason in ("BuildTimeout", "EvaluationTimeout") and work.timeout > work.given:
            self._start(work)
        if ended and self._course.wants_check(work):
            self._start(work)

    def _part(self, client: Client, flavour: str) -> None:
        """A client wants this work no more; work that nobody wants ends."""
        work = client.works.get(flavour)
        if work is None:
            return
        client.works[flavour] = None
        work.requesters.pop(client.key, None)
        if work.requesters:
            self._slots.changed()
            return
        if work.alarm is not None:
            work.alarm.cancel()
        place = (work.content, work.flavour)
        if self._works.get(place) is work:
            del self._works[place]
        if work.task is not None and not work.task.done():
            work.task.cancel()
            self._ending[place] = work.task
            work.task.add_done_callback(lambda task: self._ended(place, task))

    def _ended(self, place: tuple[str, str], task: asyncio.Task[None]) -> None:
        if self._ending.get(place) is task:
            del self._ending[place]
        self._retention.soon()

    def _start(self, work: Work) -> None:
        """Have the work done, or done again."""
        if self._closed:
            return
        if work.task is not None and not work.task.done():
            if work.state is not ImageState.FAILED:
                return  # it is at it already
            work.task.cancel()  # it waits for its next try
        work.task = asyncio.create_task(self._run(work, work.task), name=f"build {work.name}")

    async def _run(self, work: Work, before: asyncio.Task[None] | None) -> None:
        """Do the work once whoever was at the same thing before has let go of it."""
        for old in (before, self._ending.get((work.content, work.flavour))):
            if old is not None and not old.done():
                await asyncio.wait([old], timeout=STOP)
        await self._course.run(work)
        self._retention.soon()

    # ------------------------------------------------------------ news

    def stir(self, work: Work, *, now: bool = False) -> None:
        """Tell those who want it that something changed; of mere progress at most once a second."""
        loop = asyncio.get_running_loop()
        due = work.woken + CALM
        if now or loop.time() >= due:
            if work.alarm is not None:
                work.alarm.cancel()
                work.alarm = None
            work.woken = loop.time()
            for requester in work.requesters:
                self._context.wake(requester)
        elif work.alarm is None:
            work.alarm = loop.call_at(due, self.stir, work)

    async def _repin(self, work: Work) -> None:
        """The packages of a source are other ones now: whoever wants them gets other works."""
        packages = work.order.packages
        await self._pin(packages)
        logger.warning("package source %s is %s now", packages.name, self._pins[packages.name])
        self._wake_all()

    async def _prepare(self, packages: PackageSource) -> None:
        if packages.name not in self._pins:
            await self._pin(packages)

    async def _pin(self, packages: PackageSource) -> None:
        self._pins[packages.name] = await self._engine.pin(packages)
        self._notes[packages.name] = self._engine.note(packages)

    # ------------------------------------------------------------ the engine

    def _begin(self) -> None:
        if self._main is None and not self._closed:
            self._main = asyncio.create_task(self._keep_house(), name="build service")

    async def _keep_house(self) -> None:
        """Open the engine, read the records, and keep the store in order."""
        while True:
            try:
                await self._offload(self._make_ready)
                self._facts = await self._engine.open()
                break
            except (NxcError, OSError) as error:
                trouble = error if isinstance(error, NxcError) else _not_usable(error)
                if self._trouble is None or self._trouble.message != trouble.message:
                    logger.warning("nothing can be built (%s): %s", trouble.reason, trouble.message)
                self._trouble = trouble
                self._wake_all()
            await asyncio.sleep(OPEN_AGAIN)
        self._trouble = None
        metrics = self._context.metrics
        metrics.build_trusted.set(1 if self._facts.lacks else 0)
        metrics.build_waiting.set_function(lambda: self._slots.waiting)
        metrics.build_running.set_function(lambda: self._slots.running)
        for lack in self._facts.lacks:
            logger.warning("builds are not isolated: %s", lack)
        self._opened.set()
        self._wake_all()
        await self._retention.run(self._tidy)

    async def _tidy(self) -> None:
        def wanted() -> Iterable[str]:
            yield from (client.tree for client in self._clients.values())
            yield from (work.tree for work in self._works.values())

        await self._readers.tidy(wanted)

    def _make_ready(self) -> None:
        self._settings.state.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._claim = self._claim or Claim(self._settings.state / "lock")
        (self._settings.state / "logs").mkdir(mode=0o700, exist_ok=True)
        self._spool.clear()
        self._records.load()

    def _wake_all(self) -> None:
        for key in self._clients:
            self._context.wake(key)

    def _outputs_in_use(self) -> frozenset[str]:
        named = {record.output for record in self._records.by_digest(self._context.in_use())}
        return frozenset(named | {work.output for work in self._works.values() if work.output})


def _content(tree: str, order: Order, facts: Facts) -> str:
    """The digest of everything that decides what comes out, but for the flavour."""
    packages = order.packages
    return digest(
        {
            "tree": tree,
            "entry": order.entry,
            "select": order.select,
            "setup": dict(order.setup),
            "packages": [packages.kind, order.pin, packages.import_from_derivation],
            "engine": facts.identity,
        }
    )


def _not_usable(error: OSError) -> NxcError:
    what = f"the state directory of builds cannot be used ({error}): mend that, or name another with --build-state"
    return NxcError("StateNotUsable", what)
