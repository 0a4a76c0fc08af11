"""Faults on demand, for tests: the network and the server at their worst, from a seed.

Only where the server was started with the hidden flag --faults; then the administrator reads and sets the
switches at /nxc-faults (GET, PUT, JSON as in `Switches`), `POST /nxc-faults/drop` cuts every open watch and
`POST /nxc-faults/forget` drops the past, so that every older resourceVersion answers 410.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from controller.local.core import errors
from controller.local.core.errors import ApiError, bad_request
from controller.local.core.watch import Event
from controller.local.paths import Target

PATH = "/nxc-faults"
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Switches:
    """Rates are chances from 0 to 1 per request (per event for the last three), delays in seconds."""

    seed: int = 0
    plurals: tuple[str, ...] = ()
    """Only requests for these resources are struck; empty: all."""
    delay: float = 0.0
    """Each request waits between nothing and this."""
    too_many: float = 0.0
    """429 with Retry-After."""
    retry_after: int = 1
    unavailable: float = 0.0
    """503, or 500 every other time; half of the struck writes are carried out before the error is told."""
    conflict: float = 0.0
    """409 on update and patch."""
    gone: float = 0.0
    """410: of a list as the answer, of a watch, as from the real server, as its only event."""
    drop: float = 0.0
    """The watch ends without a word before this event."""
    expire: float = 0.0
    """The watch ends with a 410 before this event."""
    double: float = 0.0
    """The event comes twice."""


class Source(Protocol):
    """A watch of the core, or one that wraps it."""

    on_ready: Callable[[], None] | None
    closed: bool

    def take(self, limit: int = 1000) -> list[Event]: ...
    def bookmark(self) -> Event: ...
    def close(self) -> None: ...


def parse(document: Any) -> Switches:
    """Switches from JSON; raises `ApiError` 400 that names the field."""
    if not isinstance(document, dict):
        raise bad_request("the faults must be a JSON object")
    fields = {field.name: field for field in dataclasses.fields(Switches)}
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name not in fields:
            raise bad_request(f"{name}: there is no such fault; there are: {', '.join(fields)}")
        if name == "plurals":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise bad_request("plurals: must be a list of strings")
            values[name] = tuple(value)
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise bad_request(f"{name}: must be a number of at least 0")
        elif name in ("seed", "retry_after"):
            values[name] = int(value)
        else:
            values[name] = float(value)
    return Switches(**values)


class Faults:
    """Strikes requests and bends watches as the switches say."""

    def __init__(self) -> None:
        self._dice = random.Random(0)  # noqa: S311  # repeatable on purpose
        self.switches = Switches()

    def set(self, switches: Switches) -> None:
        """From now on these; the dice start anew from their seed."""
        self.switches = switches
        self._dice = random.Random(switches.seed)  # noqa: S311

    async def strike(self, target: Target, verb: str, *, versioned: bool = True) -> ApiError | None:
        """Wait, raise `ApiError` instead of an answer, or return one to raise once the write is carried out.

        `versioned`: a list asks for a resourceVersion or goes on with a continue token; only then can it be gone.
        """
        switches = self.switches
        if switches.plurals and target.plural not in switches.plurals:
            return None
        if switches.delay:
            await asyncio.sleep(self._dice.random() * switches.delay)
        if self.hit(switches.too_many):
            raise errors.too_many_requests("the server has received too many requests", switches.retry_after)
        if verb in ("update", "patch") and self.hit(switches.conflict):
            raise errors.conflict(target.group, target.plural, target.name)
        if verb == "list" and versioned and self.hit(switches.gone):
            raise errors.expired("too old resource version: 1 (2)")
        if self.hit(switches.unavailable):
            error = self._dice.choice(
                [errors.internal("a fault on demand"), errors.service_unavailable("away")]
            )
            if verb in WRITES and self._dice.random() < 0.5:
                return error
            raise error
        return None

    def bend(self, source: Source, target: Target) -> Source:
        """The same watch, with its events doubled, dropped or cut as the switches say at each moment."""
        switches = self.switches
        spared = bool(switches.plurals) and target.plural not in switches.plurals
        return _Bent(self, source, target, gone=not spared and self.hit(switches.gone))

    def hit(self, rate: float) -> bool:
        """Throw the dice."""
        return rate > 0 and self._dice.random() < rate


class _Bent:
    def __init__(self, faults: Faults, source: Source, target: Target, *, gone: bool) -> None:
        self._faults = faults
        self._source = source
        self._target = target
        self._gone = gone

    @property
    def on_ready(self) -> Callable[[], None] | None:
        return self._source.on_ready

    @on_ready.setter
    def on_ready(self, call: Callable[[], None] | None) -> None:
        self._source.on_ready = call

    @property
    def closed(self) -> bool:
        return self._source.closed

    @closed.setter
    def closed(self, value: bool) -> None:
        self._source.closed = value

    def take(self, limit: int = 1000) -> list[Event]:
        switches, hit = self._faults.switches, self._faults.hit
        if self._gone:
            self.close()
            return [_too_old(0)]
        events = self._source.take(limit)
        if switches.plurals and self._target.plural not in switches.plurals:
            return events
        bent: list[Event] = []
        for event in events:
            if event.type in ("ADDED", "MODIFIED", "DELETED"):
                if hit(switches.drop):
                    self.close()
                    return bent
                if hit(switches.expire):
                    self.close()
                    return [*bent, _too_old(event.resource_version)]
                if hit(switches.double):
                    bent.append(event)
            bent.append(event)
        return bent

    def bookmark(self) -> Event:
        return self._source.bookmark()

    def close(self) -> None:
        self._source.close()


def _too_old(version: int) -> Event:
    return Event("ERROR", errors.expired("too old resource version: 1 (2)").status(), version)
