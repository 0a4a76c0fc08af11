r"""Nix's structured log (`--log-format internal-json -v`) as progress and as text. Pure, in bounded memory.

Each line of stderr is `@nix {"action": …}`. Activity types and results: Nix's source, `logging.hh`;
104: builds (totals), 105: one build (the derivation is `fields[0]`); result 101: a line a builder printed,
104: it entered a phase, 105: `[done, expected, running, failed]`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from controller.build.nar import name_of

_BUILDS, _BUILD = 104, 105
_LOG_LINE, _PROGRESS = 101, 105
_LINE = 1 << 16
"""Bytes of one line of the log that are kept."""
_TAIL_LINES, _TAIL_BYTES = 50, 1 << 14
_KEPT = 256
"""Activities, and derivations with a tail, that are kept at once."""
_SHOWN = 3
_CHATTER = "you did not specify '--add-root'"
"""Of no use to anybody: roots are ours to make."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROLS = {code: None for code in range(32) if chr(code) not in "\t\n"} | {127: None}


def plain(text: str) -> str:
    """The text without ANSI escape sequences and control characters."""
    return _ESCAPES.sub("", text).translate(_CONTROLS)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a realisation is, in derivations. `names`: those being built."""

    done: int = 0
    expected: int = 0
    running: int = 0
    failed: int = 0
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.done}/{self.expected} built"
        if self.running:
            shown = ", ".join(self.names[:_SHOWN])
            more = ", …" if len(self.names) > _SHOWN else ""
            text += f", {self.running} running" + (f": {shown}{more}" if shown else "")
        return text + (f", {self.failed} failed" if self.failed else "")


@dataclass(slots=True)
class _Tail:
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    size: int = 0

    def add(self, line: str) -> None:
        if len(self.lines) == _TAIL_LINES:
            self.size -= len(self.lines[0])
        self.lines.append(line)
        self.size += len(line)
        while self.size > _TAIL_BYTES and len(self.lines) > 1:
            self.size -= len(self.lines.popleft())


class Log:
    """What one Nix process has told so far. Feed it stderr; it takes anything, in pieces of any size."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.size = 0
        """Bytes that builders printed."""
        self.messages: deque[str] = deque(maxlen=_TAIL_LINES)
        """What Nix itself said: errors and warnings."""
        self._errors: deque[str] = deque(maxlen=_TAIL_LINES)
        self._pending = bytearray()
        self._totals: int | None = None
        self._running: dict[int, str] = {}
        self._tails: dict[str, _Tail] = {}

    @property
    def errors(self) -> tuple[str, ...]:
        """The error messages, each perhaps of several lines, without `error: `."""
        return tuple(self._errors)

    def tail(self, derivation: str) -> tuple[str, ...]:
        """The last lines that the builder of this derivation printed."""
        tail = self._tails.get(derivation)
        return () if tail is None else tuple(tail.lines)

    def feed(self, data: bytes) -> list[str]:
        """Takes a piece of stderr; returns the lines that a person's log gains by it."""
        lines: list[str] = []
        *whole, rest = (bytes(self._pending) + data).split(b"\n")
        for line in whole:
            lines.extend(self._line(line))
        self._pending[:] = rest[: _LINE * 2]  # the end of a line that is longer is lost
        return lines

    def close(self) -> list[str]:
        """Takes what came after the last newline."""
        rest = bytes(self._pending)
        self._pending.clear()
        return list(self._line(rest)) if rest else []

    def _line(self, line: bytes) -> Iterator[str]:
        text = line.decode(errors="replace")
        if not text.startswith("@nix "):
            if text := plain(text)[:_LINE]:
                self._say(text)
                yield text
            return
        try:
            event = json.loads(text[5:])
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        match event.get("action"):
            case "start":
                yield from self._start(event)
            case "stop":
                self._stop(_integer(event.get("id")))
            case "result":
                yield from self._result(event)
            case "msg":
                yield from self._message(event)

    def _start(self, event: dict[str, Any]) -> Iterator[str]:
        number = _integer(event.get("id"))
        if event.get("type") == _BUILDS:
            self._totals = number
        if event.get("type") != _BUILD or len(self._running) >= _KEPT:
            return
        derivation = _first(event)
        if isinstance(derivation, str) and derivation.endswith(".drv"):
            self._running[number] = derivation
            self._names()
            yield f"building {name_of(derivation)}"

    def _stop(self, number: int) -> None:
        if self._running.pop(number, None) is not None:
            self._names()

    def _result(self, event: dict[str, Any]) -> Iterator[str]:
        number, fields = _integer(event.get("id")), event.get("fields")
        if event.get("type") == _LOG_LINE:
            raw = _first(event)
            if isinstance(raw, str):
                self.size += len(raw) + 1
                line = plain(raw)[:_LINE]
                derivation = self._running.get(number, "")
                self._tail(derivation).add(line)
                yield f"{name_of(derivation)}> {line}" if derivation else line
        elif event.get("type") == _PROGRESS and number == self._totals and isinstance(fields, list):
            numbers = [_integer(value) for value in fields]
            if len(numbers) == 4 and min(numbers) >= 0:
                done, expected, running, failed = numbers
                self.progress = Progress(done, expected, running, failed, self.progress.names)

    def _message(self, event: dict[str, Any]) -> Iterator[str]:
        message = event.get("msg")
        if not isinstance(message, str):
            return
        text = plain(message)[: _LINE * 4]
        self._say(text)
        level = event.get("level")
        if (
            isinstance(level, int) and level <= 2 and _CHATTER not in text
        ):  # error, warning, notice; the rest is chatter
            yield from text.splitlines()

    def _say(self, text: str) -> None:
        self.messages.append(text)
        if text.startswith("error:"):
            self._errors.append(text.removeprefix("error:").strip())

    def _tail(self, derivation: str) -> _Tail:
        if derivation not in self._tails:
            while len(self._tails) >= _KEPT:
                del self._tails[next(iter(self._tails))]
            self._tails[derivation] = _Tail()
        return self._tails[derivation]

    def _names(self) -> None:
        at = self.progress
        names = tuple(name_of(derivation) for derivation in self._running.values())
        self.progress = Progress(at.done, at.expected, at.running, at.failed, names)


def _integer(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _first(event: dict[str, Any]) -> object:
    fields = event.get("fields")
    return fields[0] if isinstance(fields, list) and fields else None
