"""One CEL expression of a rule: checked against the schema, compiled, and run within bounds.

The `cel` library parses and evaluates; what it cannot run is refused before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller.local.core import cel_engine, cel_types
from controller.local.core import cel_syntax as syntax
from controller.local.core.cel_cost import Nest, most_steps, nests
from controller.local.core.cel_functions import FUNCTIONS, SHADOWED, SIZED
from controller.local.core.cel_signatures import NAMESPACES
from controller.local.core.cel_types import Type
from controller.local.core.cel_view import Fields, View

LONGEST = 10_000
"""Characters of one expression; the real server bounds it by cost."""
MOST_STEPS = 2_000_000
"""How many loop steps one evaluation may take."""

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


class Refused(ValueError):
    """An expression that cannot be compiled here; the text is the server's."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A compiled expression over `self` and `oldSelf`."""

    text: str
    program: Any
    wide: Any
    """The program for text beyond ASCII, where the library's size() is wrong."""
    context: Any
    said: list[str]
    """What a function of `context` had to say against its arguments."""
    reads: Fields | None
    reads_old: Fields | None
    uses_old: bool
    loops: frozenset[Nest]

    def run(self, value: Any, old: Any, view: View) -> Any:
        """Evaluate. Raises whatever the library raises, ValueError where a function refuses its arguments, and
        OverflowError where it would take too long."""
        bound = view(value, self.reads)
        before = view(old, self.reads_old) if self.uses_old else None
        if self.loops and most_steps(self.loops, {"self": bound, "oldSelf": before}) > MOST_STEPS:
            raise OverflowError(OUT_OF_BUDGET)
        self.context.add_variable("self", bound)
        if self.uses_old:
            self.context.add_variable("oldSelf", before)
        program = self.wide if self.wide is not self.program and not _ascii((bound, before)) else self.program
        self.said.clear()
        try:
            return program.execute(self.context)
        except RuntimeError as error:
            if self.said:
                raise ValueError(self.said[0]) from error
            raise


def compile_expression(text: str, subject: Type, result: str) -> Expression:
    """Compile `text`, in which self and oldSelf are of type `subject`, and which must give `result` (bool or string).

    Raises Refused, with the server's words, for what is wrong and for what this server cannot run.
    """
    if len(text) > LONGEST:
        raise Refused(f"compilation failed: the expression is longer than {LONGEST} characters")
    try:
        program = cel_engine.compile_program(text)
    except ValueError as error:
        raise Refused(f"compilation failed: {_reported(str(error))}") from error
    try:
        term = syntax.parse(text)
    except syntax.Unreadable as error:
        raise Refused(f"compilation failed: {located(text, error.at, str(error))}") from error
    found, problems = cel_types.check(term, {"self": subject, "oldSelf": subject})
    if problems:
        shown = "\n".join(located(text, problem.at, problem.message) for problem in problems)
        raise Refused(f"compilation failed: {shown}")
    if found.name not in (result, "dyn"):
        raise Refused(
            "cel expression must evaluate to a bool" if result == "bool" else "must evaluate to a string"
        )
    said: list[str] = []
    called = _called(term)
    own = {SIZED.get(name, name) for name in called} & FUNCTIONS.keys()
    if called & SHADOWED.keys():
        program = cel_engine.compile_program(syntax.renamed(text, SHADOWED))
    return Expression(
        text=text.strip(),
        program=program,
        wide=cel_engine.compile_program(syntax.renamed(text, SIZED)) if "size" in called else program,
        context=cel_engine.Context(functions={name: _guarded(FUNCTIONS[name], said) for name in own}),
        said=said,
        reads=_reads(term, "self"),
        reads_old=_reads(term, "oldSelf"),
        uses_old="oldSelf" in program.variables(),
        loops=nests(term),
    )


class _Failed:
    """Stands for no value. The library logs every exception of a function, but a wrong object is no news."""


def _guarded(function: Callable[..., Any], said: list[str]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (ValueError, TypeError, LookupError) as error:
            said.append(str(error))
            return _Failed()

    return call


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


def _called(term: syntax.Term) -> set[str]:
    names: set[str] = set()
    match term:
        case syntax.Call(function=function, target=syntax.Name(name=space)) if space in NAMESPACES:
            names.add(f"{space}.{function}")
        case syntax.Call(function=function):
            names.add(function)
    return names.union(*(_called(part) for part in syntax.children(term)))


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


def _ascii(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, dict):
        return all(_ascii(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return all(_ascii(each) for each in value)
    return True
