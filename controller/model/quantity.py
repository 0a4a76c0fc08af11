"""Durations, memory sizes and times, as the API writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_QUANTITY = re.compile(r"(\d+)(Ki|Mi|Gi|Ti|k|M|G|T)?")
_SCALE = {
    None: 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def parse_duration(text: str) -> timedelta:
    """Read `2h`, `90m`, `1h30m10s`. Raises `ValueError` on anything else."""
    match = _DURATION.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration such as 2h, 90m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def parse_quantity(text: str | int) -> int:
    """Read a memory size such as `256Mi` into bytes. Raises `ValueError` on anything else."""
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 256Mi or 2Gi")
    return int(match[1]) * _SCALE[match[2]]


def format_bytes(size: int) -> str:
    """Write a size in the largest binary unit that divides it; `parse_quantity` reads it back."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size and size % _SCALE[unit] == 0:
            return f"{size // _SCALE[unit]}{unit}"
    return str(size)


def counted(number: int, noun: str) -> str:
    """For people: "1 node", "3 nodes". `noun`: in the singular, of the many whose plural adds an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def parse_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time; `None` and the unreadable give `None` (a status is somebody else's writing)."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def format_time(time: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC, to the second (metav1.Time)."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_precise(time: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC, to the microsecond (metav1.MicroTime): some phases are short."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
