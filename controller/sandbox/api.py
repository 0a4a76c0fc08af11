"""What the reconciler asks of a sandbox.

A sandbox runs at most one trial a Deployment. It writes nothing to the API: when a trial begins or ends, it
wakes the Deployment, and `seen` tells. Trials end with the process that started them; what is on record of
them as running is then started again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from controller.model.kinds import Key
from controller.model.node import Node
from controller.model.trial import Seen


@dataclass(frozen=True, slots=True)
class Order:
    """One trial: of which Deployment (`key` and `uid`), of what (`digest`), for the how manieth time (`run`).

    `private_key` gives the deployment's SSH key as OpenSSH's PEM; raises `NxcError` where it cannot be had.
    """

    key: Key
    uid: str
    digest: str
    run: int
    script: str
    nodes: Sequence[Node]
    private_key: Callable[[], Awaitable[str]] = field(repr=False)


class Sandbox(Protocol):
    """Where trials run."""

    async def open(self) -> None:
        """Clear away what a controller that was killed left behind."""

    def seen(self, key: Key) -> Seen | None:
        """The trial of a Deployment, until `stop`."""

    def start(self, order: Order) -> None:
        """Have a trial run, in place of any other of this Deployment."""

    def tell(self, key: Key, nodes: Sequence[Node]) -> None:
        """How the nodes of a trial stand now."""

    async def stop(self, key: Key) -> None:
        """End and forget the trial of a Deployment; returns when nothing of it is left."""

    async def aclose(self) -> None:
        """End all of them."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a sandbox gets to live on. `state`: a directory of its own. `trusted`: the authors of scripts are."""

    wake: Callable[[Key], None]
    state: Path
    trusted: bool = False


SandboxFactory = Callable[[Context], Sandbox]
