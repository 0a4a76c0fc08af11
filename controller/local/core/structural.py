"""An OpenAPI v3 schema of a custom resource as a tree of nodes.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", specifying a structural schema;
apiextensions.k8s.io/v1 JSONSchemaProps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.local.core.errors import Cause

ABSENT: Any = object()
"""Stands for a default that is not there; null is a default of its own kind (none, to Kubernetes)."""

META_FIELDS = frozenset(("apiVersion", "kind", "metadata"))

_OBJECT, _LIST, _TEXT, _FLAG, _NUMBER = dict, list, str, bool, (int, float)
_TYPES: dict[str, Any] = {
    "type": _TEXT, "format": _TEXT, "title": _TEXT, "description": _TEXT, "pattern": _TEXT,
    "nullable": _FLAG, "exclusiveMaximum": _FLAG, "exclusiveMinimum": _FLAG, "uniqueItems": _FLAG,
    "maximum": _NUMBER, "minimum": _NUMBER, "multipleOf": _NUMBER,
    "maxLength": int, "minLength": int, "maxItems": int, "minItems": int, "maxProperties": int, "minProperties": int,
    "enum": _LIST, "required": _LIST, "allOf": _LIST, "anyOf": _LIST, "oneOf": _LIST, "not": _OBJECT,
    "properties": _OBJECT, "items": (dict, list), "additionalProperties": (dict, bool),
    "x-kubernetes-preserve-unknown-fields": _FLAG, "x-kubernetes-embedded-resource": _FLAG,
    "x-kubernetes-int-or-string": _FLAG, "x-kubernetes-list-type": _TEXT, "x-kubernetes-list-map-keys": _LIST,
    "x-kubernetes-map-type": _TEXT, "x-kubernetes-validations": _LIST,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One schema node, structural or nested under allOf, anyOf, oneOf and not.

    `raw` is the JSON it was read from; the limits (maxLength, enum, ...) are taken from there.
    """

    raw: Mapping[str, Any]
    type: str = ""
    nullable: bool = False
    properties: Mapping[str, Node] = field(default_factory=dict)
    additional: Node | bool | None = None
    items: Node | None = None
    default: Any = ABSENT
    preserve: bool = False
    embedded: bool = False
    int_or_string: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    all_of: tuple[Node, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    negated: Node | None = None
    rules: tuple[Mapping[str, Any], ...] = ()

    @property
    def has_default(self) -> bool:
        return self.default is not ABSENT

    @property
    def additional_node(self) -> Node | None:
        return self.additional if isinstance(self.additional, Node) else None

    def of_field(self, name: str) -> Node | None:
        """The node of the field or map entry `name`."""
        return self.properties.get(name) or self.additional_node

    def branches(self) -> Iterator[tuple[str, Node]]:
        """The value validations nested in this node, each with its path below it (`allOf[0]`)."""
        for keyword, nodes in (("allOf", self.all_of), ("anyOf", self.any_of), ("oneOf", self.one_of)):
            for index, node in enumerate(nodes):
                yield f"{keyword}[{index}]", node
        if self.negated is not None:
            yield "not", self.negated


def parse(raw: Any, path: str, causes: list[Cause]) -> Node:
    """Read a schema. What has the wrong JSON type is added to `causes` and then left out."""
    if not isinstance(raw, dict):
        causes.append(_mistyped(path, raw, "must be an object"))
        return Node(raw={})
    raw = dict(raw)
    for key in list(raw):
        expected = _TYPES.get(key)
        if raw[key] is None:
            del raw[key]  # JSONSchemaProps does not tell null from absent
        elif expected is not None and not _is(raw[key], expected):
            causes.append(_mistyped(f"{path}.{key}", raw[key], f"must be {_spoken(expected)}"))
            del raw[key]

    def nested(keyword: str) -> tuple[Node, ...]:
        return tuple(
            parse(branch, f"{path}.{keyword}[{index}]", causes)
            for index, branch in enumerate(raw.get(keyword, ()))
        )

    additional = raw.get("additionalProperties")
    items = raw.get("items")
    if isinstance(items, list):
        causes.append(Cause("FieldValueForbidden", f"{path}.items",
                            "Forbidden: items must be a schema object and not an array"))  # fmt: skip
        items = None
    return Node(
        raw=raw,
        type=raw.get("type", ""),
        nullable=raw.get("nullable", False),
        properties={
            name: parse(value, f"{path}.properties[{name}]", causes)
            for name, value in raw.get("properties", {}).items()
        },
        additional=(
            parse(additional, f"{path}.additionalProperties", causes)
            if isinstance(additional, dict)
            else additional
        ),
        items=parse(items, f"{path}.items", causes) if items is not None else None,
        default=raw.get("default", ABSENT),
        preserve=raw.get("x-kubernetes-preserve-unknown-fields", False),
        embedded=raw.get("x-kubernetes-embedded-resource", False),
        int_or_string=raw.get("x-kubernetes-int-or-string", False),
        list_type=raw.get("x-kubernetes-list-type", ""),
        list_keys=tuple(raw.get("x-kubernetes-list-map-keys", ())),
        map_type=raw.get("x-kubernetes-map-type", ""),
        all_of=nested("allOf"),
        any_of=nested("anyOf"),
        one_of=nested("oneOf"),
        negated=parse(raw["not"], f"{path}.not", causes) if "not" in raw else None,
        rules=_rules(raw.get("x-kubernetes-validations", []), path, causes),
    )


def _rules(raw: list[Any], path: str, causes: list[Cause]) -> tuple[Mapping[str, Any], ...]:
    rules = []
    for index, rule in enumerate(raw):
        where = f"{path}.x-kubernetes-validations[{index}]"
        if not isinstance(rule, dict):
            causes.append(_mistyped(where, rule, "must be an object"))
            continue
        wrong = [
            key for key in ("rule", "message", "messageExpression", "reason", "fieldPath")
            if not isinstance(rule.get(key, ""), str)
        ]  # fmt: skip
        causes.extend(_mistyped(f"{where}.{key}", rule[key], "must be a string") for key in wrong)
        if not wrong:
            rules.append(rule)
    return tuple(rules)


def _is(value: Any, expected: Any) -> bool:
    if isinstance(value, bool):
        return expected is bool or (isinstance(expected, tuple) and bool in expected)
    return isinstance(value, expected)


def _spoken(expected: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
    }
    if expected == _NUMBER:
        return "a number"
    return " or ".join(names[each] for each in (expected if isinstance(expected, tuple) else (expected,)))


def _mistyped(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueTypeInvalid", path, f"Invalid value: {type(value).__name__}: {detail}")
