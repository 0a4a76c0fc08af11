"""The state directory: private, and in use by one control plane at a time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from controller.local.errors import LocalError, StateError


def default_directory() -> Path:
    """`$XDG_STATE_HOME/nxc-controller`, by default in ~/.local/state (XDG base directory specification)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "nxc-controller"


class StateDirectory:
    """A directory of mode 0700 that this process has locked; leaving the context releases it.

    The lock is the kernel's (flock), so that a killed holder leaves none behind; the file's text names the holder.
    """

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def claim(cls, path: Path) -> StateDirectory:
        """Make the directory if it is missing and lock it; raises `StateError` naming a holder or a permission."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise StateError(f"{path} is not a directory; name another with --state") from error
        except OSError as error:
            raise StateError(
                f"the state directory {path} cannot be written: {error.strerror}; mend its permissions or name"
                " another with --state"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 4096, 0)
            os.close(lock)
            raise StateError(_held(path, holder)) from None
        except OSError as error:
            os.close(lock)
            raise StateError(f"{path / 'lock'} cannot be locked: {error.strerror}") from error
        directory = cls(path, lock)
        directory.announce("")
        return directory

    def announce(self, server: str) -> None:
        """Say in the lock file who holds it and at which URL it answers."""
        note = {
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
            "server": server,
        }
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, orjson.dumps(note) + b"\n", 0)

    def release(self) -> None:
        """Give the directory up; does nothing the second time."""
        if self._lock >= 0:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def running_server(path: Path) -> str:
    """The URL of the control plane that holds this state directory; raises `LocalError` when none does."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LocalError(
            f"{path} is no state directory of nxc-controller ({error.strerror}); name it with --state"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(orjson.JSONDecodeError, KeyError, TypeError):
            server = orjson.loads(os.pread(lock, 4096, 0))["server"]
            if server:
                return str(server)
        raise LocalError(f"the control plane on {path} is just starting; try again in a moment") from None
    finally:
        os.close(lock)
    raise LocalError(f"no control plane runs on {path}; start it with `nxc-controller up`")


def _held(path: Path, holder: bytes) -> str:
    try:
        note = orjson.loads(holder)
        who = (
            f"process {note['pid']} (since {note['since']}{', ' + note['server'] if note['server'] else ''})"
        )
        stop = f"stop it with `kill {note['pid']}`"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        who, stop = "another process", "stop it"
    return f"the state directory {path} is in use by {who}; {stop}, or name another directory with --state"
