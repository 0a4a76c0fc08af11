"""`nxc-controller run` with ready-made images instead of a builder: the flavour `vm-ramdisk` is the real one.

NXC_TEST_IMAGES names a directory with a store (`nix/store/…`) and one file NAME.json a manifest; a Composition
gets the one that its text names in a line `# image: NAME`, with the test script that stands, as JSON, in a line
`# script: "…"`. Test scripts may take ten seconds. Started as `python -m tests.system.vm.operator -m
controller run …`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller import cli, daemon
from controller.build.api import BuildContext, BuildState
from controller.build.image import BuiltImage
from controller.flavours.vm_ramdisk import VM_RAMDISK
from controller.model.composition import Composition, Image, ImageState
from controller.model.kinds import Key
from controller.model.manifest import Manifest
from controller.plan import attempt
from controller.sandbox.api import Context
from controller.sandbox.jailed import Jailed, Limits
from controller.sandbox.trials import Trials

_NAME = re.compile(r"^\s*# image: (\S+)", re.MULTILINE)
_SCRIPT = re.compile(r"^\s*# script: (.+)", re.MULTILINE)
SCRIPT_SECONDS = 10.0


class Everything:
    """A closure that has every path: these manifests were written by the tests."""

    def __contains__(self, path: object) -> bool:
        return True


class ReadyMade:
    """A builder that has built everything already."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def flavours(self, package_source: str) -> frozenset[str]:
        return frozenset({"vm-ramdisk"})

    def want(self, requester: Key, composition: Composition, flavour: str, package_source: str) -> BuildState:
        found = _NAME.search(composition.source.get("inline") or "")
        assert found is not None, "the composition names no image"
        text = (self.directory / f"{found[1]}.json").read_bytes()
        manifest = Manifest.parse(text, Everything())
        script = _SCRIPT.search(composition.source.get("inline") or "")
        image = Image(
            flavour,
            ImageState.READY,
            image=_digest(text),
            source=composition.source_digest,
            evaluated=True,
            details={"testScript": json.loads(script[1])} if script is not None else None,
        )
        return BuildState(image, tuple(sorted(manifest.roles)))

    def leave(self, requester: Key, *, but: Collection[str] = ()) -> None:
        pass

    async def image(self, digest: str) -> BuiltImage | None:
        for file in self.directory.glob("*.json"):
            text = file.read_bytes()
            if _digest(text) == digest:
                return BuiltImage(digest, Manifest.parse(text, Everything()), self.directory)
        return None

    async def aclose(self) -> None:
        pass


def _digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


def _installed(group: str) -> Mapping[str, Any]:
    if group == daemon.FLAVOURS:
        return {VM_RAMDISK.name: VM_RAMDISK}
    directory = Path(os.environ["NXC_TEST_IMAGES"])

    def build(context: BuildContext) -> ReadyMade:
        return ReadyMade(directory)

    return {"simulated": build}


def _jailed(context: Context) -> Trials:
    limits = Limits(seconds=SCRIPT_SECONDS)
    return Trials(context, Jailed(context.state, trusted=context.trusted, limits=limits))


if __name__ == "__main__":
    if seconds := os.environ.get("NXC_TEST_BOOT_SECONDS"):
        attempt.BOOT_LIMIT = timedelta(seconds=float(seconds))
    daemon.installed = _installed
    daemon.jailed = _jailed
    sys.exit(cli.main([word for word in sys.argv[1:] if word not in ("-m", "controller")]))
