"""A sandbox that runs nothing: what becomes of a test script stands in the script.

A script is `WHAT SECONDS`: `pass 5` passes after 5 s, `fail 5` fails, `break 5` cannot be run to its end, and
`hang` runs until its limit, 300 s. The composition asks for it with a line `# simulate: test=pass:5`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.model.errors import Blame
from controller.model.kinds import Key
from controller.model.trial import Finding, TrialState
from controller.sandbox.api import Context, Order
from controller.sandbox.news import News
from controller.sandbox.trials import Trials

LIMIT = 300.0


@dataclass(frozen=True, slots=True)
class Running:
    """A script at work: of which operator, on the nodes of which Deployment."""

    operator: str
    key: Key
    uid: str
    digest: str


@dataclass(slots=True)
class Scripts:
    """All scripts at work. `on_begin` hears of each before it begins."""

    running: list[Running] = field(default_factory=list)
    played: list[Running] = field(default_factory=list)
    sandboxes: dict[str, list[SimulatedSandbox]] = field(default_factory=dict)
    """By operator."""
    on_begin: Callable[[Running], None] = lambda running: None

    def of(self, uid: str) -> Running | None:
        """That of a Deployment."""
        return next((one for one in self.running if one.uid == uid), None)

    def died(self, operator: str) -> None:
        """Scripts die with their operator."""
        for sandbox in self.sandboxes.pop(operator, ()):
            sandbox.forget()
        self.running = [one for one in self.running if one.operator != operator]


class SimulatedPlayer:
    """Runs scripts by waiting."""

    def __init__(self, scripts: Scripts, operator: str) -> None:
        self._scripts, self._operator = scripts, operator

    async def open(self) -> None:
        """Nothing is ever left."""

    async def play(self, order: Order, news: News) -> Finding:
        what, _, seconds = order.script.partition(" ")
        running = Running(self._operator, order.key, order.uid, order.digest)
        self._scripts.on_begin(running)
        self._scripts.running.append(running)
        self._scripts.played.append(running)
        try:
            await asyncio.sleep(LIMIT if what == "hang" else float(seconds))
        finally:
            if running in self._scripts.running:
                self._scripts.running.remove(running)
        match what:
            case "pass":
                return Finding(TrialState.PASSED, "passed: 1 steps")
            case "break":
                return Finding(TrialState.BROKEN, "server: the machine ended", Blame.TESTBED)
            case _:
                return Finding(TrialState.FAILED, "line 1: it did not", Blame.USER, 1, "the log\n")


class SimulatedSandbox(Trials):
    """One that can be left as a process leaves it that was killed."""

    def forget(self) -> None:
        """Wait for nothing any more."""
        self._trials.clear()


def simulated_sandbox(scripts: Scripts, operator: str) -> Callable[[Context], SimulatedSandbox]:
    """A factory; scripts wait for their turn where more than two are to run."""

    def made(context: Context) -> SimulatedSandbox:
        sandbox = SimulatedSandbox(context, SimulatedPlayer(scripts, operator), at_once=2)
        scripts.sandboxes.setdefault(operator, []).append(sandbox)
        return sandbox

    return made
