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
from controller.build.works import STOP, News, Works
from controller.model.composition import Composition, Image, ImageState
from controller.model.errors import NxcError
from controller.model.kinds import Key
from controller.model.names import digest

logger = logging.getLogger(__name__)

OPEN_AGAIN = 30.0
"""Seconds until the engine is tried again where it could not be opened."""
IMAGES = 64
"""Manifests that are kept in memory."""
SEEN = 5.0
"""Seconds for which an image that was there is taken to be there: to ask Nix is slow, and many nodes boot at once."""

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
        self._news = News(context.wake)
        self._clients: dict[Key, Client] = {}
        self._pins: dict[str, str] = {}
        self._notes: dict[str, str] = {}
        self._facts: Facts | None = None
        self._trouble: NxcError | None = None
        self._opened = asyncio.Event()
        self._images: dict[str, BuiltImage] = {}
        self._seen: dict[str, float] = {}
        self._looking = asyncio.Lock()
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
        course = Course(
            engine,
            self._records,
            self._slots,
            self._retention,
            context,
            self._news.stir,
            self._repin,
            logs=settings.state / "logs",
            offload=self._offload,
        )
        self._works = Works(course, self._slots, self._retention.soon)
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
            self._works.part(client, flavour)
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
        async with self._looking:
            return await self._look(digest)

    async def _look(self, digest: str) -> BuiltImage | None:
        time = asyncio.get_running_loop().time
        if self._seen.get(digest, float("-inf")) > time() - SEEN:
            return self._images[digest]
        for record in self._records.by_digest([digest]):
            if not await self._engine.valid(record.output):
                continue
            if digest not in self._images:
                _, manifest, sizes = await self._engine.manifest(record.output)
                while len(self._images) >= IMAGES:
                    oldest = next(iter(self._images))
                    self._seen.pop(oldest, None)
                    del self._images[oldest]
                self._images[digest] = BuiltImage(digest, manifest, self._engine.root(), sizes)
            self._seen[digest] = time()
            return self._images[digest]
        return None

    async def aclose(self) -> None:
        """See `Builder`."""
        self._closed = True
        tasks = [client.task for client in self._clients.values() if client.task is not None]
        tasks += self._works.close()
        if self._main is not None:
            tasks.append(self._main)
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP)
            for task in late:
                logger.warning("%s did not stop within %.0f s", task.get_name(), STOP)
        self._clients.clear()
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
                self._works.part(client, flavour)
            client.packages = packages
            client.forget()
            self._retention.soon()
        asked = before.meta.requested_at != composition.meta.requested_at
        if asked:
            for work in filter(None, client.works.values()):
                work.checked = False
                if work.state is ImageState.FAILED:
                    self._works.start(work)
        if moved or asked:
            self._readers.follow(client)
        return client

    # ------------------------------------------------------------ how far their images are

    def _state(self, client: Client, flavour: str) -> BuildState:
        if self._trouble is not None:
            return self._failed(client, flavour, self._trouble)
        pin = self._pins.get(client.packages.name)
        if not client.tree or self._facts is None or pin is None:
            if client.problem is not None:
                return self._failed(client, flavour, client.problem)
            waiting = Image(flavour, ImageState.PENDING, source=client.composition.source_digest)
            return BuildState(waiting, revision=client.composition.revision)
        order = self._order(client, flavour, pin)
        work = self._works.join(client, flavour, _content(client.tree, order, self._facts), order)
        image = work.image(client.composition.source_digest, self._works.progress(work))
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
            yield from (work.tree for work in self._works)

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
        return frozenset(named | {work.output for work in self._works if work.output})


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
