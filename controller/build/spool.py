"""Sources on disk, between the moment they were read and their evaluation. Blocking, but short."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Container
from pathlib import Path

from controller.build.source import Tree


class Spool:
    """A directory of trees, each under its digest. It starts empty: sources are read anew after a restart."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = itertools.count()

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700, parents=True)

    def put(self, tree: Tree) -> str:
        """Write a tree, unless it is there; its digest."""
        digest = tree.digest()
        place = self.path(digest)
        if not place.exists():
            # Somebody else may be at the same tree: who was cancelled goes on until it is through.
            part = place.with_name(f".{place.name}.{next(self._numbers)}")
            tree.write(part)
            try:
                part.rename(place)
            except OSError:
                shutil.rmtree(part, ignore_errors=True)
                if not place.exists():
                    raise
        return digest

    def path(self, digest: str) -> Path:
        """Where a tree is."""
        return self._directory / digest.removeprefix("sha256:")

    def prune(self, wanted: Container[str]) -> None:
        """Remove the trees that nobody wants."""
        for place in self._directory.iterdir():
            if not place.name.startswith(".") and f"sha256:{place.name}" not in wanted:
                shutil.rmtree(place, ignore_errors=True)
