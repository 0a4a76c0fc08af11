"""What happened, in order, for whoever reads a replay."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple


class Line(NamedTuple):
    """One event: virtual seconds, who, what (a format and its arguments)."""

    time: float
    who: str
    what: str
    rest: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.time:10.3f}  {self.who:<10}  {self.what.format(*self.rest)}"


class Trace:
    """Lines are formatted only when they are read."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.lines: list[Line] = []
        self.counts: Counter[str] = Counter()

    def __call__(self, who: str, what: str, *rest: Any) -> None:
        """Note an event."""
        self.lines.append(Line(self._now(), who, what, rest))

    def count(self, what: str) -> None:
        """Count something, for the summary."""
        self.counts[what] += 1

    def fingerprint(self) -> str:
        """A digest of the whole story: equal for equal runs."""
        found = hashlib.sha256()
        for line in self.lines:
            found.update(str(line).encode())
        return found.hexdigest()[:16]
