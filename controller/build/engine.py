"""What the build service asks of whatever evaluates and builds: Nix, or what stands in for it in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from controller.build.settings import PackageSource
from controller.model.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Order:
    """What an image is made from. `tree`: the directory of the source; `pin`: which packages exactly."""

    tree: Path
    entry: str
    select: str
    setup: Mapping[str, Any]
    flavour: str
    packages: PackageSource
    pin: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an evaluation told, and how long Nix took for it."""

    drv: str
    output: str
    roles: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Produced:
    """An image that is built, its manifest read and its files looked at. Sizes in bytes."""

    digest: str
    store_paths: tuple[str, ...] = ()
    size: int = 0
    closure_size: int = 0
    test_script: str = ""
    limitations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of an engine as long as it is open.

    `identity` stands for everything beside a composition that decides what comes out of it: the version of
    Nix, the system, and the Nix code of this project. `lacks`: how builds are less than isolated.
    """

    identity: str
    lacks: tuple[str, ...] = ()


class Engine(Protocol):
    """Evaluates and builds. Errors are `NxcError`s that carry blame; a cancelled call stops its processes."""

    async def open(self) -> Facts:
        """Make ready. Raises `NxcError` (`NixMissing`, `IsolationFailed`, …) where that cannot be now."""

    async def pin(self, packages: PackageSource) -> str:
        """Which packages a package source stands for now."""

    def note(self, packages: PackageSource) -> str:
        """What users should know of a package source as it is now; mostly nothing. Short."""

    async def evaluate(self, order: Order, seconds: float) -> Evaluated:
        """Evaluate; `UserError` with file, line and column where the composition is at fault."""

    async def provide(self, order: Order, evaluated: Evaluated) -> str:
        """Bring what the build needs from outside, as far as the package source may. Which packages are in
        force then: another pin than the order's means that it has to be evaluated anew."""

    async def build(
        self, evaluated: Evaluated, seconds: float, log: Path, progress: Callable[[str], None]
    ) -> None:
        """Build; what builders print goes to `log`."""

    async def inspect(self, evaluated: Evaluated, flavour: str) -> Produced:
        """Read what was built. `UserError` `ForgedManifest` where it is not what it should be."""

    async def manifest(self, output: str) -> tuple[str, Manifest, Mapping[str, int]]:
        """The digest and the manifest of an output, checked as `inspect` does it; bytes by store path."""

    async def check(self, drv: str, seconds: float, log: Path) -> str:
        """Build once more and compare: what differs, empty where nothing does."""

    def keep(self, output: str) -> None:
        """Keep an output, and all that it needs, from being collected. Short."""

    def let_go(self, output: str) -> None:
        """Keep it no longer. Short."""

    def kept(self) -> frozenset[str]:
        """The outputs that are kept."""

    async def valid(self, output: str) -> bool:
        """Whether an output is there, whole."""

    async def free(self) -> int:
        """Bytes that are free where the store is."""

    async def used(self) -> int:
        """Bytes that the store takes."""

    async def collect(self, amount: int) -> int:
        """Delete about so many bytes of what nothing keeps; the bytes freed."""

    def root(self) -> Path:
        """Where the store is: below it, `nix/store`."""
