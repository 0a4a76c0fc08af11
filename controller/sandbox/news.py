"""What the program in the sandbox is told, on its standard input: JSON, a line each (`controller.driver.inside`)."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controller.build.log import plain
from controller.model.errors import Blame
from controller.model.node import Node
from controller.model.trial import MESSAGE_LIMIT, Finding, TrialState

_ENDS = frozenset({TrialState.PASSED, TrialState.FAILED, TrialState.BROKEN})
_LINES = 1 << 20


class News:
    """The nodes of a trial as they are now, and lines that tell of what has changed since the last one."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = {node.spec.host: node for node in nodes}
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def tell(self, nodes: Sequence[Node]) -> None:
        """Nodes as they stand now: what has changed is told."""
        now = {node.spec.host: node for node in nodes}
        changed = [view(node) for host, node in now.items() if view(node) != _view(self.nodes.get(host))]
        gone = sorted(self.nodes.keys() - now.keys())
        self.nodes = now
        if changed or gone:
            self._lines.put(line({"nodes": changed, "gone": gone}))

    def close(self) -> None:
        """Nothing more will be told."""
        self._lines.put(None)

    def order(self, *, script: str, key: str, seconds: float) -> Iterator[bytes]:
        """All lines, as they come: to be read by a thread, which waits for them until `close`."""
        nodes = [view(node) for node in self.nodes.values()]
        yield line({"script": script, "key": key, "seconds": seconds, "nodes": nodes})
        while (told := self._lines.get()) is not None:
            yield told


def view(node: Node) -> dict[str, Any]:
    """A node as the API has it, as far as the driver asks."""
    meta = node.meta
    return {
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            **({"deletionTimestamp": "2000-01-01T00:00:00Z"} if meta.deleting else {}),
        },
        "spec": node.spec.to_dict(),
        "status": node.status.to_dict(),
    }


def _view(node: Node | None) -> dict[str, Any] | None:
    return view(node) if node is not None else None


def line(value: Mapping[str, Any]) -> bytes:
    """One line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def finding(text: bytes, log: str) -> Finding | None:
    """What the program said of its end; `None` where it said nothing that can be understood.

    The script runs in the same process, and may have written this: it is read as a stranger's.
    """
    said = next((found for part in reversed(text.splitlines()) if (found := _object(part))), {})
    try:
        state = TrialState(said.get("state", ""))
        blame = Blame(said["blame"]) if said.get("blame") else None
    except (ValueError, KeyError):
        return None
    number, message = said.get("line"), said.get("message")
    if state not in _ENDS or not isinstance(number, int) or not isinstance(message, str):
        return None
    return Finding(state, plain(message)[:MESSAGE_LIMIT], blame, max(0, min(number, _LINES)), log)


def begun(text: bytes) -> bool:
    """Whether the program came so far as to begin the script."""
    return bool(_object(text.splitlines()[0]).get("begun")) if text else False


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
