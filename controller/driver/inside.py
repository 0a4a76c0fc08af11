"""The program in the sandbox: `python -m controller.driver.inside`. It has no network, and asks nobody.

Standard input has JSON, a line each: first the script, the private key, the limit in seconds and the nodes
(DeployedNodes as the API has them), then nodes as they change, until the end. Each node's SSH server is behind
a UNIX socket `/nodes/HOST`. The log goes to standard error, and so does what the script prints; standard
output has two lines of JSON: that the script begins, and what came of it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from controller.driver.background import Background
from controller.driver.course import Subject, limit, run
from controller.driver.fleet import Diagnosis, NodeFleet
from controller.driver.journal import Journal
from controller.driver.script import Result, Verdict, report
from controller.driver.target import Identity, Target
from controller.model.names import natural
from controller.model.node import Node
from controller.model.trial import TrialState

NODES = "/nodes"
SHOWN = 400
"""Characters of the script's line that a message shows."""
STATES = {
    Verdict.PASSED: TrialState.PASSED,
    Verdict.FAILED: TrialState.FAILED,
    Verdict.BROKEN: TrialState.BROKEN,
}


@dataclass
class Told:
    """The nodes as the operator told of them last. Written by a thread of its own."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def take(self, news: dict[str, Any]) -> None:
        """Take in a line."""
        nodes = {**self.nodes, **{node.spec.host: node for node in map(Node.parse, news.get("nodes", ()))}}
        for host in news.get("gone", ()):
            nodes.pop(host, None)
        self.nodes = nodes

    def follow(self, stream: BinaryIO) -> None:
        """Take in lines until there are no more."""
        for line in stream:
            self.take(json.loads(line))

    async def look(self, host: str) -> Node | None:
        """A node as it stands now."""
        return self.nodes.get(host)


@dataclass(frozen=True, slots=True)
class SocketFleet:
    """Nodes behind UNIX sockets."""

    inner: NodeFleet
    directory: str

    async def find(self, host: str, *, not_boot: str, tell: Callable[[str], None]) -> Target:
        """See `controller.driver.fleet.Fleet`."""
        found = await self.inner.find(host, not_boot=not_boot, tell=tell)
        return replace(found, socket=f"{self.directory}/{host}")

    async def diagnose(self, target: Target) -> Diagnosis:
        """See `controller.driver.fleet.Fleet`."""
        return await self.inner.diagnose(target)


def main() -> int:
    """Run one script; what came of it is on standard output."""
    orders, answers = _parted_streams()
    first = json.loads(orders.readline())
    told = Told()
    told.take(first)
    threading.Thread(target=told.follow, args=(orders,), name="nodes", daemon=True).start()
    answers.write(b'{"begun": true}\n')
    answers.flush()
    answer = play(first, told, NODES)
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()
    return 0


def play(first: dict[str, Any], told: Told, directory: str) -> dict[str, Any]:
    """Run the script of an order; the answer."""
    text: str = first["script"]
    nodes = sorted(told.nodes.values(), key=lambda node: (natural(node.spec.role), natural(node.spec.host)))
    fleet = SocketFleet(NodeFleet(told.look), directory)
    subject = Subject(nodes, fleet, Identity("root", key=first["key"]))
    journal = Journal(lambda line: print(line, file=sys.stderr, flush=True))
    with Background() as background, limit(first["seconds"]):
        result = run(subject, text, background, journal, Path("output"))
    page = report(result, text, journal)
    print(page, file=sys.stderr, flush=True)
    return {
        "state": STATES[result.verdict].value,
        "message": page if result.verdict is Verdict.PASSED else message(result, text),
        "blame": result.blame.value if result.blame is not None else "",
        "line": result.line,
    }


def message(result: Result, text: str) -> str:
    """The failing line, what is wrong, and whose fault that is."""
    lines = text.splitlines()
    known = 0 < result.line <= len(lines)
    where = f"line {result.line}: `{lines[result.line - 1].strip()[:SHOWN]}`: " if known else ""
    return f"{where}{result.message}\nwhose fault: {result.fault}"


def _parted_streams() -> tuple[BinaryIO, BinaryIO]:
    """Ours; the script gets an empty input, and standard error for both outputs."""
    orders, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, answers


if __name__ == "__main__":
    sys.exit(main())
