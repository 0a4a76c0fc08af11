"""The archives of an image, put together once and shared by all machines that boot it.

The kernel unpacks several archives that follow one another in one file, each compressed or not, with zeros in
between (Documentation/driver-api/early-userspace/buffer-format.rst); QEMU maps the file, so that machines of
one image share its pages.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

ALIGNMENT = 4
_JOINING = threading.Lock()
"""Machines of one image that start side by side put it together once."""


def name_of(layers: Sequence[str]) -> str:
    """The name under which layers are kept together: a digest of their (immutable) store paths."""
    return hashlib.sha256("\n".join(layers).encode()).hexdigest()[:32]


def join(directory: Path, name: str, files: Sequence[Path]) -> Path:
    """One file with all of them in order. Blocks; raises `OSError` (a layer is gone, the disk is full)."""
    if len(files) == 1:
        return files[0]
    directory.mkdir(mode=0o711, parents=True, exist_ok=True)
    joined = directory / f"{name}.img"
    new = directory / f"{name}.new"
    with _JOINING:
        if not joined.exists():
            _write(files, new)
            new.replace(joined)
    return joined


def _write(files: Sequence[Path], new: Path) -> None:
    try:
        with new.open("wb") as target:
            for file in files:
                with file.open("rb") as source:
                    _copy(source.fileno(), target.fileno(), os.fstat(source.fileno()).st_size)
                end = target.seek(0, os.SEEK_END)
                target.write(b"\0" * (-end % ALIGNMENT))
                target.flush()
        new.chmod(0o444)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def sweep(directory: Path, wanted: Collection[str]) -> None:
    """Remove what no machine boots any more."""
    with _JOINING:
        if directory.is_dir():
            for file in directory.iterdir():
                if file.stem not in wanted:
                    file.unlink(missing_ok=True)


def _copy(source: int, target: int, size: int) -> None:
    """By the file system itself where it can (copy_file_range(2): shared extents)."""
    os.lseek(target, 0, os.SEEK_END)
    left = size
    try:
        while left and (done := os.copy_file_range(source, target, left)):
            left -= done
    except OSError:
        while left and (part := os.read(source, min(left, 1 << 20))):
            os.write(target, part)
            left -= len(part)
    if left:
        raise OSError("a layer became shorter while it was copied")
