"""Control groups for what we run on this host, where it lets us make some: version 1 or 2.

A group bounds what a process and all that it starts use together, which rlimits (per process, or per user)
do not. Kernel documentation: admin-guide/cgroup-v1/{memory,pids}, admin-guide/cgroup-v2.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

ROOT = Path("/sys/fs/cgroup")
_LEAF = "nxc-controller"
"""The group for the controller itself where its own has to be free of processes (version 2)."""


@dataclass(frozen=True, slots=True)
class Group:
    """A control group: one directory in version 2, one for each controller in version 1."""

    directories: tuple[Path, ...] = ()

    @property
    def procs(self) -> list[str]:
        """The files that a process writes its number to in order to join."""
        return [str(directory / "cgroup.procs") for directory in self.directories]

    def memory_exhausted(self) -> bool:
        """Was a process in it killed for want of memory?"""
        for directory in self.directories:
            for name, key in (("memory.events", "oom_kill"), ("memory.oom_control", "oom_kill")):
                with contextlib.suppress(OSError):
                    fields = dict(line.split() for line in (directory / name).read_text().splitlines())
                    if int(fields.get(key, "0")) > 0:
                        return True
        return False

    def kill(self) -> None:
        """End everything in it at once; it is gone soon after."""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                (directory / "cgroup.kill").write_text("1")
            with contextlib.suppress(OSError):
                for process in (directory / "cgroup.procs").read_text().split():
                    os.kill(int(process), signal.SIGKILL)

    def occupied(self) -> bool:
        """Is anything in it?"""
        for directory in self.directories:
            with contextlib.suppress(OSError):
                if (directory / "cgroup.procs").read_text().strip():
                    return True
        return False

    def remove(self) -> None:
        """Removes it; nothing may be in it any more."""
        for directory in self.directories:
            try:
                directory.rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                log.warning("control group %s stays: %s", directory, error.strerror)


@dataclass(frozen=True, slots=True)
class Groups:
    """Where groups can be made. `unavailable` says why not all limits hold, empty where all do."""

    version: int = 0
    parents: tuple[Path, ...] = ()
    unavailable: str = ""

    def named(self, name: str) -> Group:
        """The group of a name, made or not."""
        return Group(tuple(parent / name for parent in self.parents))

    def make(self, name: str, *, memory: int, processes: int) -> Group:
        """A new group. OSError: the host refuses."""
        made: list[Path] = []
        try:
            for parent in self.parents:
                directory = parent / name
                with contextlib.suppress(FileNotFoundError):
                    directory.rmdir()  # one that a killed controller left
                directory.mkdir()
                made.append(directory)
                for file, value in _limits(memory, processes):
                    if (directory / file).exists():
                        (directory / file).write_text(str(value))
        except OSError:
            Group(tuple(made)).remove()
            raise
        return Group(tuple(made))


def _limits(memory: int, processes: int) -> Sequence[tuple[str, int]]:
    return (
        ("memory.limit_in_bytes", memory),
        ("memory.memsw.limit_in_bytes", memory),
        ("memory.max", memory),
        ("memory.swap.max", 0),
        ("memory.oom.group", 1),
        ("pids.max", processes),
    )


def find(root: Path = ROOT, own: str | None = None) -> Groups:
    """Where on this host groups can be made. `own`: the text of /proc/self/cgroup."""
    if own is None:
        try:
            own = Path("/proc/self/cgroup").read_text()
        except OSError as error:
            return Groups(unavailable=f"/proc/self/cgroup: {error.strerror}")
    if (root / "cgroup.controllers").exists():
        return _version_2(root, own)
    return _version_1(root, own)


def _version_2(root: Path, own: str) -> Groups:
    path = next((line[3:] for line in own.splitlines() if line.startswith("0::")), "/")
    parent = root / path.lstrip("/")
    if parent.name == _LEAF:  # where we moved before
        parent = parent.parent
    try:
        enabled = set((parent / "cgroup.subtree_control").read_text().split())
        if not {"memory", "pids"} <= enabled:
            _enable(parent)
    except OSError as error:
        return Groups(unavailable=f"{parent}: {error.strerror} (memory and pids have to be delegated to us)")
    return _try(Groups(2, (parent,)))


def _enable(parent: Path) -> None:
    """Lets groups below this one have limits.

    A group with processes in it may not (the rule of no internal processes); where these are ours, and only
    then, they move into a group of their own, as systemd asks of services with `Delegate=`.
    """
    control = parent / "cgroup.subtree_control"
    try:
        control.write_text("+memory +pids")
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        processes = (parent / "cgroup.procs").read_text().split()
        if not all(_ours(int(process)) for process in processes):
            raise
        leaf = parent / _LEAF
        leaf.mkdir(exist_ok=True)
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(process)
        control.write_text("+memory +pids")


def _ours(process: int) -> bool:
    """Is it this process, or one that this one started, however indirectly?"""
    while process > 1:
        if process == os.getpid():
            return True
        try:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return True  # gone
    return os.getpid() == process


def _version_1(root: Path, own: str) -> Groups:
    paths = {}
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        paths.update(dict.fromkeys(controllers.split(","), path.lstrip("/")))
    parents, missing = [], []
    for controller in ("memory", "pids"):
        parent = root / controller / paths.get(controller, "")
        if not (parent / "cgroup.procs").exists():  # a container sees its own group as the root
            parent = root / controller
        if (parent / "cgroup.procs").exists():
            parents.append(parent)
        else:
            missing.append(controller)
    if not parents:
        return Groups(unavailable=f"no control groups under {root}")
    return _try(Groups(1, tuple(parents), f"no controller {' or '.join(missing)}" if missing else ""))


def _try(groups: Groups) -> Groups:
    try:
        groups.make(f"nxc-probe-{os.getpid()}", memory=1 << 30, processes=16).remove()
    except OSError as error:
        return Groups(unavailable=f"{error.filename or 'control groups'}: {error.strerror}")
    return groups
