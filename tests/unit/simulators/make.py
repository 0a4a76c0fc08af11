"""Orders for simulated machines."""

from __future__ import annotations

from typing import Any

from controller.model.deployment import Resources
from controller.model.kinds import NODE, Key
from controller.model.machine import MachineKey, Order


class Clock:
    """The world's time, for a test to set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def order(node: str = "n1", attempt: int = 1, **changes: Any) -> Order:
    values: dict[str, Any] = {
        "key": MachineKey("i1", node, attempt),
        "owner": Key(NODE, "lab", f"web.{node}"),
        "deployment": "d1",
        "digest": "sha256:a",
        "machine": f"local-{node}",
        "role": "server",
        "host": node,
        "image": "sha256:image",
        "resources": Resources(),
        "kernel_parameters": (),
        "information": "sha256:info",
    }
    return Order(**values | changes)
