"""The console of a machine: a log with bounds, and its last lines for people."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

KEPT = 256 * 1024
"""Bytes of a log that are kept when it is cut."""
CUT_AT = 1024 * 1024
HARD_LIMIT = 8 * 1024 * 1024
"""Bytes at which the kernel stops a process from writing on, while nobody cuts its log."""
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f]")


def bounded(argv: Sequence[str]) -> list[str]:
    """A command that may write files of `HARD_LIMIT` at most; POSIX counts them in blocks of 512 bytes.

    The shell does it because prlimit(2) on a process of another user takes a capability that root may lack.
    """
    return ["/bin/sh", "-c", f'ulimit -f {HARD_LIMIT // 512} && exec "$@"', "sh", *argv]


def cut(log: Path) -> None:
    """Keep the end of a log that has grown beyond `CUT_AT`; its writer appends, and goes on after that."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size <= CUT_AT:
            return
        with log.open("rb+") as stream:
            stream.seek(-KEPT, os.SEEK_END)
            end = stream.read()
            stream.seek(0)
            stream.write(end)
            stream.truncate(len(end))


def tail(log: Path, limit: int = 4096) -> str:
    """The last lines of a log as plain text, at most `limit` characters; empty where there is none."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - 4 * limit))
            raw = stream.read()
    except FileNotFoundError:
        return ""
    text = _CONTROL.sub("", raw.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    kept: list[str] = []
    left = limit
    for line in reversed(lines):
        if (left := left - len(line) - 1) < 0:
            break
        kept.append(line)
    return "\n".join(reversed(kept))
