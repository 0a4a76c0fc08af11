"""Roots of the garbage collector: names that keep store paths alive. Blocking, but short: a link each."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from controller.build.nar import STORE, is_store_path

_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,199}")


class Roots:
    """A directory of links that only the controller writes, below `gcroots` of the store.

    Two kinds: named roots, which stay until they are taken away, and *fresh* paths: what has just come into
    the store is kept for some hours, so that whoever asked for it has time to name it.
    """

    def __init__(self, gcroots: Path, *, fresh_for: float = 6 * 3600) -> None:
        self._named, self._fresh, self._fresh_for = gcroots / "nxc", gcroots / "nxc-fresh", fresh_for
        for directory in (self._named, self._fresh):
            directory.mkdir(exist_ok=True, mode=0o755)
            for unfinished in directory.glob(".*"):  # whoever was killed between the two steps of `_link`
                unfinished.unlink()

    def add(self, name: str, path: str) -> None:
        """Keeps this path, and all it refers to, under this name; what had the name before loses it."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a root")
        _link(self._named / name, path)

    def remove(self, name: str) -> None:
        """Takes the name away; no such name is fine."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot name a root")
        (self._named / name).unlink(missing_ok=True)

    def all(self) -> Mapping[str, str]:
        """The named roots."""
        return {
            entry.name: os.readlink(entry.path) for entry in os.scandir(self._named) if entry.is_symlink()
        }

    def freshen(self, path: str) -> None:
        """This path has just come into the store, or was asked for."""
        _link(self._fresh / path.removeprefix(STORE + "/"), path)

    def release(self, path: str) -> None:
        """This path is fresh no more."""
        (self._fresh / path.removeprefix(STORE + "/")).unlink(missing_ok=True)

    def expire(self) -> None:
        """Forgets what has been fresh for long enough."""
        oldest = time.time() - self._fresh_for
        for entry in os.scandir(self._fresh):
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)


def _link(link: Path, target: str) -> None:
    if not is_store_path(target):
        raise ValueError(f"{target!r} is not a path of the store")
    new = link.with_name(f".{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
