"""Looks after one node over SSH: whether it can be reached, and whether it is healthy, from boot to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from controller.boot import health
from controller.boot.ssh import Session
from controller.model.errors import NxcError, TestbedError
from controller.model.machine import UNSEEN, Signal

AGAIN_FIRST, AGAIN_LAST = 0.25, 5.0
"""Seconds until the next try to log in: at first, and later on."""
UNHEALTHY_FIRST, UNHEALTHY_LAST, HEALTHY_EVERY = 0.25, 1.0, 30.0
"""Seconds until the next question how it is: while it is not well, at first and later on, and when it is."""
MISSES, MISSES_AT_FIRST = 2, 4
"""Tries to log in that may go without answer before a node that was reached counts as lost, and before one that has
just reported is said not to answer: its SSH server may be a second behind its report."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a node answers, and what makes it healthy."""

    address: str
    port: int
    host_key: str
    readiness: Sequence[str]
    ports: Sequence[int]


class Watch:
    """Runs until it is cancelled. `changed` is called whenever `reachable` or `healthy` did change."""

    def __init__(
        self, target: Target, client_key: Callable[[], Awaitable[str]], changed: Callable[[], None]
    ) -> None:
        self.target = target
        self.reachable, self.healthy = UNSEEN, UNSEEN
        self._client_key, self._changed = client_key, changed
        self._session: Session | None = None

    async def run(self) -> None:
        """Log in, ask how it is again and again, log in anew when the session ends."""
        pause, misses = AGAIN_FIRST, 0
        try:
            while True:
                try:
                    await self._log_in()
                except NxcError as error:
                    misses += 1
                    if misses >= self._patience(error):
                        self._say(Signal(False, error.reason, error.message), UNSEEN)
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, AGAIN_LAST)
                    continue
                pause, misses = AGAIN_FIRST, 0
                try:
                    await self._stay()
                except NxcError as error:
                    self._say(Signal(None, error.reason, error.message), self.healthy)
                finally:
                    await self._log_out()
        finally:
            await self._log_out()

    def _patience(self, error: NxcError) -> int:
        """How many tries to log in may fail, as this one did, before the node is said not to be reachable."""
        if self.reachable.ok:
            return MISSES
        return MISSES_AT_FIRST if error.reason == "NotAnswering" else 1

    async def push(self, command: str, text: str, *, seconds: float) -> None:
        """Have a running node take something in. Raises `TestbedError` where it cannot be reached, or will not."""
        if self._session is None:
            raise TestbedError("NotAnswering", "there is no SSH session to the node")
        answer = await self._session.run(command, seconds=seconds, stdin=text)
        if answer.status != 0:
            said = " ".join((answer.errors or answer.output).split())[-300:]
            raise TestbedError("PushRefused", f"{command} on the node ended with {answer.status}: {said}")

    async def _log_in(self) -> None:
        target = self.target
        self._session = await Session.open(
            target.address, target.port, host_key=target.host_key, client_key=await self._client_key()
        )
        self._say(Signal(True, "Reachable", "an SSH session with the host key it reported"), self.healthy)

    async def _log_out(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.aclose()

    async def _stay(self) -> None:
        session, target = self._session, self.target
        assert session is not None
        pause = UNHEALTHY_FIRST
        while True:
            answer = await session.run(
                health.script(target.readiness), seconds=health.time_limit(target.readiness)
            )
            self._say(self.reachable, health.judge(answer.output, target.readiness, target.ports))
            every = HEALTHY_EVERY if self.healthy.ok else pause
            pause = UNHEALTHY_FIRST if self.healthy.ok else min(pause * 1.5, UNHEALTHY_LAST)
            try:
                async with asyncio.timeout(every):
                    await session.closed()
            except TimeoutError:
                continue
            raise TestbedError("SessionEnded", "the SSH session ended; logging in again")

    def _say(self, reachable: Signal, healthy: Signal) -> None:
        if (reachable, healthy) != (self.reachable, self.healthy):
            self.reachable, self.healthy = reachable, healthy
            self._changed()
