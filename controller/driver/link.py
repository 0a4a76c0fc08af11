"""The session with one node, made when it is needed, and made anew when the node comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from controller.driver.faults import NodeFailed
from controller.driver.fleet import Fleet
from controller.driver.session import Session
from controller.driver.target import Identity, Target
from controller.model.errors import NxcError, TestbedError

Result = TypeVar("Result")
PAUSE = 1.0
REFUSALS = 15.0
"""Seconds for which a node that should answer may refuse to: then it is not the node that is to blame."""


@dataclass(slots=True)
class Link:
    """To be used in one event loop; what it is asked at the same time happens one after the other where it must."""

    host: str
    fleet: Fleet
    identity: Identity
    via: str = ""
    log: Callable[[str], None] = lambda _: None
    _session: Session | None = None
    _last: Target | None = None
    _gone: str = ""
    """The boot that the script ended: the node is not logged in to in it again, though its status may lag."""
    _down: bool = False
    _lock: asyncio.Lock | None = None

    @property
    def up(self) -> bool:
        """Whether there is a session, as far as is known."""
        return self._session is not None

    @property
    def down(self) -> bool:
        """Whether it was taken down by the script, and is not wanted back yet."""
        return self._down

    def wanted(self) -> None:
        """It was taken down, and is wanted again."""
        self._down = False

    async def session(self) -> Session:
        """The session; waits for the node as long as a boot may take. Raises `NodeFailed`."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._session is None:
                before = self._last
                self._session = await self._open()
                self._last, self._down = self._session.target, False
                if before is not None and before.boot != self._last.boot:
                    self.log(f"{self.host}: it was booted anew")
            return self._session

    async def do(self, work: Callable[[Session], Awaitable[Result]], *, may_end: bool = False) -> Result:
        """Do something over the session. Raises `NodeFailed` where the node breaks meanwhile.

        `may_end`: it may well go, by the work itself; raises `EOFError` then.
        """
        session = await self.session()
        try:
            return await work(session)
        except TestbedError as error:
            await self._drop()
            if may_end:
                raise EOFError from None
            told = await self.fleet.diagnose(session.target)
            raise NodeFailed(self.host, f"{error.message}; {told.message}", blame=told.blame) from None

    async def ended(self, seconds: float) -> bool:
        """Wait until the node is down; it counts as taken down from then on. False: it did not go."""
        if self._session is not None:
            try:
                async with asyncio.timeout(seconds):
                    await self._session.closed()
            except TimeoutError:
                return False
            await self._drop()
        if self._last is not None:
            self._gone = self._last.boot
        self._down = True
        return True

    async def aclose(self) -> None:
        """End the session."""
        await self._drop()

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def _find(self) -> Target:
        try:
            return await self.fleet.find(self.host, not_boot=self._gone, tell=self.log)
        except NodeFailed as error:
            if not self._gone:
                raise
            note = "a shutdown or crash counts as a failed attempt: give spec.retry.attempts a higher number"
            raise NodeFailed(self.host, f"{error}; {note}", blame=error.blame) from None

    async def _open(self) -> Session:
        loop = asyncio.get_running_loop()
        tried, give_up = "", 0.0
        while True:
            target = await self._find()
            if target.boot != tried:
                tried, give_up = target.boot, loop.time() + REFUSALS
            try:
                return await Session.open(target, self.identity, via=self.via)
            except NxcError as error:
                if error.reason != "NotAnswering" or loop.time() > give_up:
                    raise NodeFailed(self.host, error.message, blame=error.blame) from None
            await asyncio.sleep(PAUSE)
