"""What a build that was killed leaves in the store: its root directory, which may be as large as the disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from controller.build import disk


class Place(NamedTuple):
    """Where a build writes: its root directory (`….drv.chroot`), and the output that it is to make."""

    chroot: Path
    output: Path


def clear(builds: Iterable[Place]) -> None:
    """Deletes the root directories of these builds. Blocking.

    Another Nix process may be building the same by now; it then holds the lock of the output, as Nix takes
    it (`pathlocks.cc`), and the directory is its own.
    """
    for chroot, output in builds:
        if not chroot.is_dir():
            continue
        lock = output.with_name(f"{output.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            owner = output.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            disk.remove(chroot)
            os.write(descriptor, b"d")  # as Nix does: whoever waits for this lock looks for a new one
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
