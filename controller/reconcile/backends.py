"""The backends in use: one a flavour and testbed, opened when first wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from controller.flavours.api import (
    Backend,
    Briefings,
    Context,
    Flavour,
    ImageSource,
    Nowhere,
    Particular,
)
from controller.model.errors import NxcError, TestbedError, UserError
from controller.model.kinds import TESTBED, Key
from controller.model.node import Node
from controller.model.testbed import Testbed
from controller.plan.testbed import Refusal
from controller.runtime.store import Store

logger = logging.getLogger(__name__)

T = TypeVar("T")

CALL_LIMIT = 30.0
"""Seconds that one verb of a backend may take."""
LOOK_LIMIT = 5.0
"""Seconds to find an image, to see what it wants of its host."""


class Backends:
    """Opens backends and keeps them, also past the end of their Testbed: machines must still be released."""

    def __init__(
        self,
        flavours: Mapping[str, Flavour],
        store: Store,
        *,
        installation: str,
        host: str,
        wake: Callable[[Key], None],
        clock: Callable[[], datetime],
        state: Path = Path("nxc-state"),
        images: ImageSource | None = None,
        briefings: Briefings | None = None,
    ) -> None:
        """`state`: where backends keep records."""
        self._flavours, self._store, self._host = flavours, store, host
        self._context = Context(installation, wake, clock, state, images or Nowhere(), briefings or Nowhere())
        self._open: dict[tuple[str, str], tuple[tuple[object, ...], Backend]] = {}

    @property
    def served_by(self) -> dict[str, frozenset[str]]:
        """The kinds of testbed by flavour."""
        return {name: flavour.testbed_kinds for name, flavour in self._flavours.items()}

    def shares_network(self, flavour: str) -> bool:
        """Whether nodes of a deployment share something that has to be made and taken away."""
        return flavour in self._flavours and self._flavours[flavour].shares_network

    def boots_kernel(self, flavour: str) -> bool:
        """Whether its nodes boot a kernel of their own, as far as that is known."""
        return flavour not in self._flavours or self._flavours[flavour].boots_kernel

    async def refusal(
        self, flavour: str, testbed: Testbed, image: str, roles: Collection[str]
    ) -> Refusal | None:
        """Why a testbed will not give these roles of an image what they want; None also where that cannot be told."""
        particular: object = self._flavours.get(flavour)
        if not isinstance(particular, Particular):
            return None
        try:
            async with asyncio.timeout(LOOK_LIMIT):
                built = await self._context.images.image(image)
        except (TimeoutError, NxcError) as error:  # whoever boots it says why, and asks again
            logger.info("image %s cannot be looked at before it is booted: %s", image, error)
            return None
        try:
            if built is not None:
                particular.refuse(built.manifest, roles, testbed)
        except UserError as error:
            return Refusal(error.reason, error.message)
        return None

    def get(self, flavour: str, testbed: str) -> Backend | Refusal:
        """The backend of a flavour on a testbed, or why there is none."""
        known = self._open.get((flavour, testbed))
        found = self._store.testbed(testbed)
        if found is None:
            if known is not None:
                return known[1]
            return Refusal("TestbedGone", f"testbed {testbed!r} is gone; make it again to reach its machines")
        if flavour not in self._flavours:
            return Refusal("UnknownFlavour", f"flavour {flavour!r} is not installed")
        if found.host and found.host != self._host:
            return Refusal(
                "NotThisHost", f"testbed {testbed!r} is on host {found.host!r}; this is {self._host!r}"
            )
        identity = (
            *(found.meta.uid, found.kind, found.endpoint, found.credentials_secret),
            *(found.trusted, found.host_paths, found.publish_addresses),
        )
        if known is not None and known[0] == identity:
            return known[1]
        backend = self._flavours[flavour].open(found, self._context)
        self._open[flavour, testbed] = (identity, backend)
        return backend

    def on(self, testbed: Testbed) -> dict[str, Backend]:
        """Every backend that serves a testbed, by flavour; also where nodes stand in one that it serves no more."""
        wanted = dict.fromkeys(testbed.flavours or tuple(self._flavours))
        for key in self._store.users(Key(TESTBED, "", testbed.meta.name)):
            entry = self._store.get(key)
            if entry is not None and isinstance(entry.parsed, Node):
                wanted[entry.parsed.spec.flavour] = None
        found = {}
        for name in sorted(wanted):
            if name in self._flavours and testbed.kind in self._flavours[name].testbed_kinds:
                backend = self.get(name, testbed.meta.name)
                if not isinstance(backend, Refusal):
                    found[name] = backend
        return found

    def once_on(self, testbed: Testbed) -> dict[str, Backend]:
        """Those that were in use on a testbed that serves their flavour no more, and has no node in it."""
        name, serving = testbed.meta.name, self.on(testbed)
        once = [flavour for flavour, where in self._open if where == name and flavour not in serving]
        found = {flavour: self.get(flavour, name) for flavour in once}
        return {flavour: backend for flavour, backend in found.items() if not isinstance(backend, Refusal)}

    async def aclose(self) -> None:
        """Let go of all of them; machines stay."""
        backends = [backend for _, backend in self._open.values()]
        self._open.clear()
        for backend in backends:
            await backend.aclose()


async def limited(what: str, call: Awaitable[T], *, seconds: float = CALL_LIMIT) -> T:
    """Await a verb of a backend, no longer than its limit. Raises `TestbedError` when it took longer."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError:
        raise TestbedError("TestbedTimeout", f"the testbed did not {what} within {seconds:.0f} s") from None
