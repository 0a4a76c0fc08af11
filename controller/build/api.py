"""The contract between the operator and what builds images.

A builder works for requesters. `want` is asked again at every reconcile; it starts the work if nobody
did, answers how far it is, and the builder calls `wake(requester)` when that changes. Found by the
entry-point group `nxc.builders`, by the kind of the package source it serves; one that is registered for
several kinds is made once.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from controller.build.image import BuiltImage
from controller.build.settings import BuildSettings
from controller.model.composition import Composition, Image
from controller.model.kinds import Key, Kind
from controller.model.meta import Object
from controller.observe.metrics import Metrics

ENTRY_POINT_GROUP = "nxc.builders"


@dataclass(frozen=True, slots=True)
class BuildState:
    """How far the image of one flavour is; the roles, the revision and the warnings, once they are known."""

    image: Image
    roles: tuple[str, ...] = ()
    revision: str = ""
    notes: tuple[str, ...] = ()


async def _nothing(kind: Kind, namespace: str, name: str) -> Object | None:
    """For a builder that needs no sources from the cluster."""
    del kind, namespace, name
    return None


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What a builder gets to live on.

    `read` gives a ConfigMap or Secret as it stands now, `None` where there is none; raises `ApiError`.
    `in_use` gives the digests of the images that compositions, deployments and nodes name: those stay.
    """

    wake: Callable[[Key], None]
    clock: Callable[[], datetime]
    read: Callable[[Kind, str, str], Awaitable[Object | None]] = _nothing
    in_use: Callable[[], frozenset[str]] = frozenset
    settings: BuildSettings = field(default_factory=BuildSettings)
    metrics: Metrics = field(default_factory=Metrics)
    rng: random.Random = field(default_factory=random.Random)


class Builder(Protocol):
    """Builds images of compositions."""

    def flavours(self, package_source: str) -> frozenset[str]:
        """The flavours that it can build with a package source, by its name."""

    def want(self, requester: Key, composition: Composition, flavour: str, package_source: str) -> BuildState:
        """How far this image is; starts the work where nobody did. Never blocks."""

    def leave(self, requester: Key, *, but: Collection[str] = ()) -> None:
        """The requester wants no flavour any more (but these); work that nobody else wants may stop."""

    async def image(self, digest: str) -> BuiltImage | None:
        """An image that was built here, by its digest; `None` where it is not, or no longer.

        Raises `NxcError` while nobody can tell.
        """

    async def aclose(self) -> None:
        """Stop all work."""


class BuilderFactory(Protocol):
    """What an entry point of the group `nxc.builders` names."""

    def __call__(self, context: BuildContext) -> Builder: ...
