"""Evaluations pass together, the collector alone."""

from __future__ import annotations

import asyncio

import pytest

from controller.build.gate import Gate


class Visitors:
    """Who is inside, in the order of their coming and going."""

    def __init__(self) -> None:
        self.gate, self.log = Gate(), list[str]()
        self.leave: dict[str, asyncio.Event] = {}

    def enter(self, name: str) -> asyncio.Task[None]:
        self.leave[name] = asyncio.Event()
        return asyncio.create_task(self._visit(name))

    async def _visit(self, name: str) -> None:
        async with self.gate.alone() if name.isupper() else self.gate.passing():
            self.log.append(f"+{name}")
            await self.leave[name].wait()
        self.log.append(f"-{name}")


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_who_is_to_be_alone_waits_and_later_ones_wait_for_him() -> None:
    at = Visitors()
    tasks = [at.enter(name) for name in ("a", "b", "C", "d")]
    await settle()
    assert at.log == ["+a", "+b"]
    at.leave["a"].set()
    await settle()
    assert at.log == ["+a", "+b", "-a"]
    at.leave["b"].set()
    await settle()
    assert at.log[3:] == ["-b", "+C"]
    at.leave["C"].set()
    await settle()
    assert at.log[5:] == ["-C", "+d"]
    at.leave["d"].set()
    await asyncio.gather(*tasks)


async def test_who_gives_up_waiting_holds_up_nobody() -> None:
    at = Visitors()
    a, b, c = at.enter("a"), at.enter("B"), at.enter("c")
    await settle()
    b.cancel()
    await settle()
    assert at.log == ["+a", "+c"]
    for name in "ac":
        at.leave[name].set()
    await asyncio.gather(a, c)
    with pytest.raises(asyncio.CancelledError):
        await b


async def test_who_is_cancelled_as_his_turn_comes_gives_it_back() -> None:
    at = Visitors()
    a, b = at.enter("A"), at.enter("B")
    await settle()
    at.leave["A"].set()
    await asyncio.sleep(0)
    b.cancel()
    await settle()
    c = at.enter("C")
    await settle()
    assert at.log[-1] == "+C"
    at.leave["C"].set()
    await asyncio.gather(a, c)
