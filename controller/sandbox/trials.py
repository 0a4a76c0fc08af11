"""The trials of this process: a task each, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from controller.model.errors import Blame
from controller.model.kinds import Key
from controller.model.node import Node
from controller.model.trial import Finding, Seen, TrialState
from controller.sandbox.api import Context, Order
from controller.sandbox.jailed import Jailed
from controller.sandbox.news import News

logger = logging.getLogger(__name__)

AT_ONCE = 4
"""Scripts that run side by side; the others wait for their turn."""


class Player(Protocol):
    """Runs one trial to its end; nothing of it is left when `play` returns or is cancelled."""

    async def open(self) -> None:
        """Clear away what is left of earlier processes."""

    async def play(self, order: Order, news: News) -> Finding:
        """How it ended."""


@dataclass(slots=True)
class _Trial:
    order: Order
    news: News
    waiting: bool = True
    finding: Finding | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Trials:
    """A `controller.sandbox.api.Sandbox`."""

    def __init__(self, context: Context, player: Player, *, at_once: int = AT_ONCE) -> None:
        self._context, self._player = context, player
        self._turn = asyncio.Semaphore(at_once)
        self._trials: dict[Key, _Trial] = {}

    async def open(self) -> None:
        """See `Sandbox.open`."""
        await self._player.open()

    def seen(self, key: Key) -> Seen | None:
        """See `Sandbox.seen`."""
        trial = self._trials.get(key)
        if trial is None:
            return None
        order = trial.order
        return Seen(order.uid, order.digest, order.run, trial.waiting, trial.finding)

    def start(self, order: Order) -> None:
        """See `Sandbox.start`."""
        before = self._trials.pop(order.key, None)
        trial = self._trials[order.key] = _Trial(order, News(order.nodes))
        trial.task = asyncio.create_task(self._run(trial, before), name=f"test of {order.key}")

    def tell(self, key: Key, nodes: Sequence[Node]) -> None:
        """See `Sandbox.tell`."""
        trial = self._trials.get(key)
        if trial is not None and trial.finding is None:
            trial.news.tell(nodes)

    async def stop(self, key: Key) -> None:
        """See `Sandbox.stop`."""
        trial = self._trials.pop(key, None)
        if trial is not None:
            await _end(trial)

    async def aclose(self) -> None:
        """See `Sandbox.aclose`."""
        trials = tuple(self._trials.values())
        self._trials.clear()
        await _end(*trials)

    async def _run(self, trial: _Trial, before: _Trial | None) -> None:
        if before is not None:
            await _end(before)
        key = trial.order.key
        async with self._turn:
            trial.waiting = False
            self._context.wake(key)
            try:
                trial.finding = await self._player.play(trial.order, trial.news)
            except Exception as error:
                logger.exception("the test script of %s could not be run", key)
                message = f"the sandbox failed: {type(error).__name__}: {error}"
                trial.finding = Finding(TrialState.BROKEN, message, Blame.CONTROLLER)
        self._context.wake(key)


async def _end(*trials: _Trial) -> None:
    """Returns when nothing of them is left."""
    tasks = [trial.task for trial in trials if trial.task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def jailed(context: Context) -> Trials:
    """The sandbox of a real operator."""
    return Trials(context, Jailed(context.state, trusted=context.trusted))
