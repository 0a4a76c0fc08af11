"""`kubectl nxc run`: one command on many nodes at once, each line with its node's name before it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.driver.session import Session
from controller.driver.target import Identity, Target
from controller.driver.terminal import printable
from controller.model.errors import NxcError

FAILED, TOO_LONG = 255, 124
"""Exit statuses of ours, as ssh(1) and timeout(1) have them: no session; not done in time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended on one node; `trouble` where it did not even run to its end."""

    host: str
    status: int
    trouble: str = ""


async def on_all(
    targets: Sequence[Target],
    identity: Identity,
    command: str,
    *,
    via: str = "",
    at_once: int = 32,
    seconds: float | None = None,
    say: Callable[[Target, bool, str], None],
) -> list[Ended]:
    """Run it on every node; `say(target, is_error, line)` gets all output."""
    turns = asyncio.Semaphore(at_once)

    async def one(target: Target) -> Ended:
        async with turns:
            try:
                async with asyncio.timeout(seconds):
                    session = await Session.open(target, identity, via=via)
                    try:
                        status = await session.stream(command, lambda bad, text: say(target, bad, text))
                    finally:
                        await session.aclose()
            except TimeoutError:
                return Ended(target.host, TOO_LONG, f"not done within {seconds:g} s")
            except NxcError as error:
                return Ended(target.host, FAILED, error.message)
            return Ended(target.host, status)

    return list(await asyncio.gather(*map(one, targets)))


def prefixer(targets: Sequence[Target], *, bare: bool) -> Callable[[Target, bool, str], None]:
    """Prints lines as they come: output to stdout, errors to stderr, each after its node's name unless `bare`."""
    width = max(len(target.host) for target in targets)

    def say(target: Target, bad: bool, text: str) -> None:
        stream = sys.stderr if bad else sys.stdout
        text = printable(text) if stream.isatty() else text
        print(text if bare else f"{target.host.ljust(width)} | {text}", file=stream, flush=True)

    return say


def summary(ended: Sequence[Ended]) -> list[str]:
    """What went wrong where, and on how many nodes all went well. Empty for one node that did its part."""
    lines = [f"{end.host}: {end.trouble}" for end in ended if end.trouble]
    bad = [end for end in ended if end.status]
    if len(ended) > 1:
        statuses: dict[int, list[str]] = {}
        for end in bad:
            statuses.setdefault(end.status, []).append(end.host)
        parts = [f"{len(ended) - len(bad)} of {len(ended)} nodes: exit status 0"]
        parts += [f"{status}: {', '.join(hosts)}" for status, hosts in sorted(statuses.items())]
        lines.append("; ".join(parts))
    return lines


def worst(ended: Sequence[Ended]) -> int:
    """The exit status of all together."""
    return max((end.status for end in ended), default=0)
