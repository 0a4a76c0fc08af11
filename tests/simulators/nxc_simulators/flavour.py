"""The flavours `simulated` and `simulated-fast`, and their backend on a world."""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from controller.flavours.api import Context
from controller.model.errors import TestbedError
from controller.model.kinds import Key
from controller.model.machine import Inventory, Machine, MachineKey, Order
from controller.model.testbed import Testbed
from nxc_simulators.life import Record
from nxc_simulators.policy import Policy
from nxc_simulators.shelf import Shelf
from nxc_simulators.world import Network, World

KINDS = frozenset({"simulated", "local"})
WATCH_INTERVAL = 0.5
"""Seconds between looks at a shared file for what other processes did."""


class SimulatedBackend:
    """One flavour on one world. Wakes nodes at every moment at which their machines change."""

    def __init__(self, find: Callable[[], World], flavour: SimulatedFlavour, context: Context) -> None:
        self._find = find
        self._found: World | None = None
        self._flavour = flavour
        self._name = flavour.name
        self._context = context
        self._moments: list[tuple[float, int, Key]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._watching: asyncio.TimerHandle | None = None

    async def probe(self) -> None:
        self._world().refresh()

    async def prepare(self, deployment: str) -> None:
        self._world().prepare(self._network(deployment))

    async def dismantle(self, deployment: str) -> bool:
        return self._world().dismantle(self._network(deployment))

    async def boot(self, order: Order) -> None:
        self._world().boot(order, self._name, self._context.clock(), pace=self._flavour.pace)

    async def inform(self, key: MachineKey, information: str) -> None:
        self._world().inform(key, information)

    async def release(self, node: str, owner: Key) -> bool:
        return self._world().release(node, self._name)

    async def machines(self, node: str) -> Sequence[Machine]:
        return self._world().machines(node, self._name)

    async def inventory(self) -> Inventory:
        return self._world().inventory(self._context.installation, self._name)

    async def aclose(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Listen no more: what the end of a process does."""
        if self._found is not None:
            self._found.listeners.remove(self._changed)
            self._found = None
        for timer in (self._timer, self._watching):
            if timer is not None:
                timer.cancel()

    def _network(self, deployment: str) -> Network:
        return Network(self._context.installation, self._name, deployment)

    def _world(self) -> World:
        """The world, if it answers; listened to from the first call on, because `open` does nothing."""
        world = self._found
        if world is None:
            world = self._found = self._find()
            if self._flavour.shares_network:
                world.needs_network.add(self._name)
            world.listeners.append(self._changed)
            for record in world.records():
                self._expect(world, record)
            if world.shared:
                self._watch()
        if world.outage:
            raise TestbedError("NotAnswering", world.outage)
        return world

    def _watch(self) -> None:
        if self._found is not None:
            self._found.refresh()
            self._watching = asyncio.get_running_loop().call_later(WATCH_INTERVAL, self._watch)

    def _changed(self, record: Record) -> None:
        if self._found is not None and record.flavour == self._name:
            self._expect(self._found, record)
            self._context.wake(record.order.owner)

    def _expect(self, world: World, record: Record) -> None:
        """Note the moments to come at which the machine changes by itself."""
        if record.flavour != self._name:
            return
        now = world.now()
        for moment in record.transitions():
            if moment > now:
                self._count += 1
                heapq.heappush(self._moments, (moment, self._count, record.order.owner))
        self._arm(world)

    def _arm(self, world: World) -> None:
        if not self._moments:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, self._moments[0][0] - world.now())
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = loop.call_at(due, self._moment, world)

    def _moment(self, world: World) -> None:
        self._timer = None
        now = world.now()
        while self._moments and self._moments[0][0] <= now:
            self._context.wake(heapq.heappop(self._moments)[2])
        self._arm(world)


class SimulatedFlavour:
    """A flavour whose machines stand in a `World`, by default that of its Testbed's `spec.endpoint`."""

    def __init__(
        self,
        name: str,
        *,
        pace: float = 1.0,
        shares_network: bool,
        world: Callable[[Testbed], World] | None = None,
    ) -> None:
        """`pace`: how long a stage takes, as a multiple of what the world's policy says."""
        self.name = name
        self.testbed_kinds = KINDS
        self.shares_network = shares_network
        self.boots_kernel = True
        self.pace = pace
        self._world = world or world_on_disk

    def open(self, testbed: Testbed, context: Context) -> SimulatedBackend:
        return SimulatedBackend(lambda: self._world(testbed), self, context)


_worlds: dict[str, World] = {}


def world_on_disk(testbed: Testbed) -> World:
    """The world of a testbed, from `spec.endpoint`: `file:///PATH?OPTION=VALUE&…`; else a file of the user's.

    Options are those of `Policy`: `seed`, `stage`, `spread`, `trouble`, `vanishing`, `lifetime`, `ending`.
    One process has one `World` a file. Raises `TestbedError` for an endpoint that cannot be read.
    """
    endpoint = testbed.endpoint or f"file://{_home() / f'{testbed.meta.name}.sqlite'}"
    if endpoint not in _worlds:
        url = urlsplit(endpoint)
        if url.scheme != "file" or url.netloc or not url.path:
            raise TestbedError("BadEndpoint", f"spec.endpoint: {endpoint!r} is not of the form file:///PATH")
        shelf = Shelf(Path(unquote(url.path)))
        _worlds[endpoint] = World(now=time.time, policy=_policy(url.query), shelf=shelf)
    return _worlds[endpoint]


def _policy(query: str) -> Policy:
    policy = Policy(ending=0.1)
    for name, values in parse_qs(query, strict_parsing=bool(query)).items():
        if name not in Policy.__slots__:
            raise TestbedError(
                "BadEndpoint", f"spec.endpoint: no option {name!r} (there are {', '.join(Policy.__slots__)})"
            )
        try:
            number: Any = int(values[0]) if name == "seed" else float(values[0])
            policy = replace(policy, **{name: number})
        except ValueError:
            raise TestbedError(
                "BadEndpoint", f"spec.endpoint: {name}={values[0]!r} is not a number"
            ) from None
    return policy


def _home() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "nxc-simulators"


SIMULATED = SimulatedFlavour("simulated", shares_network=True)
SIMULATED_FAST = SimulatedFlavour("simulated-fast", pace=0.0, shares_network=False)
