"""Label and field selectors: parsed once, matched against many objects.

Grammar and messages: k8s.io/apimachinery `labels.Parse` and `fields.ParseSelector`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from controller.local.core import errors, names
from controller.local.core.resources import Resource

Match = Callable[[dict[str, Any]], bool]
_WORD = re.compile(r"\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_SYMBOLS = frozenset(("=", "==", "!=", "!", ",", "(", ")", "<", ">"))
_OPERATORS = {"=": "=", "==": "=", "!=": "!=", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label: `operator` is =, !=, in, notin, exists, !, gt or lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: dict[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == "gt" else int(value) < bound


def label_selector(text: str) -> Match | None:
    """A test of objects, None where every object passes. Raises ApiError 400 where `text` does not parse."""
    requirements = parse_labels(text)
    if not requirements:
        return None

    def matches(obj: dict[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.matches(labels) for requirement in requirements)

    return matches


def parse_labels(text: str) -> list[Requirement]:
    if not text.strip():
        return []
    return _LabelParser(text).parse()


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._words = _WORD.findall(text)
        self._position = 0

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        while True:
            word = self._peek()
            if word != "!" and (word in _SYMBOLS or not word):
                expected = "!, identifier, or 'end of string'" if not requirements else "identifier after ','"
                raise errors.bad_request(f"found '{word}', expected: {expected}")
            try:
                requirements.append(self._requirement())
            except ValueError as error:
                raise errors.bad_request(f"unable to parse requirement: {error}") from None
            word = self._next()
            if not word:
                return requirements
            if word != ",":
                raise errors.bad_request(f"found '{word}', expected: ',' or 'end of string'")

    def _peek(self) -> str:
        return self._words[self._position] if self._position < len(self._words) else ""

    def _next(self) -> str:
        word = self._peek()
        self._position += 1
        return word

    def _requirement(self) -> Requirement:
        negated = self._peek() == "!"
        if negated:
            self._next()
        key = self._next()
        if not key or key in _SYMBOLS:
            raise ValueError(f"found '{key}', expected: identifier")
        for problem in names.qualified_errors(key):
            raise ValueError(f"<nil>: Invalid value: {errors.quoted(key)}: {problem}")
        if negated:
            return Requirement(key, "!")
        if self._peek() in ("", ","):
            return Requirement(key, "exists")
        word = self._next()
        operator = _OPERATORS.get(word)
        if operator is None:
            raise ValueError(f"found '{word}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._set() if operator in ("in", "notin") else (self._value(),)
        if operator in ("gt", "lt") and not _INTEGER.fullmatch(values[0]):
            problem = "for 'Gt', 'Lt' operators, the value must be an integer"
            raise ValueError(f"values[0]: Invalid value: {errors.quoted(values[0])}: {problem}")
        for index, value in enumerate(values):
            for problem in names.label_value_errors(value):
                raise ValueError(f"values[{index}][{key}]: Invalid value: {errors.quoted(value)}: {problem}")
        return Requirement(key, operator, values)

    def _value(self) -> str:
        word = self._peek()
        if word in ("", ","):
            return ""
        if word in _SYMBOLS:
            raise ValueError(f"found '{word}', expected: identifier")
        return self._next()

    def _set(self) -> tuple[str, ...]:
        word = self._next()
        if word != "(":
            raise ValueError(f"found '{word}' expected: '('")
        values: list[str] = []
        expects_value = True
        while True:
            word = self._next()
            if word == ")":
                if expects_value:
                    values.append("")
                return tuple(values)
            if word == ",":
                if expects_value:
                    values.append("")
                expects_value = True
            elif word and word not in _SYMBOLS and expects_value:
                values.append(word)
                expects_value = False
            else:
                raise ValueError(f"found '{word}', expected: ',' or ')'")


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One condition of a field selector."""

    field: str
    value: str
    equal: bool


def field_selector(text: str, resource: Resource) -> Match | None:
    """A test of objects in the version of `resource`, None where every object passes.

    Raises ApiError 400 where `text` does not parse or names a field that this resource cannot select by.
    """
    terms = [term for term in parse_fields(text) if term.field or term.value]  # "=" selects everything
    if not terms:
        return None
    supported = ("metadata.name", *(("metadata.namespace",) if resource.namespaced else ()))
    for term in terms:
        if term.field not in supported and term.field not in resource.selectable_fields:
            raise errors.bad_request(_unsupported(term.field, resource))
    paths = [(tuple(term.field.split(".")), term.value, term.equal) for term in terms]

    def matches(obj: dict[str, Any]) -> bool:
        return all((_text_at(obj, path) == value) is equal for path, value, equal in paths)

    return matches


def exact_name(text: str) -> str:
    """The name where `text` selects by `metadata.name=NAME`, else ""."""
    if "metadata.name" not in text:
        return ""
    return next(
        (term.value for term in parse_fields(text) if term.field == "metadata.name" and term.equal), ""
    )


def parse_fields(text: str) -> list[FieldTerm]:
    terms = []
    for part in _split_terms(text):
        for operator in ("!=", "==", "="):
            left, found, right = part.partition(operator)
            if found:
                terms.append(FieldTerm(left, _unescaped(right), operator != "!="))
                break
        else:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
    return terms


def _split_terms(text: str) -> Iterable[str]:
    """Split at commas that no backslash escapes."""
    return (part for part in re.split(r"(?<!\\),", text) if part)


def _unescaped(value: str) -> str:
    return re.sub(r"\\([\\,=])", r"\1", value)


def _unsupported(field: str, resource: Resource) -> str:
    if resource.custom or resource.selectable_fields:
        return f"field label not supported: {field}"
    known = ", ".join(f'"{name}"' for name in ("metadata.name", "metadata.namespace"))
    return f'"{field}" is not a known field selector: only {known}'


def _text_at(obj: dict[str, Any], path: tuple[str, ...]) -> str:
    """The field as field selectors see it: absent is "", booleans and numbers are their JSON text."""
    value: Any = obj
    if path == ("source",):
        # Of a core event: the component that reported it.
        value = (obj.get("source") or {}).get("component") or obj.get("reportingComponent")
    else:
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
    if value is None:
        return ""
    return value if isinstance(value, str) else errors.quoted(value)
