"""Debian's control data: stanzas, relations between packages, the order of versions.

Source: Debian Policy 4.12, chapters 5 (control files), 7 (relationships); deb-version(7).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import total_ordering


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version that compares as dpkg compares it: `1.0~rc1` is before `1.0`, `1:0` after `9`."""

    text: str

    def _parts(self) -> tuple[int, str, str]:
        epoch, colon, rest = self.text.partition(":")
        if not colon or not epoch.isdecimal():
            epoch, rest = "0", self.text
        upstream, dash, revision = rest.rpartition("-")
        return (int(epoch), upstream, revision) if dash else (int(epoch), rest, "0")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._compare(other) == 0

    def __lt__(self, other: Version) -> bool:
        return self._compare(other) < 0

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def _compare(self, other: Version) -> int:
        mine, theirs = self._parts(), other._parts()
        if mine[0] != theirs[0]:
            return -1 if mine[0] < theirs[0] else 1
        return _compare(mine[1], theirs[1]) or _compare(mine[2], theirs[2])


def _order(character: str) -> int:
    """`~` before the end, the end before letters, letters before the rest."""
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


_CHUNK = re.compile(r"(\D*)(\d*)")


def _compare(a: str, b: str) -> int:
    while a or b:
        mine, theirs = _CHUNK.match(a), _CHUNK.match(b)
        assert mine is not None
        assert theirs is not None
        words = ([*map(_order, mine[1]), 0], [*map(_order, theirs[1]), 0])
        if words[0] != words[1]:
            return -1 if words[0] < words[1] else 1
        numbers = (int(mine[2] or 0), int(theirs[2] or 0))
        if numbers[0] != numbers[1]:
            return -1 if numbers[0] < numbers[1] else 1
        a, b = a[mine.end() :], b[theirs.end() :]
    return 0


@dataclass(frozen=True, slots=True)
class Relation:
    """One package that is wanted: `libc6 (>= 2.34)`."""

    name: str
    operator: str = ""
    version: Version = Version("0")

    def holds(self, version: Version) -> bool:
        """Whether this version is one that is wanted."""
        match self.operator:
            case "":
                return True
            case "<<":
                return version < self.version
            case "<=":
                return version <= self.version
            case "=":
                return version == self.version
            case ">=":
                return version >= self.version
            case ">>":
                return version > self.version
            case other:
                raise ValueError(f"relation operator {other!r} is none of << <= = >= >>")

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*(?:\(\s*(?P<op><<|<=|>=|>>|=|<|>)\s*(?P<version>[^\s()<>=]+)\s*\))?"
    r"\s*(?:\[[^\]]*\])?\s*"
)
_OLD = {"<": "<=", ">": ">="}  # Policy 7.1: the deprecated forms mean these


def relations(field: str) -> list[tuple[Relation, ...]]:
    """A `Depends` field: all of the list, of each group one. Raises `ValueError` naming what is not a relation."""
    groups = []
    for group in filter(None, (part.strip() for part in field.split(","))):
        alternatives = []
        for text in group.split("|"):
            found = _RELATION.fullmatch(text.strip())
            if found is None:
                raise ValueError(f"{text.strip()!r} is not a relation between packages")
            operator = found["op"] or ""
            alternatives.append(
                Relation(found["name"], _OLD.get(operator, operator), Version(found["version"] or "0"))
            )
        groups.append(tuple(alternatives))
    return groups


def stanzas(lines: Iterable[str]) -> Iterator[Mapping[str, str]]:
    """The paragraphs of a control file. Continuation lines are joined with newlines, names kept as written."""
    stanza: dict[str, str] = {}
    field = ""
    for line in lines:
        text = line.rstrip("\n")
        if not text.strip():
            if stanza:
                yield stanza
            stanza, field = {}, ""
        elif text[0] in " \t":
            if not field:
                raise ValueError(f"a continuation line without a field: {text!r}")
            stanza[field] += "\n" + text.strip()
        elif text[0] != "#":
            field, colon, value = text.partition(":")
            if not colon:
                raise ValueError(f"no field: {text!r}")
            stanza[field] = value.strip()
    if stanza:
        yield stanza
