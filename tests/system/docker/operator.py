"""`nxc-controller run` with ready-made images instead of a builder: the flavour `docker` is the real one.

As `tests.system.vm.operator`, with the manifests in NXC_TEST_IMAGES and their store in NXC_TEST_STORE.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from controller import cli, daemon
from controller.build.api import BuildContext, BuildState
from controller.build.image import BuiltImage
from controller.flavours.docker import DOCKER
from controller.model.composition import Composition
from controller.model.kinds import Key
from tests.system.vm.operator import ReadyMade
from tests.system.vm.operator import _digest as digest


class ReadyMadeContainers(ReadyMade):
    """A builder that has built everything already, in a store beside its manifests."""

    def flavours(self, package_source: str) -> frozenset[str]:
        return frozenset({"docker"})

    def want(self, requester: Key, composition: Composition, flavour: str, package_source: str) -> BuildState:
        state = super().want(requester, composition, flavour, package_source)
        for file in self.directory.glob("*.json"):
            if state.image.image == digest(text := file.read_bytes()):
                details = {"testScript": json.loads(text)["testScript"]}
                return replace(state, image=replace(state.image, details=details))
        return state

    async def image(self, digest: str) -> BuiltImage | None:
        found = await super().image(digest)
        return replace(found, store_root=Path(os.environ["NXC_TEST_STORE"])) if found is not None else None


def _installed(group: str) -> Mapping[str, Any]:
    if group == daemon.FLAVOURS:
        return {DOCKER.name: DOCKER}

    def build(context: BuildContext) -> ReadyMade:
        return ReadyMadeContainers(Path(os.environ["NXC_TEST_IMAGES"]))

    return {"simulated": build}


if __name__ == "__main__":
    daemon.installed = _installed
    sys.exit(cli.main([word for word in sys.argv[1:] if word not in ("-m", "controller")]))
