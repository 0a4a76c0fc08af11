"""Processes that outlive the controller, and are found again.

A process holds a lock on a file of ours from before its first instruction until it ends: it inherits the open
file description that we locked (flock(2)). So a controller that starts anew learns from the kernel, and not
from a pid that may be somebody else's by now, whether the process runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from controller.model.errors import TestbedError

T = TypeVar("T")

_WAIT = 'read -r _ && exec "$@" </dev/null'
"""Nothing is run if we die before we let it."""
HOLDER_LIMIT = 5.0
"""Seconds until a process that was started must be found to hold its lock."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `user`: the uid (and gid) to run as, `None` for our own; `files` stay open for it.

    `daemon`: it goes on as another process by itself. `join`: `cgroup.procs` files of control groups; it is in
    them before its first instruction.
    """

    argv: Sequence[str]
    directory: Path
    output: Path
    user: int | None = None
    groups: Sequence[int] = ()
    files: Sequence[int] = ()
    daemon: bool = False
    join: Sequence[str] = ()


@dataclass(slots=True)
class Process:
    """A process that holds a lock. `status` is its exit status, where we are its parent."""

    pid: int
    _pidfd: int
    _child: subprocess.Popen[bytes] | None = None
    status: int | None = None
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self) -> None:
        """Return when it has ended; at once when it has."""
        await self._gone.wait()

    @property
    def alive(self) -> bool:
        """Whether it still runs, as far as the kernel has told."""
        return not self._gone.is_set()

    def kill(self) -> None:
        """End it at once (SIGKILL); what it had in memory is lost."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def forget(self) -> None:
        """Watch it no more; it goes on."""
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._child is not None and self._child.returncode is None:
            self._child.returncode = 0  # else its destructor complains that it was not waited for

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._pidfd, self._over)

    def _over(self) -> None:
        if self._child is not None:
            self.status = self._child.wait()
        self._gone.set()
        self.forget()


async def start(command: Command, lock: Path) -> Process:
    """Start a process in a session of its own, holding `lock`.

    Raises `TestbedError` where it cannot be started, or ends before it holds its lock.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TestbedError("AlreadyRunning", f"{lock} is held: it runs already") from None
        child = await _to_the_end(asyncio.to_thread(_spawn, command, descriptor))
    finally:
        os.close(descriptor)
    if not command.daemon:
        process = Process(child.pid, os.pidfd_open(child.pid), child)
        process._watch()
        return process
    code = await asyncio.to_thread(child.wait)
    if code != 0:
        raise TestbedError(
            "DidNotStart", f"{command.argv[0]} ended with {code}: {_last_words(command.output)}"
        )
    found = await adopt(lock)
    if found is None:
        raise TestbedError("DidNotStart", f"{command.argv[0]} ended at once: {_last_words(command.output)}")
    return found


async def adopt(lock: Path) -> Process | None:
    """The process that holds `lock`; `None` when there is none, or ever was."""
    deadline = asyncio.get_running_loop().time() + HOLDER_LIMIT
    while held(lock):
        for pid in await asyncio.to_thread(_holders, lock):
            with contextlib.suppress(ProcessLookupError):
                pidfd = os.pidfd_open(pid)
                if not _holds(pid, str(lock)):  # another process has got this pid since
                    os.close(pidfd)
                    continue
                process = Process(pid, pidfd)
                process._watch()
                return process
        if asyncio.get_running_loop().time() > deadline:
            raise TestbedError("HolderNotFound", f"{lock} is held, by a process that cannot be seen")
        await asyncio.sleep(0.05)
    return None


def held(lock: Path) -> bool:
    """Whether a process holds `lock`."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


async def _to_the_end(work: Coroutine[None, None, T]) -> T:
    """Wait for a thread also when cancelled: it uses descriptors that the caller is about to close."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if (
            not task.cancelled()
            and task.exception() is None
            and isinstance(child := task.result(), subprocess.Popen)
        ):
            child.returncode = 0  # it goes on, and is found by its lock
        raise


def _spawn(command: Command, lock: int) -> subprocess.Popen[bytes]:
    output = os.open(command.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    identity: dict[str, object] = {}
    if command.user is not None:
        identity = {"user": command.user, "group": command.user, "extra_groups": list(command.groups)}
    argv = ["/bin/sh", "-c", _WAIT, "sh", *command.argv] if command.join else command.argv
    try:
        child: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]  # noqa: S603 - rendered by us
            argv,
            cwd=command.directory,
            stdin=subprocess.PIPE if command.join else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(lock, *command.files),
            start_new_session=True,
            restore_signals=False,  # SIGXFSZ stays ignored: a full log must not end a machine
            umask=0o077,
            env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(command.directory)},
            **identity,
        )
    except OSError as error:
        raise TestbedError("DidNotStart", f"{command.argv[0]} cannot be started: {error}") from None
    finally:
        os.close(output)
    if child.stdin is not None:
        _let_in(child, command.join)
    return child


def _let_in(child: subprocess.Popen[bytes], groups: Sequence[str]) -> None:
    """Put a process that waits for it into control groups, and let it go on; without them it ends."""
    assert child.stdin is not None
    with child.stdin:
        try:
            for file in groups:
                Path(file).write_text(str(child.pid))
            child.stdin.write(b"\n")
        except OSError as error:
            child.kill()
            child.wait()
            raise TestbedError("DidNotStart", f"it cannot join its control group: {error}") from None


def _holders(lock: Path) -> list[int]:
    """The processes, but ourselves, that have this file open."""
    mine = os.getpid()
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdecimal())
    return [pid for pid in pids if pid != mine and _holds(pid, str(lock))]


def _holds(pid: int, lock: str) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as descriptors:
            return any(os.readlink(descriptor.path) == lock for descriptor in descriptors)
    except OSError:
        return False


def _last_words(output: Path) -> str:
    try:
        lines = output.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:500] if lines else "it said nothing"
