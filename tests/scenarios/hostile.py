"""Flavours and builders as one process sees them: slow, failing, hanging, and deaf once the process is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from controller.flavours.api import Backend, Context, Flavour
from controller.model.errors import TestbedError
from controller.model.kinds import Key
from controller.model.machine import Inventory, Machine, MachineKey, Order
from controller.model.testbed import Testbed
from nxc_simulators.flavour import SimulatedBackend
from tests.scenarios.clock import Life
from tests.scenarios.trace import Trace
from tests.scenarios.weather import Dice

T = TypeVar("T")


class HostileFlavour:
    """A flavour behind a bad network."""

    def __init__(
        self,
        inner: Flavour,
        life: Life,
        dice: Dice,
        trace: Trace,
        judge: Callable[[str, str], None],
        called: Callable[[str], None],
    ) -> None:
        """`judge` hears of every effect on the world: who does it, and what; `called` of every call."""
        self._inner, self._life, self._dice, self._trace, self._judge = inner, life, dice, trace, judge
        self._called = called
        self.name = inner.name
        self.testbed_kinds = inner.testbed_kinds
        self.shares_network = inner.shares_network
        self.boots_kernel = inner.boots_kernel

    def open(self, testbed: Testbed, context: Context) -> Backend:
        wake = self._wake(context.wake)
        backend = self._inner.open(testbed, replace(context, wake=wake))
        assert isinstance(backend, SimulatedBackend)
        self._life.mourners.append(backend.forget)
        return HostileBackend(backend, self._life, self._dice, self._trace, self._judge, self._called)

    def _wake(self, wake: Callable[[Key], None]) -> Callable[[Key], None]:
        def late(key: Key) -> None:
            if self._life.dead or self._dice.falls(self._dice.weather.lost):
                return
            wake(key)

        return late


class HostileBackend:
    """A backend behind a bad network."""

    def __init__(
        self,
        inner: Backend,
        life: Life,
        dice: Dice,
        trace: Trace,
        judge: Callable[[str, str], None],
        called: Callable[[str], None],
    ) -> None:
        self._inner, self._life, self._dice, self._trace, self._judge = inner, life, dice, trace, judge
        self._called = called

    async def probe(self) -> None:
        await self._call("probe", self._inner.probe)

    async def prepare(self, deployment: str) -> None:
        await self._call("prepare", lambda: self._inner.prepare(deployment))

    async def dismantle(self, deployment: str) -> bool:
        return await self._call("dismantle", lambda: self._inner.dismantle(deployment))

    async def boot(self, order: Order) -> None:
        label = f"boot {order.owner.namespace}/{order.owner.name} attempt {order.key.attempt}"
        await self._call(label, lambda: self._inner.boot(order))

    async def inform(self, key: MachineKey, information: str) -> None:
        await self._call("inform", lambda: self._inner.inform(key, information))

    async def release(self, node: str, owner: Key) -> bool:
        label = f"release {owner.namespace}/{owner.name}"
        return await self._call(label, lambda: self._inner.release(node, owner))

    async def machines(self, node: str) -> Sequence[Machine]:
        self._called(f"look at the machines of {node}")
        return await self._call("", lambda: self._inner.machines(node))

    async def inventory(self) -> Inventory:
        return await self._call("", self._inner.inventory)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _call(self, label: str, effect: Callable[[], Awaitable[T]]) -> T:
        if self._life.dead:
            raise asyncio.CancelledError
        dice, weather = self._dice, self._dice.weather
        await dice.half_a_call()
        if dice.falls(weather.hang):
            self._trace(self._life.name, "{} hangs", label or "a look at the machines")
            await asyncio.sleep(3600)
        if label:
            self._called(label)
        if dice.falls(weather.refused):
            raise TestbedError("TestbedRefused", "the testbed says no (simulated)")
        await self._maybe_die(label, "before")
        if label and label != "probe":
            self._trace(self._life.name, "{}", label)
            self._judge(self._life.name, label)
        found = await effect()
        await self._maybe_die(label, "after")
        await dice.half_a_call()
        if dice.falls(weather.unanswered):
            if label:
                self._trace(self._life.name, "{}: done, but unanswered", label)
            raise TestbedError("TestbedUnanswered", "the testbed does not say whether it did it (simulated)")
        return found

    async def _maybe_die(self, label: str, when: str) -> None:
        if self._dice.falls(self._dice.weather.crash):
            self._trace(self._life.name, "dies {} {}", when, label or "a look at the machines")
            self._life.kill()
            await asyncio.get_running_loop().create_future()
