"""The flavour docker, as its entry point names it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from controller.flavours.api import Context
from controller.flavours.docker_backend import DockerBackend
from controller.flavours.docker_plan import wishes
from controller.flavours.docker_wishes import Grants
from controller.model.manifest import Manifest
from controller.model.testbed import Testbed


class Docker:
    """One process has one backend for a testbed, however often it is opened."""

    name = "docker"
    testbed_kinds = frozenset({"docker"})
    shares_network = True
    boots_kernel = False

    def __init__(self) -> None:
        self._open: dict[Path, DockerBackend] = {}

    def open(self, testbed: Testbed, context: Context) -> DockerBackend:
        """See `controller.flavours.api.Flavour`."""
        place = context.state / testbed.meta.name
        known = self._open.get(place)
        if known is None or known.endpoint != testbed.endpoint:
            known = self._open[place] = DockerBackend(testbed, context, lambda: self._close(place))
        known.grant(testbed)
        return known

    def refuse(self, manifest: Manifest, roles: Collection[str], testbed: Testbed) -> None:
        """See `controller.flavours.api.Particular`."""
        for role in sorted(roles):
            wishes(manifest, role, Grants.of(testbed))

    def _close(self, place: Path) -> None:
        self._open.pop(place, None)


DOCKER = Docker()
