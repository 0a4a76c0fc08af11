"""Records that outlive the process and the power, and directories for what lives in /run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RECORD = "record.json"


def write_record(directory: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a directory, which is made (0700) if need be; it is on disk when this returns.

    Raises `OSError` (the disk is full); then what was there before is there still, and nothing else.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = directory / f"{RECORD}.new"
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(record, stream)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(directory / RECORD)
    except OSError:
        new.unlink(missing_ok=True)
        remove_empty(directory)
        raise
    for parent in (directory, directory.parent):
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def records(parent: Path) -> Iterator[tuple[Path, bytes]]:
    """Every directory in `parent` with the text of its record; one without was not finished, or is on its way out."""
    if not parent.is_dir():
        return
    for directory in sorted(path for path in parent.iterdir() if path.is_dir()):
        try:
            yield directory, (directory / RECORD).read_bytes()
        except FileNotFoundError:
            shutil.rmtree(directory, ignore_errors=True)


def remove(directory: Path) -> None:
    """Remove a directory, its record first, so that nothing half removed is taken for whole."""
    (directory / RECORD).unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


def remove_empty(*directories: Path) -> None:
    """Remove directories in which nothing is left."""
    for directory in directories:
        with contextlib.suppress(OSError):
            directory.rmdir()


def runtime_directory(state: Path) -> Path:
    """Where sockets and logs of what a state directory records are: short, since socket paths have 107 bytes.

    It does not outlive a restart of the host, and need not: no process does.
    """
    name = hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:12]
    if os.geteuid() == 0:
        return Path("/run/nxc") / name
    base = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/nxc-{os.geteuid()}"  # noqa: S108 - made 0700, owner checked
    return Path(base) / "nxc" / name


def private_directory(path: Path, user: int | None) -> Path:
    """Make a directory that only `user` (a uid; `None`: we) may enter. Raises `PermissionError` where it, or a
    directory above it, is in the hands of somebody else.
    """
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o711)  # QEMU's users must get to their own directories in it
        _see_that_it_is_of(parent, {0, os.geteuid()})
    path.mkdir(mode=0o700, exist_ok=True)
    _see_that_it_is_of(path, {os.geteuid(), user})
    if user is not None:
        os.chown(path, user, user)
    return path


def _see_that_it_is_of(path: Path, owners: set[int | None]) -> None:
    status = path.lstat()  # of a link: who made it
    if status.st_uid not in owners:
        raise PermissionError(f"{path} belongs to somebody else (uid {status.st_uid})")
