"""The one package that Python unpacks itself: busybox, from which Nix builds all else.

A .deb is an `ar` archive of debian-binary, control.tar.* and data.tar.* (deb(5)). The tree is added to the store
as it is, so its NAR hash (Dolstra 2006, figure 5.2) stands in the lock and in the derivation that stands for it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

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


def busybox(data: bytes) -> bytes:
    """The program in busybox-static's package. Raises `DebError`."""
    return file_of(data, "bin/busybox")


def bootstrap_tree(program: bytes, directory: Path) -> Path:
    """Make the tree that the seed starts from: `bin/busybox` and nothing else."""
    (directory / "bin").mkdir(parents=True)
    target = directory / "bin" / "busybox"
    target.write_bytes(program)
    target.chmod(0o755)
    return directory


def bootstrap_nar(program: bytes) -> str:
    """sha256 (hex) of the NAR of that tree."""
    file = _node("regular", "executable", "", "contents", program)
    inner = _node("directory", *_entry("busybox", file))
    return sha256(_string(b"nix-archive-1") + b"".join(_node("directory", *_entry("bin", inner)))).hexdigest()


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(8, "little") + value + bytes(-len(value) % 8)


def _node(kind: str, *fields: str | bytes | list[bytes]) -> list[bytes]:
    parts: list[bytes] = [_string(b"("), _string(b"type"), _string(kind.encode())]
    for field in fields:
        if isinstance(field, list):
            parts += field
        else:
            parts.append(_string(field.encode() if isinstance(field, str) else field))
    return [*parts, _string(b")")]


def _entry(name: str, node: list[bytes]) -> list[str | bytes | list[bytes]]:
    return ["entry", "(", "name", name, "node", node, ")"]
