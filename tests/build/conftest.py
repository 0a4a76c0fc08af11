"""Nix, isolated, on a store of the tests' own. What this machine lacks for it is named where a test is skipped."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.build.answers import Evaluation
from controller.build.isolation import Isolation, probe
from controller.build.limits import GIB, MIB, BuildLimits, EvalLimits
from controller.build.log import Progress
from controller.build.nix import Nix
from controller.build.system import System
from controller.model.errors import NxcError

SYSTEM = System(os.environ.get("NXC_TEST_NIX_SYSTEM", ""))
"""Another system's Nix for these tests, if that is set: the root of its tree."""
EXPRESSIONS = Path(__file__).parent / "expressions"
EVALUATION = EvalLimits(seconds=60, memory=1 * GIB, output=4 * MIB)
BUILD = BuildLimits(seconds=120, silent=60, memory=1 * GIB, disk=1 * GIB, processes=200)


@pytest.fixture(scope="session")
def isolation() -> Isolation:
    """Full isolation, or the test is skipped."""
    if not SYSTEM.root and shutil.which("nix-store") is None:
        pytest.skip("no Nix: nix-store is not on the PATH (Debian: nix-bin)")
    try:
        found = asyncio.run(probe(SYSTEM))
    except NxcError as error:
        pytest.skip(f"Nix cannot be isolated here: {error}")
    if not found.full:
        pytest.skip(f"Nix cannot be isolated fully here: {'; '.join(found.lacks)}")
    return found


@pytest.fixture(scope="session")
def static_busybox() -> Path:
    """A busybox that needs no libraries."""
    found = shutil.which("busybox")
    if found is None:
        pytest.skip("no busybox on the PATH (Debian: busybox-static)")
    headers = (
        subprocess.run(["file", "-L", found], capture_output=True, text=True)
        if shutil.which("file")
        else None
    )
    if headers is not None and "dynamically" in headers.stdout:
        pytest.skip(f"{found} is not static (Debian: busybox-static)")
    return Path(found)


@pytest.fixture(scope="session")
def busybox_tree(static_busybox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with busybox and its most needed names."""
    tree = tmp_path_factory.mktemp("busybox") / "busybox"
    (tree / "bin").mkdir(parents=True)
    shutil.copy(static_busybox, tree / "bin/busybox")
    os.chmod(tree / "bin/busybox", 0o755)
    for name in (
        "cat",
        "chmod",
        "dd",
        "env",
        "id",
        "ls",
        "mkdir",
        "mount",
        "nc",
        "ps",
        "sleep",
        "touch",
        "wget",
        "yes",
    ):
        (tree / "bin" / name).symlink_to("busybox")
    return tree


@pytest.fixture(scope="session")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory; like the controller's, nobody else may enter."""
    path = tmp_path_factory.mktemp("nix-state")
    path.chmod(0o700)
    return path


@dataclass
class Workbench:
    """Evaluates and builds one file at a time."""

    nix: Nix
    busybox: str
    tmp: Path
    progress: list[Progress] = field(default_factory=list)

    @property
    def log(self) -> str:
        return (self.tmp / "build.log").read_text()

    async def evaluate(
        self, text: str, limits: EvalLimits = EVALUATION, tree: Callable[[Path], None] | None = None
    ) -> Evaluation:
        """Evaluates `text`, the body of a function of { busybox, sh }, with whatever `tree` puts next to it."""
        source = self.tmp / "source"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        (source / "composition.nix").write_text(f"{{ busybox, sh }}:\n{text}\n")
        if tree is not None:
            tree(source)
        path = await self.nix.add_tree(source, "source")
        return await self.nix.evaluate({"source": path, "busybox": self.busybox}, limits)

    async def build(self, text: str, limits: BuildLimits = BUILD) -> Path:
        """Builds it as well; where the result is on this machine."""
        evaluated = await self.evaluate(text)
        await self.realise(evaluated.drv_path, limits)
        return self.nix.physical(evaluated.out_path)

    async def realise(self, drv: str, limits: BuildLimits = BUILD) -> None:
        await self.nix.realise(drv, limits=limits, progress=self.progress.append, log=self.tmp / "build.log")


@pytest.fixture
async def nix(isolation: Isolation, state: Path) -> Nix:
    return Nix(state, isolation, expressions=EXPRESSIONS, system=SYSTEM)


@pytest.fixture
async def bench(nix: Nix, busybox_tree: Path, tmp_path: Path) -> Workbench:
    return Workbench(nix, await nix.add_tree(busybox_tree, "busybox"), tmp_path)
