"""Nix archives and the names of store paths: pure but for reading the tree.

Sources enter the store as archives that we write ourselves, so that Nix reads nothing but its standard
input: it needs no right to the controller's files, and follows no link in them. Formats: E. Dolstra, The
Purely Functional Software Deployment Model (2006), 5.2 (paths) and figure 5.2 (archives); `nix-store(1)`,
--export.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.model.errors import UserError

STORE = "/nix/store"
_CHUNK = 1 << 20
_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"  # no e, o, t, u
_NAME = re.compile(r"[0-9A-Za-z+\-_?=][0-9A-Za-z+\-._?=]{0,210}")
_PATH = re.compile(rf"{STORE}/[{_ALPHABET}]{{32}}-{_NAME.pattern}")
_EXPORT_MAGIC = 0x4558494E


@dataclass(frozen=True, slots=True)
class Content:
    """Content that is to be in the store. `sha256` (hexadecimal) is over the archive, for a flat one over the file."""

    path: str
    sha256: str
    size: int
    flat: bool = False


def is_store_path(text: str) -> bool:
    """Is this exactly one path of the store, with nothing after it?"""
    return _PATH.fullmatch(text) is not None


def name_of(path: str) -> str:
    """`hello-2.12` of `/nix/store/…-hello-2.12`; the `.drv` of a derivation goes too."""
    return path.removeprefix(STORE + "/")[33:].removesuffix(".drv")


def check_name(name: str) -> str:
    """The name, if the store takes it. ValueError: it does not."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a name in the Nix store (letters, digits and +-._?= only)")
    return name


def base32(data: bytes) -> str:
    """Nix's own base 32: its own alphabet, and the last byte first."""
    number = int.from_bytes(data, "little")
    length = (len(data) * 8 + 4) // 5
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in reversed(range(length)))


def _store_path(kind: str, inner: str, name: str) -> str:
    digest = hashlib.sha256(f"{kind}:sha256:{inner}:{STORE}:{check_name(name)}".encode()).digest()
    folded = bytearray(20)
    for index, byte in enumerate(digest):
        folded[index % 20] ^= byte
    return f"{STORE}/{base32(bytes(folded))}-{name}"


def source_path(name: str, archive_sha256: str) -> str:
    """Where a source lies whose archive has this digest."""
    return _store_path("source", archive_sha256, name)


def fixed_path(name: str, file_sha256: str) -> str:
    """Where a flat fixed output lies whose file has this digest."""
    inner = hashlib.sha256(f"fixed:out:sha256:{file_sha256}:".encode()).hexdigest()
    return _store_path("output:out", inner, name)


# ---------------------------------------------------------------- archives


def _integer(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _string(data: bytes) -> bytes:
    return _integer(len(data)) + data + bytes(-len(data) % 8)


def _strings(*texts: str) -> bytes:
    return b"".join(_string(text.encode()) for text in texts)


def archive(path: Path) -> Iterator[bytes]:
    """The archive of a file, link or directory, in pieces. Links are stored, never followed.

    UserError `SourceInvalid`: there is something in it that is neither file nor directory nor link.
    """
    yield _strings("nix-archive-1")
    yield from _node(os.fsencode(path), os.fsencode(path))


def _node(path: bytes, root: bytes) -> Iterator[bytes]:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        yield _strings("(", "type", "symlink", "target") + _string(os.readlink(path)) + _strings(")")
    elif stat.S_ISDIR(status.st_mode):
        yield _strings("(", "type", "directory")
        for name in sorted(os.listdir(path)):
            yield _strings("entry", "(", "name") + _string(name) + _strings("node")
            yield from _node(os.path.join(path, name), root)
            yield _strings(")")
        yield _strings(")")
    elif stat.S_ISREG(status.st_mode):
        executable = _strings("executable", "") if status.st_mode & stat.S_IXUSR else b""
        yield _strings("(", "type", "regular") + executable + _strings("contents")
        yield from _file(path)
        yield _strings(")")
    else:
        shown = os.fsdecode(os.path.relpath(path, os.path.dirname(root)))
        raise UserError("SourceInvalid", f"{shown}: only files, directories and links can be a source")


def _file(path: bytes) -> Iterator[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        length = os.fstat(descriptor).st_size
        yield _integer(length)
        left = length
        while left:
            piece = os.read(descriptor, min(left, _CHUNK))
            if not piece:
                raise UserError("SourceInvalid", f"{os.fsdecode(path)}: became shorter while it was read")
            left -= len(piece)
            yield piece
        yield bytes(-length % 8)
    finally:
        os.close(descriptor)


def measure(path: Path, name: str, *, limit: int | None = None) -> Content:
    """What this file or directory would be in the store. UserError `SourceTooLarge`: more than `limit` bytes."""
    digest, length = hashlib.sha256(), 0
    for piece in archive(path):
        digest.update(piece)
        length += len(piece)
        if limit is not None and length > limit:
            raise UserError(
                "SourceTooLarge",
                f"{name} is larger than {limit} bytes; keep large files out of the composition, "
                "or have a package or a derivation provide them",
            )
    sha256 = digest.hexdigest()
    return Content(source_path(name, sha256), sha256, length)


def measure_flat(path: Path, name: str) -> Content:
    """What this file would be in the store as a fixed output."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Content(fixed_path(name, sha256), sha256, path.stat().st_size, flat=True)


def export(path: Path, content: Content) -> Iterator[bytes]:
    """What `nix-store --import` reads to have this content. ValueError: it changed since it was measured."""
    yield _integer(1)
    digest = hashlib.sha256()
    for piece in archive(path):
        if not content.flat:
            digest.update(piece)
        yield piece
    if content.flat:
        digest = hashlib.sha256(path.read_bytes())
    if digest.hexdigest() != content.sha256:
        raise ValueError(f"{path} changed while it was copied to the store")
    yield _integer(_EXPORT_MAGIC) + _string(content.path.encode()) + _integer(0) + _string(b"") + _integer(0)


END_OF_EXPORT = _integer(0)
