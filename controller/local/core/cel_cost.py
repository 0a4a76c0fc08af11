"""How many steps the loops of a CEL expression may take on given values: a bound, known before it runs.

The real server prices every operation (k8s.io/apiserver, CEL cost limits); here only loops within loops can hurt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from controller.local.core import cel_syntax as syntax

Path = tuple[str, ...]
Nest = tuple["Path | None", ...]
"""Loops within each other, outermost first: the variable and fields that each runs over, None where that is
known only while it runs."""


def nests(term: syntax.Term, bound: frozenset[str] = frozenset()) -> frozenset[Nest]:
    """The nests of loops in `term`. `bound`: names that are loop variables here, and not what they mean outside."""
    match term:
        case syntax.Loop(target=target, variable=variable, steps=inner):
            here = _path(target, bound)
            below = _all(inner, bound | {variable}) or {()}
            return frozenset((here, *nest) for nest in below) | nests(target, bound)
        case _:
            return _all(syntax.children(term), bound)


def most_steps(found: frozenset[Nest], variables: Mapping[str, Any]) -> int:
    """The most steps that one of the nests takes on these values."""
    elements = sum(_elements(value) for value in variables.values())
    return max((prod(_length(path, variables, elements) for path in nest) for nest in found), default=0)


def _all(terms: Iterator[syntax.Term] | tuple[syntax.Term, ...], bound: frozenset[str]) -> frozenset[Nest]:
    return frozenset[Nest]().union(*(nests(term, bound) for term in terms))


def _path(term: syntax.Term, bound: frozenset[str]) -> Path | None:
    match term:
        case syntax.Name(name=name):
            return None if name in bound else (name,)
        case syntax.Field(operand=operand, name=name, test=False):
            before = _path(operand, bound)
            return None if before is None else (*before, name)
        case _:
            return None


def _length(path: Path | None, variables: Mapping[str, Any], unknown: int) -> int:
    value: Any = variables
    for name in path or ("",):
        if not isinstance(value, Mapping) or name not in value:
            return unknown
        value = value[name]
    return len(value) if isinstance(value, (list, dict)) else unknown


def _elements(value: Any) -> int:
    """Everything in a value that any loop could run over."""
    if isinstance(value, dict):
        return len(value) + sum(_elements(each) for each in value.values() if isinstance(each, (dict, list)))
    if isinstance(value, list):
        return len(value) + sum(_elements(each) for each in value if isinstance(each, (dict, list)))
    return 0
