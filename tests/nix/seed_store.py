"""A chroot store of the tests' own with the seed in it, and plain Nix on it, as an expression's author would use it.

Isolation is not what is tested here (tests/build does): Nix runs as whoever runs the tests, sandbox on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.build import derivation
from controller.build.seed.seed import Seed

NIX = Path(__file__).parents[2] / "nix"

_CONFIGURATION = """
experimental-features = nix-command flakes
substituters =
build-users-group =
sandbox = true
sandbox-paths =
flake-registry =
"""


class NixError(AssertionError):
    """Nix failed; the text is what it printed."""


@dataclass(frozen=True)
class FixedInput:
    """What `Seed.provide` wants to know of an input."""

    name: str
    digest: str
    url: str


@dataclass(frozen=True)
class MissingInputs:
    fixed: Sequence[FixedInput]


class SeedStore:
    """`directory` holds the store; `cache` the pool of packages."""

    def __init__(self, directory: Path, cache: Path) -> None:
        self.directory = directory
        self.seed = Seed(NIX, cache / "seed")

    # ---- as an author uses Nix

    def eval(self, expression: str) -> Any:
        """The value, through JSON, strictly."""
        return json.loads(self.run("nix-instantiate", "--eval", "--strict", "--json", "-E", expression))

    def instantiate(self, expression: str) -> str:
        """The derivation."""
        (drv,) = self.run("nix-instantiate", "-E", expression).split()
        return drv.removesuffix("!out")

    def build(self, expression: str, *, check: bool = False) -> Path:
        """Build a derivation, with what it needs of the seed; where its output is on this machine."""
        drv = self.instantiate(expression)
        self.provide(drv)
        (out,) = self.run("nix-store", "--realise", *(["--check"] if check else []), drv).split()
        return self.physical(out)

    def log(self, expression: str) -> str:
        """What its builder printed."""
        return self.run("nix-store", "--read-log", self.instantiate(expression))

    def packages(self, expression: str) -> str:
        """The expression, with the seed's packages in scope as `pkgs`."""
        return f"let pkgs = import {NIX}/seed/packages {{ }}; in {expression}"

    def references(self, path: Path) -> set[str]:
        """The names (without digest) of what a path refers to."""
        out = self.run("nix-store", "--query", "--references", f"/nix/store/{path.name}")
        return {line.removeprefix("/nix/store/")[33:] for line in out.split()}

    def physical(self, path: str) -> Path:
        """Where a path of the store is on this machine."""
        return self.directory / path.lstrip("/")

    def run(self, *command: str) -> str:
        """Run Nix on this store; what it printed. Raises `NixError`."""
        ended = subprocess.run(
            command,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "NIX_CONFIG": _CONFIGURATION,
                "NIX_REMOTE": str(self.directory),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if ended.returncode:
            raise NixError(ended.stderr)
        return ended.stdout

    # ---- what Seed.provide needs

    def provide(self, drv: str) -> None:
        """What the derivation needs of the seed comes into the store; the network may be needed for that."""
        provided = asyncio.run(self.seed.provide(self, drv))
        assert not provided.renewed, (
            f"the mirrors no longer have all of nix/seed/lock.json: {provided.renewed}"
        )

    async def missing(self, drv: str) -> MissingInputs:
        dry = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this loop
            ["nix-store", "--realise", "--dry-run", drv],
            env={**os.environ, "NIX_CONFIG": _CONFIGURATION, "NIX_REMOTE": str(self.directory)},
            capture_output=True,
            text=True,
            check=True,
        )
        wanted = [line.strip() for line in dry.stderr.splitlines() if line.strip().endswith(".drv")]
        wanted = [path for path in wanted if path.endswith((".deb.drv", "-nxc-seed-bootstrap.drv"))]
        fixed = []
        for path in wanted:
            read = derivation.parse(self.physical(path).read_text())
            (output,) = read.outputs
            fixed.append(FixedInput(read.environment["name"], output.digest, read.environment["url"]))
        return MissingInputs(fixed)

    async def add_tree(self, tree: Path, name: str) -> str:
        target = self.directory / "tmp" / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(tree, target)
        return self.run("nix-store", "--add", str(target)).strip()

    async def add_fixed(self, *files: Path) -> list[str]:
        return self.run("nix-store", "--add-fixed", "sha256", *map(str, files)).split()
