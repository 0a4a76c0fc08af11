"""Runs sequences on both servers and tells where their answers part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.local.differential.answers import Answer, difference
from tests.local.differential.calls import Call
from tests.local.differential.differences import expected
from tests.local.differential.generate import sequence
from tests.local.differential.servers import SETTLE_SECONDS, Server
from tests.local.scratch import PADDOCKS, SPROCKETS


@dataclass
class Outcome:
    """What one sequence showed. `lines` tell every call up to the first difference, and that difference."""

    seed: int
    calls: int = 0
    lines: list[str] = field(default_factory=list)
    differs: bool = False
    where: str = ""

    def __str__(self) -> str:
        return (
            f"seed {self.seed} (replay: python -m tests.local.differential --seed {self.seed})\n"
            + "\n".join(self.lines)
        )


class Pair:
    """The two servers, prepared; sequences run in one namespace that is cleared after each."""

    def __init__(self, local: Path, real: Path, namespace: str) -> None:
        self.local = Server("local", local, namespace)
        self.real = Server("real", real, namespace)

    def __enter__(self) -> Pair:
        for server in (self.local, self.real):
            server.prepare((SPROCKETS, PADDOCKS))
            server.clear()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self.local, self.real):
            server.remove_namespace()
            server.close()

    def run(self, seed: int, length: int) -> Outcome:
        outcome = Outcome(seed)
        self.local.begin()
        self.real.begin()
        try:
            for call in sequence(seed, length):
                outcome.calls += 1
                outcome.lines.append(f"  {call}")
                if self._differs(call, outcome):
                    break
        finally:
            self.local.clear()
            self.real.clear()
        return outcome

    def _differs(self, call: Call, outcome: Outcome) -> bool:
        local, real = self.local.send(call), self.real.send(call)
        shown = self.local.ranks.normal(local), self.real.ranks.normal(real)
        found = _unexpected(call, *shown)
        if not found and call.settle:
            found = self._background()
        if found:
            outcome.differs = True
            outcome.where = found[0]
            outcome.lines += [f"    {line}" for line in found]
            outcome.lines += [f"    local: {_brief(local)}", f"    real:  {_brief(real)}"]
        return bool(found)

    def _background(self) -> list[str]:
        """Wait until both hold the same objects."""
        end = time.monotonic() + SETTLE_SECONDS
        pause = 0.02
        while True:
            local, real = _summary(self.local), _summary(self.real)
            if local == real:
                return []
            if time.monotonic() > end:
                return [f"in the end: local {local} != real {real}"]
            time.sleep(pause)
            pause = min(0.5, pause * 1.5)


def _unexpected(call: Call, local: Answer, real: Answer) -> list[str]:
    local, real = expected(call, local, real)
    return difference(local, real)


def _summary(server: Server) -> dict[str, tuple[bool, tuple[str, ...], int]]:
    """Of each object: whether it is going, who holds it, how many owners it has."""
    return {
        server.ranks.text(key): (
            "deletionTimestamp" in obj["metadata"],
            tuple(obj["metadata"].get("finalizers", ())),
            len(obj["metadata"].get("ownerReferences", ())),
        )
        for key, obj in server.objects().items()
    }


def _brief(answer: Answer) -> str:
    body = answer.body
    if isinstance(body, dict) and body.get("kind") == "Status":
        return f"{answer.code} {body.get('reason', '')}: {body.get('message', '')} {body.get('details', '')}"
    return f"{answer.code} {str(body)[:1500]}"


def run(pair: Pair, seeds: Iterator[int], length: int) -> Iterator[Outcome]:
    for seed in seeds:
        yield pair.run(seed, length)
