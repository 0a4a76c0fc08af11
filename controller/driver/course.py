"""The course of a test: sessions are made, the script is run, the sessions are closed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from controller.driver import script as scripts
from controller.driver.background import Background
from controller.driver.faults import NodeFailed, TimeIsUp
from controller.driver.fleet import Fleet
from controller.driver.journal import Journal
from controller.driver.link import Link
from controller.driver.machine import Machine
from controller.driver.script import Result
from controller.driver.target import Identity
from controller.model.errors import NxcError
from controller.model.node import Node

CLOSE_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Subject:
    """What a test is about: the nodes, by role and host, and the way to log in to them."""

    nodes: Sequence[Node]
    fleet: Fleet
    identity: Identity
    via: str = ""


def run(subject: Subject, text: str, background: Background, journal: Journal, output: Path) -> Result:
    """Run a script against nodes; whatever happens, the sessions are closed."""
    links = [
        Link(node.spec.host, subject.fleet, subject.identity, subject.via, journal.log)
        for node in subject.nodes
    ]
    machines = [Machine(link, background, journal, output) for link in links]

    def start_all() -> None:
        with journal.step("waiting for all nodes to answer"):
            for machine in machines:
                machine.start()
            background.call(_all(links))

    described = [
        (machine, node.spec.role, node.spec.aliases)
        for machine, node in zip(machines, subject.nodes, strict=True)
    ]
    names = scripts.symbols(described, journal, start_all=start_all)
    try:
        return scripts.run(text, names, journal)
    except TimeIsUp as error:
        return scripts.judge(error, journal)
    finally:
        with suppress(TimeoutError):
            background.call(_close(links))


async def _all(links: Sequence[Link]) -> None:
    """All at once; the first that fails is told."""
    done = await asyncio.gather(*(link.session() for link in links), return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, NodeFailed):
            raise outcome
        if isinstance(outcome, NxcError):
            raise NodeFailed("a node", outcome.message, blame=outcome.blame)
        if isinstance(outcome, BaseException):
            raise outcome


async def _close(links: Sequence[Link]) -> None:
    async with asyncio.timeout(CLOSE_LIMIT):
        await asyncio.gather(*(link.aclose() for link in links))


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Ends the script, wherever it is, once its time is up."""

    def ring(signum: int, frame: object) -> None:
        del signum, frame
        raise TimeIsUp(f"the test took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
