"""Derivations as the store keeps them (`.drv` files, ATerm). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Output:
    """An output: its path and, where it is fixed, how (`sha256`, `r:sha256`) and the hexadecimal digest."""

    name: str
    path: str
    method: str = ""
    digest: str = ""

    @property
    def fixed(self) -> bool:
        """Is its content known beforehand, so that its builder may use the network?"""
        return bool(self.method or self.digest)


@dataclass(frozen=True, slots=True)
class Derivation:
    """What the project looks at in a derivation."""

    outputs: tuple[Output, ...]
    inputs: tuple[str, ...]
    builder: str
    environment: dict[str, str]


def parse(text: str) -> Derivation:
    """Reads a `.drv` file. ValueError: it is none.

    Derive([(name,path,method,digest),…],[(drv,[output,…]),…],[source,…],system,builder,[argument,…],[(name,value),…])
    """
    if not text.startswith("Derive("):
        raise ValueError("not a derivation")
    value, end = _tuple(text, len("Derive"))
    if end != len(text) or len(value) != 7:
        raise ValueError("not a derivation: something missing, or something after it")
    try:
        outputs, inputs, _, _, builder, _, environment = value
        return Derivation(
            tuple(Output(*output) for output in outputs),
            tuple(str(drv) for drv, _ in inputs),
            str(builder),
            {str(name): str(text) for name, text in environment},
        )
    except TypeError as error:
        raise ValueError(f"not a derivation: {error}") from None


def _term(text: str, at: int) -> tuple[Any, int]:
    """A string, a list or a tuple, and where it ends."""
    match text[at : at + 1]:
        case '"':
            found = _STRING.match(text, at)
            if found is None:
                raise ValueError("a string without an end")
            plain = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), found[1], flags=re.DOTALL)
            return plain, found.end()
        case "[":
            return _sequence(text, at, "]")
        case "(":
            return _sequence(text, at, ")")
    raise ValueError(f"unexpected {text[at : at + 10]!r}")


def _sequence(text: str, at: int, end: str) -> tuple[list[Any], int]:
    items: list[Any] = []
    at += 1
    while text[at : at + 1] != end:
        if items:
            if text[at : at + 1] != ",":
                raise ValueError(f"unexpected {text[at : at + 10]!r}")
            at += 1
        item, at = _term(text, at)
        items.append(item)
    return items, at + 1


def _tuple(text: str, at: int) -> tuple[list[Any], int]:
    return _sequence(text, at, ")")
