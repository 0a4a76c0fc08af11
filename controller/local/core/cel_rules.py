"""x-kubernetes-validations: the CEL rules of a schema, compiled once, evaluated against objects.

What this server cannot run is refused when the CRD is created.
Source: Kubernetes, "Validation rules" of CustomResourceDefinitions; the texts are those of apiextensions-apiserver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.local.core.cel_expression import OUT_OF_BUDGET, Expression, Refused, compile_expression
from controller.local.core.cel_types import of_schema
from controller.local.core.cel_view import View, compile_view
from controller.local.core.equality import same
from controller.local.core.errors import Cause, duplicate_value, forbidden_value, invalid_value, required
from controller.local.core.schema_checks import normalized_field_path
from controller.local.core.structural import Node

LONGEST_MESSAGE = 5 * 1024
"""Bytes of what a messageExpression may make."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    expression: Expression
    message: Expression | None
    text: str
    """What an error calls the rule: its message, or else the rule itself."""
    stated: str
    reason: str
    field: str


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules of a schema node and of all below it."""

    node: Node
    own: tuple[Rule, ...]
    view: View
    fields: Mapping[str, Rules]
    rest: Rules | None
    items: Rules | None
    transitions: bool
    """Whether a rule here or below compares with oldSelf."""

    def check(self, value: Any, old: Any, path: str, causes: list[Cause]) -> None:
        """Append what `value` breaks. Stops, with a cause, where the evaluation would take too long."""
        try:
            self._check(value, old, path, causes, (value, old))
        except OverflowError as error:
            if str(error) != OUT_OF_BUDGET:
                raise

    def _check(self, value: Any, old: Any, path: str, causes: list[Cause], known: tuple[Any, Any]) -> None:
        """`known`: the nearest value above, or this one, whose old value is known, with that."""
        if value is None or (value is old and not self.transitions):
            return  # nothing there, or shared with the object before: what did not change may stay as it was
        if old is not None:
            known = value, old
        for rule in self.own:
            if rule.expression.uses_old and old is None:
                continue
            before = len(causes)
            self._evaluate(rule, value, old, path, causes)
            # What did not change may stay as it was, so that rules can become stricter under living objects.
            if (
                len(causes) > before
                and not rule.expression.uses_old
                and known[1] is not None
                and same(*known)
            ):
                del causes[before:]
        if isinstance(value, dict):
            former = old if isinstance(old, dict) and self.node.map_type != "atomic" else {}
            for name, rules in self.fields.items():
                if name in value:
                    below = f"{path}.{name}" if path else name
                    rules._check(value[name], former.get(name), below, causes, known)
            if self.rest is not None:
                for name, each in value.items():
                    if name not in self.node.properties:
                        self.rest._check(each, former.get(name), f"{path}[{name}]", causes, known)
        elif isinstance(value, list) and self.items is not None:
            for index, (each, previous) in enumerate(self._correlated(value, old)):
                self.items._check(each, previous, f"{path}[{index}]", causes, known)

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
            if str(error) == OUT_OF_BUDGET:
                causes.append(invalid_value(where, kind, OUT_OF_BUDGET))
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
                return (
                    Cause("FieldValueDuplicate", field, "Duplicate value")
                    if whole
                    else duplicate_value(field, value)
                )
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
    number = re.match(r"Function '(int|uint|double)' error: string parse error", str(error))
    if number:
        return f"type conversion error from 'string' to '{number[1]}' evaluating rule: {rule}"
    text = re.sub(r"^Function '\w+' error: (?:Python function call failed: \w+: )?", "", str(error))
    return f"{text.removesuffix('. Check function arguments and their types.')} evaluating rule: {rule}"


def compile_rules(
    node: Node, path: str, causes: list[Cause], *, root: bool = False, uncorrelated: str = ""
) -> Rules | None:
    """The rules of `node` and below; None where there are none. What cannot be compiled goes to `causes`.

    `root`: a whole object stands here. `uncorrelated`: the path of the list or map above whose items have no known
    former value, so that their rules may not use oldSelf; "" where there is none.
    """
    own = []
    for index, raw in enumerate(node.rules):
        where = f"{path}.x-kubernetes-validations[{index}]"
        rule = _rule(node, raw, where, causes, root=root, uncorrelated=uncorrelated)
        if rule is not None:
            own.append(rule)

    def below(child: Node, suffix: str, correlated: bool) -> Rules | None:
        within = uncorrelated or ("" if correlated else path)
        return compile_rules(child, f"{path}.{suffix}", causes, root=child.embedded, uncorrelated=within)

    fields = {
        name: found
        for name, child in node.properties.items()
        if (found := below(child, f"properties[{name}]", node.map_type != "atomic"))
    }
    rest = items = None
    if isinstance(node.additional, Node):
        rest = below(node.additional, "additionalProperties", True)
    if node.items is not None:
        items = below(node.items, "items", node.list_type == "map")
    if not (own or fields or rest or items):
        return None
    transitions = any(rule.expression.uses_old for rule in own) or any(
        below.transitions for below in (*fields.values(), rest, items) if below is not None
    )
    return Rules(node, tuple(own), compile_view(node, root=root), fields, rest, items, transitions)


def check_defaults(rules: Rules, path: str, causes: list[Cause]) -> None:
    """Append what the defaults of a schema at `path` break of its own rules."""
    if rules.node.has_default and rules.node.default is not None:
        rules.check(rules.node.default, None, f"{path}.default", causes)
    for name, below in rules.fields.items():
        check_defaults(below, f"{path}.properties[{name}]", causes)
    if rules.items is not None:
        check_defaults(rules.items, f"{path}.items", causes)


def _rule(
    node: Node, raw: Mapping[str, Any], path: str, causes: list[Cause], *, root: bool, uncorrelated: str
) -> Rule | None:
    shown = {
        "Rule": raw.get("rule", ""), "Message": raw.get("message", ""),
        "MessageExpression": raw.get("messageExpression", ""), "Reason": raw.get("reason"),
        "FieldPath": raw.get("fieldPath", ""), "OptionalOldSelf": raw.get("optionalOldSelf"),
    }  # fmt: skip
    subject = of_schema(node, root=root)
    if subject is None:
        text = "this server runs no rules on fields of no declared type; declare a type or move the rule up"
        causes.append(invalid_value(f"{path}.rule", shown, text))
        return None
    expression = message = None
    try:
        expression = compile_expression(raw.get("rule", ""), subject, "bool")
    except Refused as error:
        causes.append(invalid_value(f"{path}.rule", shown, str(error)))
    if raw.get("messageExpression"):
        try:
            message = compile_expression(raw["messageExpression"], subject, "string")
        except Refused as error:
            causes.append(invalid_value(f"{path}.messageExpression", shown, f"messageExpression {error}"))
    if expression is None:
        return None
    optional = raw.get("optionalOldSelf")
    if optional is not None and not expression.uses_old:
        text = "may not be set if oldSelf is not used in rule"
        causes.append(invalid_value(f"{path}.optionalOldSelf", optional, text))
    elif optional:
        text = "this server does not run rules with optionalOldSelf; leave it out"
        causes.append(invalid_value(f"{path}.optionalOldSelf", optional, text))
    if expression.uses_old and uncorrelated:
        text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
        causes.append(invalid_value(f"{path}.rule", raw["rule"], text))
    stated = raw.get("message", "").strip()
    text = stated or expression.text
    field = normalized_field_path(node, raw["fieldPath"]) if raw.get("fieldPath") else ""
    return Rule(
        expression, message, text, stated or f"failed rule: {text}", raw.get("reason") or "", field or ""
    )
