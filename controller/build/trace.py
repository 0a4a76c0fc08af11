"""Nix's error messages, taken apart. Pure; the two forms that exist are read alike.

Nix 2.8 prints the error first and then the frames, innermost first; newer ones print an empty `error:`, the
frames, outermost first, and at last the error. Positions are `at FILE:LINE:COLUMN:` on a line of their own,
followed by some lines of the file and a caret; where it has none to show, Nix 2.8 forgets to end the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.build.log import plain

_AT = re.compile(r"\s*at ((?:/|<|«|\().*?):(\d+):(\d+)(?::(Did you mean .*)?)?$")
_EXCERPT = re.compile(r"\s*(?:\d+)?\|(.*)$")
_SOURCE_LINE = re.compile(r"\s*(\d+)\| ?(.*)$")
_CARET = re.compile(r"\s*\| ?(\s*)\^")
_FRAME = re.compile(r"\s*… (.*)$")
_LONGEST = 1 << 20
"""Characters of an error message that are looked at, at its beginning and at its end."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; lines and columns count from 1. `text` is that line, where Nix showed it."""

    file: str
    line: int
    column: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What was going on, and where."""

    text: str
    position: Position | None


@dataclass(frozen=True, slots=True)
class Trace:
    """An error: what it says, where, what Nix suggests, and the frames around it, innermost first."""

    message: str
    position: Position | None = None
    hint: str = ""
    frames: tuple[Frame, ...] = ()


def read(stderr: str) -> Trace | None:
    """The last error in there; None if there is none."""
    text = plain(stderr)
    if len(text) > 2 * _LONGEST:
        text = text[:_LONGEST] + "\n" + text[-_LONGEST:]
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.startswith("error:")), None)
    if start is None:
        return None
    sections = _sections(lines[start:])
    errors = [index for index, section in enumerate(sections) if section[0].lstrip().startswith("error:")]
    told = [index for index in errors if _told(sections[index])]
    if not told:
        return None
    main = told[-1]
    frames = [frame for section in sections if (frame := _frame(section)) is not None]
    if main > 0:  # newer ones: the frames stand before the error, outermost first
        frames.reverse()
    message, position, hint = _error(sections[main])
    return Trace(message, position, hint, tuple(frames))


def _sections(lines: list[str]) -> list[list[str]]:
    """The lines of each error and each frame."""
    sections: list[list[str]] = []
    for line in lines:
        if not sections or _FRAME.match(line) or re.match(r"\s*error:", line):
            sections.append([line])
        else:
            sections[-1].append(line)
    return sections


def _told(section: list[str]) -> str:
    return section[0].lstrip().removeprefix("error:").strip()


def _error(section: list[str]) -> tuple[str, Position | None, str]:
    """Message, position and hint of the section of an error."""
    message, hint = [_told(section)], ""
    at = next((number for number, line in enumerate(section) if _AT.match(line)), len(section))
    message += [line.strip() for line in section[1:at]]
    for line in section[at:]:
        if (found := _AT.match(line)) and found[4]:
            hint = found[4]
        if line.strip().startswith("Did you mean"):
            hint = line.strip()
    while message and (not message[-1] or message[-1].startswith("Did you mean")):
        hint = message.pop() or hint
    return "\n".join(message), _position(section), hint


def _frame(section: list[str]) -> Frame | None:
    found = _FRAME.match(section[0])
    return None if found is None else Frame(found[1].strip(), _position(section))


def _position(section: list[str]) -> Position | None:
    for number, line in enumerate(section):
        found = _AT.match(line)
        if found is None:
            continue
        shown = [following for following in section[number + 1 :] if _EXCERPT.match(following)]
        caret = next((index for index, following in enumerate(shown) if _CARET.match(following)), 0)
        text = _SOURCE_LINE.match(shown[caret - 1]) if caret else None
        return Position(found[1], int(found[2]), int(found[3]), text[2] if text else "")
    return None
