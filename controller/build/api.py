"""The contract between the operator and what builds images.

A builder works for requesters. `want` is asked again at every reconcile; it starts the work if nobody
did, answers how far it is, and the builder calls `wake(requester)` when that changes. Found by the
entry-point group `nxc.builders`, by the name of the package source it serves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from controller.model.composition import Composition, Image
from controller.model.kinds import Key

ENTRY_POINT_GROUP = "nxc.builders"


@dataclass(frozen=True, slots=True)
class BuildState:
    """How far the image of one flavour is, and the roles if evaluation has told them."""

    image: Image
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a builder gets to live on."""

    wake: Callable[[Key], None]
    clock: Callable[[], datetime]


class Builder(Protocol):
    """Builds images of compositions for one package source."""

    def want(self, requester: Key, composition: Composition, flavour: str) -> BuildState:
        """How far this image is; starts the work where nobody did. Never blocks."""

    def leave(self, requester: Key) -> None:
        """The requester is gone; work that nobody else wants may stop."""

    async def aclose(self) -> None:
        """Stop all work."""


class BuilderFactory(Protocol):
    """What an entry point of the group `nxc.builders` names."""

    def __call__(self, context: BuildContext) -> Builder: ...
