"""What is used on disk: by a build, measured while it runs, and what is left."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from controller.build.limits import BuildLimits, size
from controller.model.errors import UserError

log = logging.getLogger(__name__)

_INODE = 512
"""Bytes that a file counts for at least: many empty files use a disk up as well."""


def used(paths: Iterable[Path | str]) -> int:
    """Bytes used by these trees. What vanishes meanwhile, or may not be looked into, counts as nothing."""
    total, todo = 0, [str(path) for path in paths]
    while todo:
        path = todo.pop()
        try:
            status = os.lstat(path)
            total += max(status.st_blocks * 512, _INODE)
            if stat.S_ISDIR(status.st_mode):
                with os.scandir(path) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(entry.path)
                        else:
                            total += max(entry.stat(follow_symlinks=False).st_blocks * 512, _INODE)
        except OSError:
            continue
    return total


def free(path: Path) -> int:
    """Bytes that are free for ordinary users on this file system."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def remove(path: Path) -> None:
    """Deletes this tree, whatever rights a builder left on it. Blocking; nothing there is fine."""

    def open_up(_: object, failed: str, __: object) -> None:
        # Another user than root cannot look into a directory without rights, even if it is his own.
        parent = os.path.dirname(failed)
        if os.geteuid() == 0 or not os.path.lexists(failed):
            return
        try:
            os.chmod(parent, 0o700)
            if os.path.isdir(failed) and not os.path.islink(failed):
                os.chmod(failed, 0o700)
                shutil.rmtree(failed, ignore_errors=True)
            else:
                os.unlink(failed)
        except OSError as error:
            log.warning("%s stays: %s", failed, error.strerror)

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, onerror=open_up)
    else:
        path.unlink(missing_ok=True)


async def watch(paths: Iterable[Path], store: Path, limits: BuildLimits, *, every: float = 1.0) -> None:
    """Runs until cancelled. UserError `DiskLimit`: these paths use more than they may, or the disk is nearly full."""
    todo = tuple(paths)
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        now = await asyncio.to_thread(used, todo)
        if now > limits.disk:
            raise UserError(
                "DiskLimit",
                f"the build wrote {size(now)} to disk, and may write {size(limits.disk)}; let it write less, "
                "or ask the administrator for a larger limit",
            )
        left = await asyncio.to_thread(free, store)
        if left < limits.free:
            raise UserError(
                "DiskLimit",
                f"the build was stopped: {size(left)} are free on the disk of the store, and {size(limits.free)} "
                "must stay free; the administrator can free space or add some",
            )
        await asyncio.sleep(max(every, 4 * (clock() - began)))  # measuring takes a fifth of the time at most
