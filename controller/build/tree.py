"""Files below the store as they lie on this host: read and compared without being led astray.

A builder decides what its output contains, links to anywhere too. To follow one as the host would is to read
the host's files for it; here a link leads where it would lead if the store's root were the root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_MOST_LINKS = 40  # as the kernel


def read(root: Path, path: str, limit: int) -> bytes:
    """The content of the regular file at this path below `root`.

    OSError: there is none (ENOENT), it is something else (EINVAL), too many links (ELOOP), or more than
    `limit` bytes (EFBIG).
    """
    descriptor = _open(root, path)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a file", path)
        if status.st_size > limit:
            raise OSError(errno.EFBIG, f"more than {limit} bytes", path)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(limit + 1)[:limit]
    finally:
        os.close(descriptor)


def resolve(root: Path, path: str) -> Path:
    """Where on the host this path below `root` is, with every link in it followed inside `root`. OSError as `read`."""
    parts, done, links = path.strip("/").split("/")[::-1], list[str](), 0
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        here = root.joinpath(*done, part)
        if stat.S_ISLNK(here.lstat().st_mode):
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink(here)
            if target.startswith("/"):
                done = []
            parts += target.split("/")[::-1]
        else:
            done.append(part)
    return root.joinpath(*done)


def _open(root: Path, path: str) -> int:
    # Nothing changes what is in the store; should something, then the last component is no link all the same.
    return os.open(resolve(root, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def differences(one: Path, other: Path) -> Iterator[str]:
    """What differs between two trees, by path: content, kind, rights, targets of links, what only one has."""
    yield from _differences(one, other, "")


def _differences(one: Path, other: Path, at: str) -> Iterator[str]:
    first, second = one.lstat(), other.lstat()
    name = at or "."
    if stat.S_IFMT(first.st_mode) != stat.S_IFMT(second.st_mode):
        yield f"{name}: not the same kind of file"
    elif stat.S_ISLNK(first.st_mode):
        if os.readlink(one) != os.readlink(other):
            yield f"{name}: leads elsewhere"
    elif stat.S_ISDIR(first.st_mode):
        names, others = set(os.listdir(one)), set(os.listdir(other))
        for entry in sorted(names | others):
            below = f"{at}/{entry}".lstrip("/")
            if entry in names and entry in others:
                yield from _differences(one / entry, other / entry, below)
            else:
                yield f"{below}: only in the {'first' if entry in names else 'second'}"
    elif stat.S_ISREG(first.st_mode):
        if first.st_mode & stat.S_IXUSR != second.st_mode & stat.S_IXUSR:
            yield f"{name}: executable in one only"
        place = _first_difference(one, other)
        if place is not None:
            sizes = f", {first.st_size} and {second.st_size} bytes" if first.st_size != second.st_size else ""
            yield f"{name}: differs from byte {place}{sizes}"


def _first_difference(one: Path, other: Path) -> int | None:
    done = 0
    with one.open("rb") as first, other.open("rb") as second:
        while True:
            left, right = first.read(1 << 20), second.read(1 << 20)
            if left != right:
                same = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
                return done + (min(len(left), len(right)) if same is None else same)
            if not left:
                return None
            done += len(left)
