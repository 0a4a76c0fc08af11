"""The launcher of every Nix process: a script of its own (`python -I -S jail.py DESCRIPTOR`), stdlib only.

The descriptor is that of a file with the specification (a command line could be read from inside).

It leaves the host behind and then becomes the program. Three processes:

- the outer one joins the control groups, unshares every namespace and waits; SIGTERM makes it kill the rest,
  and it ends only when all is gone (the kernel lets the first process of a PID namespace be reaped only after
  every other one in it is dead);
- the first process of the new PID namespace builds a root file system of its own (only what the specification
  names is in it), moves there and reaps orphans;
- its child gives up the user, the groups and every capability, and executes the program.

Each dies with its parent, so that nothing survives a controller that was killed. The program's PID is chosen:
Nix keeps the paths that it is using in a file named after its PID, and two Nix processes that are both PID 2
of their namespaces would take each other's file for a stale one.

A failure before the program starts is exit status 125 and one line `nxc-jail: STEP: ERROR` on stderr. Where
no program is named, it tries whether the user could have a sandbox in there, and ends.
Man pages: namespaces(7), pid_namespaces(7), user_namespaces(7), pivot_root(2), prctl(2), capabilities(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

FAILED = 125
"""Exit status where the program could not be started."""

PREFIX = "nxc-jail: "

_libc = ctypes.CDLL(None, use_errno=True)

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>
_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_KEPT = {os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048, os.ST_RELATIME: 1 << 21}
_UMOUNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_IOPRIO_SET = {"x86_64": 251, "aarch64": 30}
_IOPRIO_BEST_EFFORT_LAST = 2 << 13 | 7
_LAST_CAPABILITY = 63
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Names what was being done when it failed."""
    try:
        yield
    except OSError as error:
        _fail(f"{name}: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))


def _fail(message: str) -> NoReturn:
    os.write(2, f"{PREFIX}{message}\n".encode())
    os._exit(FAILED)


def _check(result: int, name: str | None = None) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = (None if text is None else text.encode() for text in (source, target, kind))
    source_, target_, kind_ = texts
    _check(
        _libc.mount(source_, target_, kind_, ctypes.c_ulong(flags), None if data is None else data.encode()),
        target,
    )


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    result: int = _libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero)
    return result


def _die_with_parent() -> None:
    _check(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL))


# ---------------------------------------------------------------- the outer process


def _outer(spec: dict[str, Any]) -> NoReturn:
    with _step("die with the controller"):
        _die_with_parent()
        if os.getppid() != spec["parent"]:  # it was gone before the line above
            os._exit(FAILED)
    for procs in spec["cgroups"]:
        with _step("join the control group"):
            _write(procs, str(os.getpid()))
    with _step("be the first to go when memory runs out"):
        _write("/proc/self/oom_score_adj", str(spec["oom_score_adj"]))
    os.nice(spec["nice"])
    _libc.syscall(_SYS_IOPRIO_SET.get(os.uname().machine, -1), 1, 0, _IOPRIO_BEST_EFFORT_LAST)

    namespaces = _NEWNS | _NEWCGROUP | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
    uid, gid = os.getuid(), os.getgid()
    with _step("new namespaces"):
        _check(_libc.unshare(namespaces | (_NEWUSER if spec["user"] is None else 0)))
        if spec["loopback"]:
            _loopback_up()
        if spec["user"] is None:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
    watched, alive = os.pipe()
    with _step("first process"):
        first = os.fork()
    if first == 0:
        os.close(alive)
        _first(spec, watched)
    os.close(watched)

    def stop(*_: object) -> None:
        os.kill(first, signal.SIGKILL)

    signal.signal(signal.SIGTERM, stop)
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    _, status = os.waitpid(first, 0)
    os._exit(_code(status))


def _loopback_up() -> None:
    """Of this network namespace, which has nothing else (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# ---------------------------------------------------------------- the first process: its own root


def _first(spec: dict[str, Any], watched: int) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with _step("die with the outer process"):
        _die_with_parent()
        if select.select([watched], [], [], 0)[0]:
            os._exit(FAILED)
    _build_root(spec)
    with _step("choose the process's number"):
        _write("/proc/sys/kernel/ns_last_pid", str(spec["pid"] - 1))
    with _step("the program's process"):
        program = os.fork()
    if program == 0:
        _become(spec)
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == program:
            os._exit(_code(status))


def _build_root(spec: dict[str, Any]) -> None:
    root: str = spec["root"]
    with _step("private mounts"):
        _mount("none", "/", None, _REC | _PRIVATE)
    with _step("a root of its own"):
        _mount("nxc", root, "tmpfs", _NOSUID | _NODEV, "mode=755,size=16m")
    for directory in ("proc", "dev", "dev/pts", "dev/shm", "etc"):
        os.mkdir(f"{root}/{directory}", 0o755)
    for source, target, mode in spec["binds"]:
        with _step(f"show {target}"):
            _bind(source, root + target, read_only=mode == "ro")
    for target, size in spec["scratch"].items():
        with _step(f"scratch space in {target}"):
            os.makedirs(root + target, 0o755, exist_ok=True)
            _mount("scratch", root + target, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={size}")
    for target, content in spec["files"].items():
        with _step(f"write {target}"), open(root + target, "w", encoding="utf-8") as file:
            file.write(content)
    for target, link in spec["links"].items():
        with _step(f"link {target}"):
            os.symlink(link, root + target)
    with _step("mount /proc"):
        _mount("proc", f"{root}/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    with _step("mount /dev"):
        for device in DEVICES:
            _bind(f"/dev/{device}", f"{root}/dev/{device}", read_only=False, devices=True)
        _mount("devpts", f"{root}/dev/pts", "devpts", _NOSUID | _NOEXEC, "newinstance,ptmxmode=0666,mode=620")
        _mount("shm", f"{root}/dev/shm", "tmpfs", _NOSUID | _NODEV | _NOEXEC, "mode=1777,size=16m")  # noqa: S108
        os.symlink("pts/ptmx", f"{root}/dev/ptmx")
        os.symlink("/proc/self/fd", f"{root}/dev/fd")
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"{root}/dev/{name}")
    with _step("move into the new root"):
        os.chdir(root)
        _check(_libc.syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b"."))
        _check(_libc.umount2(b".", _UMOUNT_DETACH))
        os.chdir("/")
        _mount("none", "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)
    with _step("host name"):
        _check(_libc.sethostname(b"nxc", 3))


def _bind(source: str, target: str, *, read_only: bool, devices: bool = False) -> None:
    if os.path.isdir(source):
        os.makedirs(target, 0o755, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    _mount(source, target, None, _BIND)
    # In a user namespace, flags that the mount has already may not be taken away: ask for them again.
    had = os.statvfs(target).f_flag
    flags = _NOSUID | (0 if devices else _NODEV) | (_RDONLY if read_only else 0)
    flags |= had & (_RDONLY | _NODEV | _NOEXEC)
    flags |= sum(bit for name, bit in _KEPT.items() if had & name)
    _mount("none", target, None, _REMOUNT | _BIND | flags)


# ---------------------------------------------------------------- the program


def _become(spec: dict[str, Any]) -> NoReturn:
    os.setsid()
    for name, value in spec["rlimits"].items():
        number = getattr(resource, f"RLIMIT_{name}")
        with _step(f"limit {name}"):
            hard = resource.getrlimit(number)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (bound, bound))
    with _step("give up privileges"):
        for capability in range(_LAST_CAPABILITY + 1):
            _prctl(_PR_CAPBSET_DROP, capability)  # those that the kernel does not know fail
        if spec["user"] is not None:
            uid, gid = spec["user"]
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1))
    with _step("go to the directory"):
        os.chdir(spec["directory"])
    if not spec["arguments"]:
        _try_sandbox()
    signal.signal(
        signal.SIGPIPE, signal.SIG_DFL
    )  # Python ignores these two; the program starts with the defaults
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    with _step(f"execute {spec['arguments'][0]}"):
        os.execve(spec["arguments"][0], spec["arguments"], spec["environment"])  # noqa: S606


def _try_sandbox() -> NoReturn:
    """Does what Nix's sandbox does for a builder, and ends with 0; the specification names no program then."""
    uid, gid = os.getuid(), os.getgid()
    with _step("user namespaces"):
        _check(_prctl(_PR_SET_DUMPABLE, 1))  # else /proc/self belongs to root
        _check(_libc.unshare(_NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS))
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"1000 {uid} 1")
        _write("/proc/self/gid_map", f"100 {gid} 1")
        child = os.fork()
    if child == 0:
        with _step("mount /proc in a user namespace"):
            _mount("none", "/", None, _REC | _PRIVATE)
            _mount("none", "/proc", "proc", 0)
        os._exit(0)
    os._exit(_code(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    with open(int(sys.argv[1]), encoding="utf-8") as specification:
        _outer(json.load(specification))
