"""An image that was built: its manifest, and where its files are on this machine."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.model.errors import UserError
from controller.model.manifest import SIZE_LIMIT, Manifest

STORE = "/nix/store"
LINKS = 40
"""Symbolic links that are followed to one file, as many as Linux follows."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in a store whose logical `/nix/store` is `store_root / "nix/store"`.

    Every file of the manifest was looked at when the image was built: its links end in its own closure.
    """

    digest: str
    manifest: Manifest
    store_root: Path
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each store path of the build, as Nix counts them (NAR size)."""

    def locate(self, path: str) -> Path:
        """The real file of a logical path of the manifest. Raises `UserError` where it is no file."""
        return physical(self.store_root, resolve(self.store_root, path))

    def tree(self, path: str) -> Path:
        """Where a store path of the closure lies. Raises `UserError` where it does not belong to the image."""
        if path not in self.manifest.closure:
            raise _forged(path, "does not belong to the build")
        return physical(self.store_root, path)


def physical(store_root: Path, path: str) -> Path:
    """Where a logical path lies."""
    return store_root / path.lstrip("/")


def store_path(path: str) -> str:
    """The store path that a logical path lies in."""
    return "/".join(path.split("/")[:4])


def resolve(store_root: Path, path: str, closure: Container[str] | None = None) -> str:
    """The logical path of the regular file that a logical path leads to.

    A build may leave links that lead anywhere: they are followed inside the store alone, and where a
    `closure` is given, only within it. Raises `UserError` with reason `ForgedManifest`.
    """
    here = posixpath.normpath(path)
    for _ in range(LINKS):
        if not here.startswith(STORE + "/"):
            raise _forged(path, f"leads to {here}, outside of the store")
        if closure is not None and store_path(here) not in closure:
            raise _forged(path, f"leads to {here}, which does not belong to the build")
        link = _first_link(store_root, path, here)
        if link is None:
            if not stat.S_ISREG(physical(store_root, here).lstat().st_mode):
                raise _forged(path, "is no regular file")
            return here
        rest = posixpath.relpath(here, link)
        target = os.readlink(physical(store_root, link))
        here = posixpath.normpath(posixpath.join(posixpath.dirname(link), target, rest))
    raise _forged(path, f"passes more than {LINKS} links")


def _first_link(store_root: Path, path: str, here: str) -> str | None:
    parts = here.split("/")
    for end in range(4, len(parts) + 1):
        logical = "/".join(parts[:end])
        try:
            mode = physical(store_root, logical).lstat().st_mode
        except OSError as error:
            raise _forged(path, f"is not there ({error.strerror})") from error
        if stat.S_ISLNK(mode):
            return logical
    return None


def read_manifest(store_root: Path, output: str) -> bytes:
    """`manifest.json` of a build's output, as bytes: at most one more than a manifest may have."""
    with physical(store_root, resolve(store_root, f"{output}/manifest.json")).open("rb") as file:
        return file.read(SIZE_LIMIT + 1)


def _forged(path: str, what: str) -> UserError:
    return UserError("ForgedManifest", f"the build is not usable: {path} {what}")
