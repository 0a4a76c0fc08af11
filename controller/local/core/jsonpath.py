"""The JSONPath dialect of printer columns and selectable fields (k8s.io/client-go/util/jsonpath).

Fields `.a.b`, `.a\\.b`, `['a']`, wildcards `.*` `[*]`, indexes and slices `[0]` `[-1]` `[1:3]`, unions
`['a','b']`, recursive descent `..a` and filters `[?(@.type=="Ready")]` with one comparison.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

Step = Callable[[list[Any]], list[Any]]
"""From the values found so far to the values one step further."""

_SLICE = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_FIELD_END = frozenset(" \t\n\r.,[]$@{}")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class JSONPathError(ValueError):
    """A path that cannot be parsed; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled path such as `.status.conditions[?(@.type=="Ready")].status`.

    `fields` names the keys of a path that has nothing but fields: the common case, and a fast one."""

    text: str
    steps: tuple[Step, ...]
    fields: tuple[str, ...] | None

    def find(self, root: Any) -> list[Any]:
        """All values that the path selects in `root`, in order.

        Where a key or an index is missing, or the data has another shape, nothing is found."""
        if self.fields is not None:
            for key in self.fields:
                if not isinstance(root, dict) or key not in root:
                    return []
                root = root[key]
            return [root]
        found = [root]
        for step in self.steps:
            found = step(found)
            if not found:
                break
        return found


@lru_cache(maxsize=1024)
def compile_path(text: str) -> Path:
    """Compile `text` (without the braces that kubectl's own -o jsonpath has). Raises JSONPathError."""
    steps, names = _Parser(text).parse()
    return Path(text, tuple(steps), tuple(names) if len(names) == len(steps) else None)


def print_value(value: Any) -> str:
    """One value as string columns print it: text bare, numbers as Go prints them, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 1 << 63):
        return _go_float(float(value))
    if value is None:
        return "<nil>"
    return _go_json(value)


def _go_json(value: Any) -> str:
    """A value as Go's encoding/json writes it: keys sorted, what HTML takes for markup escaped."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{_go_json(key)}:{_go_json(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_go_json, value))}]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        for char in "&<>\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
        return text
    if isinstance(value, float):
        number = Decimal(repr(value)).normalize()
        power = number.adjusted()
        if -6 <= power < 21:
            return f"{number:f}"
        return f"{number.scaleb(-power):f}e{power:+d}"
    return json.dumps(value)


def _go_float(value: float) -> str:
    """A float as Go's %v: the shortest digits, with an exponent below 1e-4 and from 1e+06 on."""
    number = Decimal(repr(value)).normalize()
    power = number.adjusted()
    if -4 <= power < 6:
        return f"{number:f}"
    return f"{number.scaleb(-power):f}e{power:+03d}"


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.steps: list[Step] = []
        self.names: list[str] = []

    def parse(self) -> tuple[list[Step], list[str]]:
        while self.at < len(self.text):
            rest = self.text[self.at :]
            if rest.startswith("[?("):
                self._filter()
            elif rest.startswith(".."):
                self.at += 1
                if self.text[self.at + 1 : self.at + 2] in ("", "."):
                    raise JSONPathError(f"{self.text!r}: a name must follow `..`")
                self.steps.append(_descend)
            elif rest[0] == ".":
                self._field()
            elif rest[0] == "[":
                self._bracket()
            elif rest[0] in "@$ ":
                self.at += 1
            else:
                raise JSONPathError(
                    f"{self.text!r}: unrecognized character {rest[0]!r} at position {self.at}: "
                    "a path is made of .field, ['field'], [index] and [?(@.field==value)]"
                )
        return self.steps, self.names

    def _field(self) -> None:
        self.at += 1
        name = ""
        while self.at < len(self.text) and self.text[self.at] not in _FIELD_END:
            if self.text[self.at] == "\\":
                self.at += 1
            name += self.text[self.at : self.at + 1]
            self.at += 1
        self._take_name(name)

    def _take_name(self, name: str) -> None:
        if name == "*":
            self.steps.append(_children)
        elif name:  # a lone `.` is the object itself
            self.steps.append(_get(name))
            self.names.append(name)

    def _bracket(self) -> None:
        end = self.text.find("]", self.at)
        if end < 0:
            raise JSONPathError(f"{self.text!r}: unterminated array")
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        if "," in inside:
            members = [_Parser(f"[{part.strip()}]").parse()[0] for part in inside.split(",")]
            self.steps.append(_union(members))
        elif len(inside) > 1 and inside[0] == inside[-1] == "'":
            # The real parser reads `['a.b']` as `.a.b`: a dot in a key is written `\.` here too.
            steps, names = _Parser(f".{inside[1:-1]}").parse()
            self.steps += steps
            self.names += names
        else:
            self.steps.append(self._slice(":" if inside == "*" else inside))

    def _slice(self, inside: str) -> Step:
        match = _SLICE.fullmatch(inside)
        if match is None or not inside or inside == "-":
            raise JSONPathError(f"{self.text!r}: invalid array index {inside!r}")
        first, last, step = match.groups()
        if last is None:
            return _index(int(first))
        stride = int(step[1:]) if step and step != ":" else 1
        if stride <= 0:
            raise JSONPathError(f"{self.text!r}: the step of a slice must be positive")
        return _range(slice(int(first or 0), int(last[1:]) if last != ":" else None, stride))

    def _filter(self) -> None:
        start = self.at + len("[?(")
        quote = ""
        depth = 1
        at = start
        while at < len(self.text) and depth:
            char = self.text[at]
            if quote:
                at += char == "\\"
                quote = "" if char == quote else quote
            elif char in "\"'":
                quote = char
            else:
                depth += {"(": 1, ")": -1}.get(char, 0)
            at += 1
        if depth or self.text[at : at + 1] != "]":
            raise JSONPathError(f"{self.text!r}: unterminated filter")
        self.at = at + 1
        self.steps.append(_where(*self._condition(self.text[start : at - 1])))

    def _condition(self, inside: str) -> tuple[Step, Callable[[Any, Any], bool] | None, Step]:
        match = _COMPARISON.fullmatch(inside)
        if match is None:
            return self._operand(inside), None, _nothing
        left, symbol, right = match.groups()
        if symbol not in _COMPARE:
            raise JSONPathError(f"{self.text!r}: unrecognized filter operator {symbol!r}")
        return self._operand(left), _COMPARE[symbol], self._operand(right)

    def _operand(self, text: str) -> Step:
        text = text.strip()
        if len(text) > 1 and text[0] in "\"'" and text[-1] == text[0]:
            return _constant(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if text in ("true", "false"):
            return _constant(text == "true")
        if re.fullmatch(r"[+-]?\d+", text):
            return _constant(int(text))
        if re.fullmatch(r"[+-]?\d*\.?\d+([eE][+-]?\d+)?", text):
            return _constant(float(text))
        if text[:1] not in ("@", "$", ".", "["):
            raise JSONPathError(f"{self.text!r}: unrecognized identifier {text!r}; text needs quotes")
        steps, _ = _Parser(text).parse()
        return lambda values: _run(steps, values)


def _run(steps: list[Step], values: list[Any]) -> list[Any]:
    for step in steps:
        values = step(values)
    return values


def _get(name: str) -> Step:
    return lambda values: [value[name] for value in values if isinstance(value, dict) and name in value]


def _index(number: int) -> Step:
    return lambda values: [
        value[number] for value in values if isinstance(value, list) and -len(value) <= number < len(value)
    ]


def _range(part: slice) -> Step:
    return lambda values: [member for value in values if isinstance(value, list) for member in value[part]]


def _union(members: list[list[Step]]) -> Step:
    return lambda values: [found for steps in members for found in _run(steps, values)]


def _constant(value: Any) -> Step:
    return lambda _: [value]


def _nothing(_: list[Any]) -> list[Any]:
    return []


def _children(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict):
            found += value.values()
        elif isinstance(value, list):
            found += value
    return found


def _descend(values: list[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if isinstance(value, dict | list):
            found += [value, *_descend(_children([value]))]
    return found


def _where(left: Step, compare: Callable[[Any, Any], bool] | None, right: Step) -> Step:
    def holds(member: Any) -> bool:
        lefts = left([member])
        if compare is None:
            return bool(lefts)
        rights = right([member])
        if len(lefts) != 1 or len(rights) != 1 or not _comparable(lefts[0], rights[0]):
            return False
        return compare(lefts[0], rights[0])

    return lambda values: [
        member for value in values if isinstance(value, list) for member in value if holds(member)
    ]


def _comparable(left: Any, right: Any) -> bool:
    """Only like is compared with like; a boolean is not a number."""
    if isinstance(left, bool) or isinstance(right, bool):
        return isinstance(left, bool) and isinstance(right, bool)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return True
    return isinstance(left, str) and isinstance(right, str)
