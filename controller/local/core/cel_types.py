"""Types of CEL expressions over a schema: what a rule may say before any object is there.

The `cel` library finds out at run time; Kubernetes refuses a rule with an unknown field or a comparison of a text with
a number when the CRD is created, and so does this. Texts are those of cel-go's checker.

Source: CEL specification, "Gradual type checking"; Kubernetes, "Type checking" of validation rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from controller.local.core import cel_syntax as syntax
from controller.local.core.cel_signatures import NAMESPACES, SIGNATURES, TYPE_NAMES
from controller.local.core.patterns import compile_pattern
from controller.local.core.structural import META_FIELDS, Node


@dataclass(frozen=True, slots=True)
class Type:
    """`name`, with parameters where it is list or map; `node` where it is an object with declared fields."""

    name: str
    parameters: tuple[Type, ...] = ()
    node: Node | None = None
    root: bool = False

    def __str__(self) -> str:
        if self.parameters:
            return f"{self.name}({', '.join(map(str, self.parameters))})"
        return _SPOKEN.get(self.name, self.name)


_SPOKEN = {"null_type": "null", "quantity": "kubernetes.Quantity", "url": "kubernetes.URL"}
DYN, BOOL, STRING, INT = Type("dyn"), Type("bool"), Type("string"), Type("int")
_SCALARS = {"boolean": "bool", "number": "double", "integer": "int"}
_FORMATS = {
    "byte": "bytes", "duration": "duration", "date": "timestamp", "date-time": "timestamp", "datetime": "timestamp",
}  # fmt: skip
_PARAMETERS = frozenset("AB")
_NULLABLE = frozenset(("object", "timestamp", "duration", "null_type"))
_KEYWORDS = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
    "let", "loop", "package", "namespace", "return", "var", "void", "while",
))  # fmt: skip


def escape(name: str) -> str | None:
    """A field's name as CEL spells it (`a-b` is a__dash__b); None where CEL cannot name it."""
    if not re.fullmatch(r"[A-Za-z_.\-/][A-Za-z0-9_.\-/]*", name):
        return None
    if name in _KEYWORDS:
        return f"__{name}__"
    for char, word in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(char, word)
    return name


def of_schema(node: Node, *, root: bool = False) -> Type | None:
    """The type of values of `node`; None where a rule cannot speak of them, for want of a declared type."""
    if node.int_or_string:
        return DYN
    match node.type:
        case "array":
            item = of_schema(node.items, root=node.items.embedded) if node.items is not None else None
            return Type("list", (item,)) if item is not None else None
        case "object":
            if isinstance(node.additional, Node) and not node.properties:
                value = of_schema(node.additional, root=node.additional.embedded)
                return Type("map", (STRING, value)) if value is not None else None
            return Type("object", node=node, root=root or node.embedded)
        case "string":
            return Type(_FORMATS.get(node.raw.get("format", ""), "string"))
        case kind:
            return Type(_SCALARS[kind]) if kind in _SCALARS else None


_META = Type("object", node=Node(raw={}, type="object", properties={
    name: Node(raw={}, type="string") for name in ("name", "generateName")
}))  # fmt: skip


def _field(owner: Type, name: str) -> Type | None:
    """The type of a field by its escaped name; None where `owner` has none."""
    if owner.root and name in META_FIELDS:
        return _META if name == "metadata" else STRING
    if owner.node is None:
        return None
    child = owner.node.properties.get(name)
    if child is None or escape(name) not in (name, f"__{name}__"):  # a keyword may go unescaped after a dot
        child = next((each for field, each in owner.node.properties.items() if escape(field) == name), None)
    return of_schema(child, root=child.embedded) if child is not None else None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where in the text (a 0-based offset)."""

    message: str
    at: int


def check(term: syntax.Term, variables: Mapping[str, Type]) -> tuple[Type, list[Problem]]:
    """The type of `term`, and everything that is wrong in it."""
    checker = _Checker()
    found = checker.infer(term, variables)
    return found, sorted(checker.problems, key=lambda problem: problem.at)


class _Checker:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def fail(self, message: str, at: int) -> Type:
        self.problems.append(Problem(message, at))
        return DYN

    def no_overload(self, name: str, shown: str, at: int) -> Type:
        return self.fail(f"found no matching overload for '{name}' applied to '{shown}'", at)

    def expression(self, term: syntax.Term) -> None:
        """A regular expression that is written out must be one."""
        if isinstance(term, syntax.Literal) and isinstance(term.value, str):
            try:
                compile_pattern(term.value)
            except ValueError:
                self.fail("invalid matches argument", term.at)

    def undeclared(self, name: str, at: int) -> Type:
        return self.fail(f"undeclared reference to '{name}' (in container '')", at)

    def infer(self, term: syntax.Term, scope: Mapping[str, Type]) -> Type:
        match term:
            case syntax.Literal(kind=kind):
                return Type(kind)
            case syntax.Name(name=name, at=at):
                found = scope.get(name)
                if found is None:
                    return Type("type") if name in TYPE_NAMES else self.undeclared(name, at)
                return found
            case syntax.Field():
                return self.select(term, scope)
            case syntax.Call():
                return self.call(term, scope)
            case syntax.Loop():
                return self.loop(term, scope)
            case syntax.Sequence(items=items):
                return Type("list", (self.uniform(items, scope),))
            case syntax.Mapping(entries=entries):
                keys = self.uniform([key for key, _ in entries], scope)
                return Type("map", (keys, self.uniform([value for _, value in entries], scope)))

    def uniform(self, items: Sequence[syntax.Term], scope: Mapping[str, Type]) -> Type:
        """The one type of the items of a literal."""
        found = DYN
        for item in items:
            kind = self.infer(item, scope)
            if not _same(found, kind):
                self.fail(f"expected type '{found}' but found '{kind}'", item.at)
            found = kind if found.name == "dyn" else found
        return found

    def select(self, term: syntax.Field, scope: Mapping[str, Type]) -> Type:
        owner = self.infer(term.operand, scope)
        if owner.name == "object":
            found = _field(owner, term.name)
            if found is None:
                return self.fail(f"undefined field '{term.name}'", term.at)
        elif owner.name == "map":
            found = owner.parameters[1]
        elif owner.name == "dyn":
            found = DYN
        else:
            return self.fail(f"type '{owner}' does not support field selection", term.at)
        return BOOL if term.test else found

    def loop(self, term: syntax.Loop, scope: Mapping[str, Type]) -> Type:
        over = self.infer(term.target, scope)
        if over.name in ("list", "map"):
            variable = over.parameters[0]
        else:
            variable = DYN
            if over.name != "dyn":
                text = f"expression of type '{over}' cannot be range of a comprehension (must be list, map, or dynamic)"
                self.fail(text, term.target.at)
        inner = {**scope, term.variable: variable}
        steps = [self.infer(step, inner) for step in term.steps]
        tests = steps if term.macro != "map" else steps[:-1]
        for test, step in zip(tests, term.steps, strict=False):
            if test.name in ("bool", "dyn"):
                continue
            if term.macro in ("all", "exists"):
                self.fail(f"expected type 'bool' but found '{test}'", step.at)
            else:
                items = Type("list", (steps[-1] if term.macro == "map" else variable,))
                result = INT if term.macro == "exists_one" else items
                self.no_overload("_?_:_", f"({test}, {result}, {result})", term.at)
        if term.macro == "map":
            return Type("list", (steps[-1],))
        return Type("list", (variable,)) if term.macro == "filter" else BOOL

    def call(self, term: syntax.Call, scope: Mapping[str, Type]) -> Type:
        name, target = term.function, term.target
        if isinstance(target, syntax.Name) and target.name in NAMESPACES and target.name not in scope:
            name, target = f"{target.name}.{name}", None
        receiver = self.infer(target, scope) if target is not None else None
        arguments = tuple(self.infer(argument, scope) for argument in term.arguments)
        signatures = SIGNATURES.get(name)
        if signatures is None:
            return self.undeclared(term.function, term.at)
        results = []
        for text in signatures:
            signature = _signature(text)
            bound: dict[str, Type] = {}
            if (signature.receiver is None) != (receiver is None) or len(signature.arguments) != len(
                arguments
            ):
                continue
            wanted = (*signature.arguments, *((signature.receiver,) if signature.receiver else ()))
            given = (*arguments, *((receiver,) if receiver else ()))
            if all(_fits(want, have, bound) for want, have in zip(wanted, given, strict=True)):
                results.append(_bound(signature.result, bound))
        if not results:
            shown = f"({', '.join(map(str, arguments))})"
            shown = f"{receiver}.{shown}" if receiver is not None else shown
            return self.no_overload(name, shown, term.at)
        if name == "matches":
            self.expression(term.arguments[-1])
        return results[0] if all(result == results[0] for result in results) else DYN


@dataclass(frozen=True, slots=True)
class _Signature:
    receiver: Type | None
    arguments: tuple[Type, ...]
    result: Type


@cache
def _signature(text: str) -> _Signature:
    """Read `string.(string, int): bool`."""
    head, _, result = text.rpartition(":")
    receiver, opening, arguments = head.strip().partition(".(")
    if not opening:
        receiver, arguments = "", head.strip()[1:]
    return _Signature(_type(receiver) if receiver else None, _types(arguments.rstrip()[:-1]), _type(result))


def _types(text: str) -> tuple[Type, ...]:
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text + ","):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    return tuple(_type(part) for part in parts if part)


def _type(text: str) -> Type:
    name, _, parameters = text.strip().partition("(")
    return Type(name, _types(parameters[:-1])) if parameters else Type(name)


def _fits(wanted: Type, given: Type, bound: dict[str, Type]) -> bool:
    if wanted.name in _PARAMETERS:
        known = bound.get(wanted.name)
        if known is None or known.name == "dyn":
            bound[wanted.name] = given
            return True
        return _same(known, given)
    if wanted.name == "dyn" or given.name == "dyn":
        return True
    if wanted.name != given.name:
        return given.name == "null_type" and wanted.name in _NULLABLE
    return all(
        _fits(want, have, bound) for want, have in zip(wanted.parameters, given.parameters, strict=True)
    )


def _same(left: Type, right: Type) -> bool:
    if "dyn" in (left.name, right.name):
        return True
    if left.name != right.name:
        return "null_type" in (left.name, right.name) and {left.name, right.name} <= _NULLABLE
    if left.node is not right.node:
        return False
    return all(map(_same, left.parameters, right.parameters))


def _bound(wanted: Type, bound: Mapping[str, Type]) -> Type:
    if wanted.name in _PARAMETERS:
        return bound.get(wanted.name, DYN)
    if wanted.parameters:
        return Type(wanted.name, tuple(_bound(each, bound) for each in wanted.parameters))
    return wanted
