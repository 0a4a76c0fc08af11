"""A state directory is one controller's at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from controller.model.errors import NxcError


class Claim:
    """Holds a lock of the kernel (flock) on a file: whoever dies lets go of it."""

    def __init__(self, file: Path) -> None:
        """Raises `NxcError` `StateInUse`, naming the holder. Blocking, for a moment."""
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 100, 0).decode(errors="replace").strip() or "another process"
            os.close(self._descriptor)
            raise NxcError(
                "StateInUse",
                f"{file.parent} is used by {holder}: stop that one, or give this controller its own --build-state",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let go of it; once."""
        os.close(self._descriptor)
