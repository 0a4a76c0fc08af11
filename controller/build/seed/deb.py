"""The one package that Python unpacks itself: busybox, from which Nix builds all else.

A .deb is an `ar` archive of debian-binary, control.tar.* and data.tar.* (deb(5)). The tree is added to the store
as it is; the digest of its archive stands in the lock, for the derivation that stands for it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from controller.build.nar import Content, measure

BOOTSTRAP = "nxc-seed-bootstrap"
"""The tree's name in the store, as nix/seed/packages/builders.nix has it."""

_MAGIC = b"!<arch>\n"
_HEADER = 60


class DebError(ValueError):
    """The file is not a Debian package that this can read."""


def members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each member of an `ar` archive. Raises `DebError`."""
    if not data.startswith(_MAGIC):
        raise DebError("not a Debian package: no ar archive")
    at = len(_MAGIC)
    while at < len(data):
        header = data[at : at + _HEADER]
        size = header[48:58].strip()
        if len(header) < _HEADER or header[58:60] != b"`\n" or not size.isdigit():
            raise DebError("not a Debian package: a damaged ar archive")
        at += _HEADER
        content = data[at : at + int(size)]
        if len(content) < int(size):
            raise DebError("not a Debian package: it ends too early")
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), content
        at += int(size) + int(size) % 2


def file_of(data: bytes, path: str) -> bytes:
    """One regular file of a package. Raises `DebError`."""
    for name, content in members(data):
        if name.startswith("data.tar"):
            try:
                with tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as tar:
                    for entry in tar:
                        if entry.name.removeprefix("./") == path and entry.isreg():
                            file = tar.extractfile(entry)
                            assert file is not None
                            return file.read()
            except (tarfile.TarError, EOFError, OSError) as error:
                raise DebError(f"{name} cannot be read: {error}") from error
            raise DebError(f"the package has no file {path}")
    raise DebError("not a Debian package: no data.tar")


def bootstrap_tree(package: Path, directory: Path) -> Content:
    """Make the tree that the seed starts from, `bin/busybox` and nothing else; what it would be in the store.

    Raises `DebError`. Blocking.
    """
    (directory / "bin").mkdir(parents=True)
    target = directory / "bin" / "busybox"
    target.write_bytes(file_of(package.read_bytes(), "bin/busybox"))
    target.chmod(0o755)
    return measure(directory, BOOTSTRAP)
