"""x-kubernetes-validations: the CEL rules of a schema, compiled once, evaluated against objects.

The `cel` library parses and evaluates. Most of an evaluation's time goes into handing it the object, so that only the
fields a rule speaks of are handed over. What this server cannot run is refused when the CRD is created.

Source: Kubernetes, "Validation rules" of CustomResourceDefinitions; the texts are those of apiextensions-apiserver.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cel

from controller.local.core import cel_syntax as syntax
from controller.local.core.cel_functions import CODE_POINT_SIZE, FUNCTIONS, NATIVE
from controller.local.core.errors import Cause, duplicate_value, forbidden_value, invalid_value, required
from controller.local.core.schema_checks import normalized_field_path
from controller.local.core.structural import META_FIELDS, Node

LONGEST_RULE = 10_000
"""Characters of one expression; the real server bounds it by cost."""
MOST_STEPS = 2_000_000
"""About how many loop steps one evaluation may take: elements to the power of the loops' nesting."""
LONGEST_MESSAGE = 5 * 1024

_KEYWORDS = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
    "let", "loop", "package", "namespace", "return", "var", "void", "while",
))  # fmt: skip
_TYPE_NAMES = frozenset((
    "bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint",
))  # fmt: skip
_NAMESPACES = frozenset(("sets",))
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"

Fields = dict[str, Any]
"""Which fields of a value an expression reads: name -> Fields; None as a whole means all of it."""


class Refused(ValueError):
    """An expression that cannot be compiled here; the text is the server's."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression over `self` and `oldSelf`."""

    text: str
    program: cel.Program
    context: cel.Context
    wide: cel.Context
    """The context for text beyond ASCII, where the library's size() is wrong."""
    reads: Fields | None
    reads_old: Fields | None
    uses_old: bool
    loops: int
    """How deep loops nest."""

    def run(self, value: Any, old: Any, view: View) -> Any:
        """Evaluate. Raises whatever the library raises, and OverflowError where it would take too long."""
        bound = view(value, self.reads)
        before = view(old, self.reads_old) if self.uses_old else None
        if self.loops:
            size = _elements(bound) + _elements(before)
            if size**self.loops > MOST_STEPS:
                raise OverflowError(_OUT_OF_BUDGET)
        context = self.wide if self.wide is not self.context and not _ascii((bound, before)) else self.context
        context.add_variable("self", bound)
        if self.uses_old:
            context.add_variable("oldSelf", before)
        return self.program.execute(context)


View = Callable[[Any, "Fields | None"], Any]
"""What CEL sees of a value of one schema node, cut to the fields read."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    expression: Expression
    message: Expression | None
    text: str
    """What an error calls the rule: its message, or else the rule itself."""
    stated: str
    reason: str
    field: str


def compile_expression(text: str, node: Node | None = None, *, root: bool = False) -> Expression:
    """Compile one rule or message expression of schema `node`. Raises Refused."""
    text = text.strip()
    if len(text) > LONGEST_RULE:
        raise Refused(f"expression is longer than {LONGEST_RULE} characters")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise Refused(f"compilation failed: {_reported(str(error))}") from error
    try:
        term = syntax.parse(text)
    except syntax.Unreadable as error:
        raise Refused(f"compilation failed: {located(text, error.at, str(error))}") from error
    _names(term, text, frozenset(("self", "oldSelf")))
    functions = set(program.references()["functions"])
    names = _called(term)
    own = {name: FUNCTIONS[name] for name in names if name in FUNCTIONS}
    narrow = cel.Context(functions=own)
    wide = cel.Context(functions={**own, **CODE_POINT_SIZE}) if "size" in functions else narrow
    uses_old = "oldSelf" in program.references()["variables"]
    return Expression(
        text, program, narrow, wide, _reads(term, "self"), _reads(term, "oldSelf"), uses_old, _depth(term)
    )


def located(text: str, at: int, message: str) -> str:
    """A compile error as the server prints it: with line, column and the place marked."""
    before = text[:at]
    line = before.count("\n") + 1
    column = at - (before.rfind("\n") + 1)
    shown = text.split("\n")[line - 1]
    return f"ERROR: <input>:{line}:{column + 1}: {message}\n | {shown}\n | {'.' * column}^"


def _reported(message: str) -> str:
    """The library's syntax error in the server's layout."""
    start = message.find("ERROR:")
    return re.sub(r"\n\| ", "\n | ", message[start:]) if start >= 0 else message


def _names(term: syntax.Term, text: str, known: frozenset[str]) -> None:
    """Refuse names and functions that are not there."""
    match term:
        case syntax.Name(name=name, at=at):
            if name not in known and name not in _TYPE_NAMES:
                raise Refused("compilation failed: " + located(text, at, _undeclared(name)))
            return
        case syntax.Loop(target=target, variable=variable, steps=steps):
            _names(target, text, known)
            for step in steps:
                _names(step, text, known | {variable})
            return
        case syntax.Call(function=function, target=syntax.Name(name=space), arguments=arguments, at=at) if (
            space in _NAMESPACES and space not in known
        ):
            if f"{space}.{function}" not in FUNCTIONS:
                raise Refused("compilation failed: " + located(text, at, _undeclared(function)))
            for argument in arguments:
                _names(argument, text, known)
            return
        case syntax.Call(function=function, at=at):
            if function.isidentifier() and function not in FUNCTIONS and function not in NATIVE:
                raise Refused("compilation failed: " + located(text, at, _undeclared(function)))
    for part in syntax.children(term):
        _names(part, text, known)


def _undeclared(name: str) -> str:
    return f"undeclared reference to '{name}' (in container '')"


def _called(term: syntax.Term) -> set[str]:
    names: set[str] = set()
    match term:
        case syntax.Call(function=function, target=syntax.Name(name=space)) if space in _NAMESPACES:
            names.add(f"{space}.{function}")
        case syntax.Call(function=function):
            names.add(function)
    return names.union(*(_called(part) for part in syntax.children(term)))


def _depth(term: syntax.Term) -> int:
    deepest = max((_depth(part) for part in syntax.children(term)), default=0)
    return deepest + 1 if isinstance(term, syntax.Loop) else deepest


def _reads(term: syntax.Term, variable: str) -> Fields | None:
    """The fields of `variable` that `term` reads; None: all of it."""
    whole = False
    fields: Fields = {}

    def visit(part: syntax.Term, shadowed: bool) -> None:
        nonlocal whole
        path: list[str] = []
        base = part
        while isinstance(base, syntax.Field):
            path.append(base.name)
            base = base.operand
        if isinstance(base, syntax.Name):
            if base.name == variable and not shadowed:
                if path:
                    _add_path(fields, path[::-1])
                else:
                    whole = True
            return
        if isinstance(base, syntax.Loop):
            visit(base.target, shadowed)
            for step in base.steps:
                visit(step, shadowed or base.variable == variable)
            return
        for child in syntax.children(base):
            visit(child, shadowed)

    visit(term, False)
    return None if whole else fields


def _add_path(fields: Fields, path: list[str]) -> None:
    at = fields
    for index, name in enumerate(path):
        if name in at and at[name] is None:
            return
        if index == len(path) - 1:
            at[name] = None
        else:
            at = at.setdefault(name, {})


def _elements(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_elements(each) for each in value.values() if isinstance(each, (dict, list)))
    if isinstance(value, list):
        return len(value) + sum(_elements(each) for each in value if isinstance(each, (dict, list)))
    return 0


def _ascii(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, dict):
        return all(_ascii(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return all(_ascii(each) for each in value)
    return True


def escape(name: str) -> str | None:
    """A field's name as CEL spells it (`a-b` is a__dash__b); None where CEL cannot name it."""
    if not re.fullmatch(r"[A-Za-z_.\-/][A-Za-z0-9_.\-/]*", name):
        return None
    if name in _KEYWORDS:
        return f"__{name}__"
    for char, word in (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        name = name.replace(char, word)
    return name


def compile_view(node: Node, *, root: bool = False) -> View:
    """How CEL sees values of `node`: fields by their escaped names, dates and durations as such, numbers as doubles.

    At the root of an object, only apiVersion, kind, metadata.name and metadata.generateName stand beside the schema's
    own fields.
    """
    convert = _conversion(node)
    renamed = {escaped: name for name in node.properties if (escaped := escape(name)) not in (None, name)}
    fields = {name: compile_view(child, root=child.embedded) for name, child in node.properties.items()}

    def view(value: Any, reads: Fields | None) -> Any:
        if isinstance(value, dict) and (reads is not None or root):
            wanted = reads if reads is not None else dict.fromkeys([*fields, "apiVersion", "kind", "metadata"])
            result = {}
            for name, below in wanted.items():
                actual = renamed.get(name, name)
                if actual not in value:
                    continue
                each = value[actual]
                if root and actual == "metadata" and isinstance(each, dict):
                    each = {key: each[key] for key in ("name", "generateName") if key in each}
                child = fields.get(actual)
                if child is not None and not (root and actual in META_FIELDS):
                    result[name] = child(each, below)
                elif below is not None and isinstance(each, dict):
                    result[name] = _cut(each, below)
                elif node.additional_node is not None and (inner := _conversion(node.additional_node)):
                    result[name] = inner(each)
                else:
                    result[name] = each
            return result
        return value if convert is None else convert(value)

    return view


def _cut(value: dict[str, Any], reads: Fields) -> dict[str, Any]:
    return {
        name: _cut(value[name], below) if below is not None and isinstance(value[name], dict) else value[name]
        for name, below in reads.items() if name in value
    }  # fmt: skip


def _conversion(node: Node) -> Callable[[Any], Any] | None:
    """The change that values of `node` need before CEL sees them; None where they need none."""
    form = node.raw.get("format", "")
    if node.type == "number":
        return lambda value: float(value) if type(value) is int else value
    if node.type == "string" and form in _PARSED:
        parse = _PARSED[form]
        return lambda value: parse(value) if isinstance(value, str) else value
    if node.items is not None:
        item = _conversion(node.items)
        if item is not None:
            return lambda value: [item(each) for each in value] if isinstance(value, list) else value
        return None
    rest = _conversion(node.additional) if isinstance(node.additional, Node) else None
    fields = {
        name: (spelled if spelled is not None else name, found)
        for name, child in node.properties.items()
        for spelled, found in [(escape(name), _conversion(child))]
        if found is not None or spelled != name
    }  # fmt: skip
    if not fields and rest is None:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = {}
        for name, each in value.items():
            spelled, found = fields.get(name, (name, None if name in node.properties else rest))
            result[spelled] = each if found is None else found(each)
        return result

    return convert


def _timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _duration(text: str) -> timedelta:
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


_PARSED: Mapping[str, Callable[[str], Any]] = {
    "date-time": _timestamp, "datetime": _timestamp, "date": _timestamp, "duration": _duration,
    "byte": base64.b64decode,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules of a schema node and of all below it."""

    node: Node
    own: tuple[Rule, ...]
    view: View
    fields: Mapping[str, Rules]
    rest: Rules | None
    items: Rules | None

    def check(self, value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        """Append what `value` breaks. Stops, with a cause, where the evaluation would take too long."""
        try:
            self._check(value, old, path, causes)
        except OverflowError as error:
            if str(error) != _OUT_OF_BUDGET:
                raise

    def _check(self, value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        if value is None:
            return
        for rule in self.own:
            if not (rule.expression.uses_old and old is None):
                self._evaluate(rule, value, old, path, causes)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) and self.node.map_type != "atomic" else {}
            for name, rules in self.fields.items():
                if name in value:
                    rules._check(value[name], before.get(name), f"{path}.{name}" if path else name, causes)
            if self.rest is not None:
                for name, each in value.items():
                    if name not in self.node.properties:
                        self.rest._check(each, before.get(name), f"{path}[{name}]", causes)
        elif isinstance(value, list) and self.items is not None:
            for index, (each, previous) in enumerate(self._correlated(value, old)):
                self.items._check(each, previous, f"{path}[{index}]", causes)

    def _correlated(self, value: list[Any], old: Any) -> Iterator[tuple[Any, Any]]:
        """Items with what they were before: by key in a list of type map, unknown in others."""
        keys = self.node.list_keys
        if self.node.list_type != "map" or not isinstance(old, list):
            yield from ((each, None) for each in value)
            return
        before = {tuple(str(item.get(key)) for key in keys): item for item in old if isinstance(item, dict)}
        for each in value:
            identity = tuple(str(each.get(key)) for key in keys) if isinstance(each, dict) else ()
            yield each, before.get(identity)

    def _evaluate(self, rule: Rule, value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        kind = self.node.type
        where = path or "<nil>"
        try:
            if rule.expression.run(value, old, self.view) is True:
                return
        except OverflowError as error:
            if str(error) == _OUT_OF_BUDGET:
                causes.append(invalid_value(where, kind, _OUT_OF_BUDGET))
                raise
            causes.append(invalid_value(where, kind, f"integer overflow evaluating rule: {rule.text}"))
            return
        except Exception as error:  # the library raises several types, all meaning that evaluation failed
            causes.append(invalid_value(where, kind, _failure(error, rule.text)))
            return
        field = f"{path}.{rule.field}" if path and rule.field else rule.field or where
        detail = self._message(rule, value, old)
        causes.append(self._cause(rule.reason, field, value, detail))

    def _message(self, rule: Rule, value: Any, old: Any) -> str:
        if rule.message is None:
            return rule.stated
        try:
            text = rule.message.run(value, old, self.view)
        except Exception:  # as in the server: a message that cannot be made falls back to the stated one
            return rule.stated
        text = text.strip() if isinstance(text, str) else ""
        usable = text and "\n" not in text and len(text.encode()) <= LONGEST_MESSAGE
        return text if usable else rule.stated

    def _cause(self, reason: str, field: str, value: Any, detail: str) -> Cause:
        whole = self.node.type in ("object", "array")
        match reason:
            case "FieldValueForbidden":
                return forbidden_value(field, detail)
            case "FieldValueRequired":
                return required(field, detail)
            case "FieldValueDuplicate":
                return Cause("FieldValueDuplicate", field, "Duplicate value") if whole else duplicate_value(field, value)
            case _ if whole:
                return Cause("FieldValueInvalid", field, f"Invalid value: {detail}")
            case _:
                return invalid_value(field, value, detail)


def _failure(error: Exception, rule: str) -> str:
    """The server's words for an evaluation that failed."""
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]} evaluating rule: {rule}"
    if isinstance(error, TypeError):
        signature = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'no such overload': {signature}: {rule}"
    if isinstance(error, ZeroDivisionError):
        kind = "modulus" if "modulo" in str(error) else "division"
        return f"{kind} by zero evaluating rule: {rule}"
    text = re.sub(r"^Function '\w+' error: (?:Python function call failed: \w+: )?", "", str(error))
    return f"{text.removesuffix('. Check function arguments and their types.')} evaluating rule: {rule}"


def compile_rules(node: Node, path: str, causes: list[Cause], *, root: bool = False) -> Rules | None:
    """The rules of `node` and below; None where there are none. What cannot be compiled goes to `causes`."""
    own = []
    for index, raw in enumerate(node.rules):
        rule = _rule(node, raw, f"{path}.x-kubernetes-validations[{index}]", causes, root=root)
        if rule is not None:
            own.append(rule)
    fields = {
        name: found
        for name, child in node.properties.items()
        if (found := compile_rules(child, f"{path}.properties[{name}]", causes, root=child.embedded))
    }
    rest = items = None
    if isinstance(node.additional, Node):
        rest = compile_rules(node.additional, f"{path}.additionalProperties", causes, root=node.additional.embedded)
    if node.items is not None:
        items = compile_rules(node.items, f"{path}.items", causes, root=node.items.embedded)
    if not (own or fields or rest or items):
        return None
    return Rules(node, tuple(own), compile_view(node, root=root), fields, rest, items)


def _rule(node: Node, raw: Mapping[str, Any], path: str, causes: list[Cause], *, root: bool) -> Rule | None:
    shown = {
        "Rule": raw.get("rule", ""), "Message": raw.get("message", ""),
        "MessageExpression": raw.get("messageExpression", ""), "Reason": raw.get("reason"),
        "FieldPath": raw.get("fieldPath", ""), "OptionalOldSelf": raw.get("optionalOldSelf"),
    }  # fmt: skip
    if raw.get("optionalOldSelf"):
        text = "this server does not run rules with optionalOldSelf; leave it out"
        causes.append(invalid_value(f"{path}.optionalOldSelf", True, text))
        return None
    try:
        expression = compile_expression(raw.get("rule", ""), node, root=root)
    except Refused as error:
        causes.append(invalid_value(f"{path}.rule", shown, str(error)))
        return None
    message = None
    if raw.get("messageExpression"):
        try:
            message = compile_expression(raw["messageExpression"], node, root=root)
        except Refused as error:
            causes.append(invalid_value(f"{path}.messageExpression", shown, f"messageExpression {error}"))
    stated = raw.get("message", "").strip()
    text = stated or expression.text
    field = normalized_field_path(node, raw["fieldPath"]) if raw.get("fieldPath") else ""
    return Rule(expression, message, text, stated or f"failed rule: {text}", raw.get("reason") or "", field or "")
