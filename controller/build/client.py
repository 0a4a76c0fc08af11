"""Compositions as requesters: each with its source, which is read, and read again when it may have changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from controller.build.origin import Origin, interval
from controller.build.settings import PackageSource
from controller.build.source import Source, Tree
from controller.build.spool import Spool
from controller.build.work import Terms, Work
from controller.model.composition import Composition
from controller.model.errors import NxcError, UserError
from controller.model.kinds import Key
from controller.plan.build import retry_after

JITTER = 0.1
"""Part of an interval by which looks are moved at random."""
REST = 4.0
"""How many times as long as a look took, its source is left alone: nobody keeps the readers busy."""


@dataclass(slots=True, eq=False)
class Client:
    """A Composition that wants images. `tree`: the digest of its source, in the spool; `problem`: why the
    last look at the source failed. `works` has what was joined for each flavour that is wanted."""

    key: Key
    composition: Composition
    packages: PackageSource
    works: dict[str, Work | None] = field(default_factory=dict)
    source: Source | None = None
    tree: str = ""
    problem: NxcError | None = None
    task: asyncio.Task[None] | None = None

    @property
    def terms(self) -> Terms:
        """What it asks of its works."""
        return Terms(self.composition.timeout, self.composition.check)

    def forget(self) -> None:
        """Its source is another one now."""
        self.source, self.tree, self.problem = None, "", None

    def stop(self) -> None:
        """Look no more."""
        if self.task is not None:
            self.task.cancel()


class Readers:
    """Reads the sources of clients, and puts them where evaluations find them.

    `ready` is waited for before the first look; `prepare` is asked after each, for what else a client's work
    needs to be known.
    """

    def __init__(
        self,
        origin: Origin,
        spool: Spool,
        *,
        ready: asyncio.Event,
        prepare: Callable[[PackageSource], Awaitable[None]],
        wake: Callable[[Key], None],
        rng: random.Random,
        offload: Callable[..., Awaitable[Any]],
    ) -> None:
        self._origin, self._spool, self._ready, self._prepare = origin, spool, ready, prepare
        self._wake, self._random, self._offload = wake, rng, offload
        self._spooling = asyncio.Lock()

    def follow(self, client: Client) -> None:
        """Read its source now, and from now on."""
        client.stop()
        client.task = asyncio.create_task(self._follow(client), name=f"source of {client.key}")

    async def tidy(self, wanted: Callable[[], Iterable[str]]) -> None:
        """Remove the trees that nobody wants."""
        async with self._spooling:
            await self._offload(self._spool.prune, frozenset(wanted()))

    async def _follow(self, client: Client) -> None:
        """After a failure of the user's it looks again too, for it may be mended where the source is."""
        failures = 0
        await self._ready.wait()
        while True:
            before = (client.tree, client.problem and client.problem.message)
            began = asyncio.get_running_loop().time()
            try:
                await self._look(client)
                await self._prepare(client.packages)
                client.problem, failures = None, 0
                wait = interval(client.composition)
            except UserError as error:
                client.problem, failures = error, 0
                wait = interval(client.composition)
            except NxcError as error:
                failures += 1
                client.problem, wait = error, retry_after(failures)
            except OSError as error:
                failures += 1
                client.problem = NxcError("SourceNotKept", f"the source cannot be written to disk: {error}")
                wait = retry_after(failures)
            if before != (client.tree, client.problem and client.problem.message):
                self._wake(client.key)
            if wait is None:
                return
            took = asyncio.get_running_loop().time() - began
            await asyncio.sleep(max(wait, REST * took) * self._random.uniform(1 - JITTER, 1 + JITTER))

    async def _look(self, client: Client) -> None:
        found = await self._origin.look(client.composition, client.source)
        if found is not None:
            async with self._spooling:
                client.tree = await self._offload(self._spool.put, found.tree)
            client.source = replace(found, tree=Tree({}))  # it is on disk now
