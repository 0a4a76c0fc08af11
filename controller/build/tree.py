"""Two trees compared: what differs between two builds of one derivation. Links are compared, never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


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
