"""What Linux tells of a process."""

from __future__ import annotations

import os
from pathlib import Path


def rss(pid: int) -> float:
    """Resident memory in MiB."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most resident memory it ever had, in MiB."""
    return _status(pid, "VmHWM")


def children(pid: int) -> list[int]:
    """Its child processes."""
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def load() -> str:
    """The machine's load averages."""
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    return 0.0
