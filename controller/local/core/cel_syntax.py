"""The syntax tree of a CEL expression, to reason about a rule before it runs.

Evaluation is the `cel` library's; it does not show its tree. This reads the same grammar, and takes for granted that
the library has accepted the text.

Source: CEL specification, "Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as PyMapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<string>[bBrR]{0,2}(?:
          '''(?:[^\\]|\\.)*?''' | \"\"\"(?:[^\\]|\\.)*?\"\"\" | '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*"
        ))
      | (?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%!<>?:.,()\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_RAW = re.compile(r"([bBrR]{0,2})('''|\"\"\"|'|\")")

MACROS = {"all": 2, "exists": 2, "exists_one": 2, "existsOne": 2, "filter": 2, "map": 2}
_BINARY = (
    ("||",), ("&&",), ("<=", "<", ">=", ">", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Literal:
    value: Any
    kind: str
    """The CEL type: string, bytes, int, uint, double, bool or null_type."""
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """`operand.name`; `test` where it stands in has(). `at` is the dot."""

    operand: Term
    name: str
    at: int
    test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator (`_+_`, `_[_]`, `_?_:_`, `!_`), with a receiver where it was written as a method."""

    function: str
    target: Term | None
    arguments: tuple[Term, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro over a list or the keys of a map: `target.macro(variable, ...steps)`."""

    macro: str
    target: Term
    variable: str
    steps: tuple[Term, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Term, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: tuple[tuple[Term, Term], ...]
    at: int


Term = Literal | Name | Field | Call | Loop | Sequence | Mapping


class Unreadable(ValueError):
    """The text is no expression of the language that this reads; `at` is where (a 0-based offset)."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def parse(text: str) -> Term:
    """The tree of `text`. Raises Unreadable."""
    reader = _Reader(text)
    term = reader.expression()
    reader.expect("")
    return term


def renamed(text: str, names: PyMapping[str, str]) -> str:
    """`text` with calls of the functions in `names` going to others instead."""
    tokens = _Reader(text).tokens
    out, position = [], 0
    for (kind, name, at), (_, following, _) in pairwise(tokens):
        if kind == "name" and following == "(" and name in names:
            out += [text[position:at], names[name]]
            position = at + len(name)
    return "".join((*out, text[position:]))


def children(term: Term) -> Iterator[Term]:
    """The direct parts of `term`."""
    match term:
        case Field(operand=operand):
            yield operand
        case Call(target=target, arguments=arguments):
            if target is not None:
                yield target
            yield from arguments
        case Loop(target=target, steps=steps):
            yield target
            yield from steps
        case Sequence(items=items):
            yield from items
        case Mapping(entries=entries):
            for key, value in entries:
                yield key
                yield value
        case _:
            return


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise Unreadable(f"unexpected {text[position]!r}", position)
            kind = str(match.lastgroup)
            if kind != "space":
                self.tokens.append((kind, match[0], position))
            position = match.end()
        self.tokens.append(("end", "", len(text)))
        self.index = 0

    @property
    def sign(self) -> str:
        kind, text, _ = self.tokens[self.index]
        return text if kind in ("sign", "end") or text == "in" else "\0"

    @property
    def at(self) -> int:
        return self.tokens[self.index][2]

    def expect(self, sign: str) -> None:
        if self.sign != sign:
            raise Unreadable(f"expected {sign or 'the end'}", self.at)
        self.index += 1

    def accept(self, sign: str) -> bool:
        if self.sign == sign:
            self.index += 1
            return True
        return False

    def expression(self) -> Term:
        condition = self.binary(0)
        at = self.at
        if not self.accept("?"):
            return condition
        first = self.binary(0)
        self.expect(":")
        return Call("_?_:_", None, (condition, first, self.expression()), at)

    def binary(self, level: int) -> Term:
        if level == len(_BINARY):
            return self.unary()
        left = self.binary(level + 1)
        while self.sign in _BINARY[level]:
            sign, at = self.sign, self.at
            self.index += 1
            right = self.binary(level + 1)
            left = Call("@in" if sign == "in" else f"_{sign}_", None, (left, right), at)
        return left

    def unary(self) -> Term:
        sign, at = self.sign, self.at
        if sign == "!" or (sign == "-" and self.tokens[self.index + 1][0] != "number"):
            self.index += 1
            return Call("!_" if sign == "!" else "-_", None, (self.unary(),), at)
        return self.member()

    def member(self) -> Term:
        term = self.primary()
        while True:
            at = self.at
            if self.accept("."):
                name = self.name()
                call_at = self.at
                term = self.call(name, term, call_at) if self.accept("(") else Field(term, name, at)
            elif self.accept("["):
                index = self.expression()
                self.expect("]")
                term = Call("_[_]", None, (term, index), at)
            else:
                return term

    def name(self) -> str:
        kind, text, at = self.tokens[self.index]
        if kind != "name":
            raise Unreadable("expected a name", at)
        self.index += 1
        return text

    def arguments(self, closing: str) -> tuple[Term, ...]:
        items: list[Term] = []
        while not self.accept(closing):
            items.append(self.expression())
            if not self.accept(","):
                self.expect(closing)
                break
        return tuple(items)

    def call(self, name: str, target: Term | None, at: int) -> Term:
        arguments = self.arguments(")")
        if target is None and name == "has" and len(arguments) == 1 and isinstance(arguments[0], Field):
            tested = arguments[0]
            return Field(tested.operand, tested.name, at, test=True)
        wanted = MACROS.get(name)
        first = arguments[0] if arguments else None
        counts = (wanted, 3) if name == "map" else (wanted,)
        if target is not None and wanted and isinstance(first, Name) and len(arguments) in counts:
            return Loop(name, target, first.name, arguments[1:], at)
        return Call(name, target, arguments, at)

    def primary(self) -> Term:
        kind, text, at = self.tokens[self.index]
        self.index += 1
        if kind == "number":
            return _number(text, at)
        if kind == "string":
            return _string(text, at)
        if kind == "name":
            if text in ("true", "false"):
                return Literal(text == "true", "bool", at)
            if text == "null":
                return Literal(None, "null_type", at)
            call_at = self.at
            return self.call(text, None, call_at) if self.accept("(") else Name(text, at)
        if text == "-":
            number = self.tokens[self.index][1]
            self.index += 1
            return _number("-" + number, at)
        if text == "(":
            term = self.expression()
            self.expect(")")
            return term
        if text == "[":
            return Sequence(self.arguments("]"), at)
        if text == "{":
            return Mapping(self.entries(), at)
        if text == ".":
            return Name(self.name(), at)
        raise Unreadable(f"unexpected {text or 'end'!r}", at)

    def entries(self) -> tuple[tuple[Term, Term], ...]:
        entries: list[tuple[Term, Term]] = []
        while not self.accept("}"):
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression()))
            if not self.accept(","):
                self.expect("}")
                break
        return tuple(entries)


def _number(text: str, at: int) -> Literal:
    if text[-1] in "uU":
        return Literal(int(text[:-1], 0), "uint", at)
    if "x" in text.lower():
        return Literal(int(text, 16), "int", at)
    if any(char in text for char in ".eE"):
        return Literal(float(text), "double", at)
    return Literal(int(text), "int", at)


def _string(text: str, at: int) -> Literal:
    opening = _RAW.match(text)
    prefix = opening[1].lower() if opening else ""
    quote = len(opening[2]) if opening else 1
    return Literal(text[len(prefix) + quote : -quote], "bytes" if "b" in prefix else "string", at)
