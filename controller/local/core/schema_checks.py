"""Whether a schema may stand in a CustomResourceDefinition: the rules of structural schemas.

Source: Kubernetes, "Specifying a structural schema"; the texts are those of apiextensions-apiserver.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import orjson

from controller.local.core.errors import Cause, forbidden_value, invalid_value, required, unsupported_value
from controller.local.core.patterns import compile_pattern
from controller.local.core.pruning import prune
from controller.local.core.structural import ABSENT, META_FIELDS, Node
from controller.local.core.validation import NOWHERE, compile_check

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref")
_NESTED_FORBIDDEN = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)
_INT_OR_STRING = ({"type": "integer"}, {"type": "string"})
REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")


def check(root: Node, path: str) -> list[Cause]:
    """Everything that makes `root` no structural schema; empty where it is one."""
    # A false preserve-unknown-fields keeps the real server from reading the schema as a structural one at all.
    readable = all(
        node.raw.get("x-kubernetes-preserve-unknown-fields") is not False for _, node in walk(root, path)
    )
    causes = sorted(_structure(root, path, "root"), key=str) if readable else []
    if readable and not causes:
        causes += _defaults(root, path, root=True)
    return causes + list(_definition(root, path, inside_meta=False, root=True))


def _structure(node: Node, path: str, level: str) -> Iterator[Cause]:
    if node.type == "array" and node.items is None:
        yield required(f"{path}.items", "must be specified")
    if node.items is not None:
        yield from _structure(node.items, f"{path}.items", "item")
    for name, child in node.properties.items():
        yield from _structure(child, f"{path}.properties[{name}]", "field")
    if node.additional is not None:
        if level == "root":
            yield forbidden_value(f"{path}.additionalProperties", "must not be used at the root")
        if node.embedded:
            text = "must not be used if x-kubernetes-embedded-resource is set"
            yield forbidden_value(f"{path}.additionalProperties", text)
        if isinstance(node.additional, Node):
            yield from _structure(node.additional, f"{path}.additionalProperties", "field")
    if node.int_or_string and node.preserve:
        text = "must be false if x-kubernetes-int-or-string is true"
        yield invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", True, text)
    if node.int_or_string and node.embedded:
        text = "must be false if x-kubernetes-int-or-string is true"
        yield invalid_value(f"{path}.x-kubernetes-embedded-resource", True, text)
    yield from _types(node, path, level)
    yield from _metadata(node, path, level)
    for keyword, branch in node.branches():
        if not _is_int_or_string(node, keyword):
            yield from _nested(branch, f"{path}.{keyword}")
    if level == "root":  # the real server asks for it there only
        for keyword, branch in node.branches():
            yield from _complete(branch, node, f"{path}.{keyword}", path)
    yield from _pattern(node, path)


def _types(node: Node, path: str, level: str) -> Iterator[Cause]:
    if node.embedded and node.type != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", node.type, text) if node.type else required(f"{path}.type", text)
    elif not node.type and not node.int_or_string and not node.preserve:
        where = {
            "root": "at the root", "item": "for specified array items", "field": "for specified object fields",
        }[level]  # fmt: skip
        yield required(f"{path}.type", f"must not be empty {where}")
    if level == "root" and node.type not in ("", "object"):
        yield invalid_value(f"{path}.type", node.type, "must be object at the root")
    if node.embedded and not node.preserve and not node.properties:
        text = "if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        yield required(f"{path}.properties", f"must not be empty {text}")


def _metadata(node: Node, path: str, level: str) -> Iterator[Cause]:
    if level != "root" and not node.embedded:
        return
    for name in ("kind", "apiVersion"):
        child = node.properties.get(name)
        if child is not None and child.type != "string":
            yield invalid_value(f"{path}.properties[{name}].type", child.type, "must be string")
    metadata = node.properties.get("metadata")
    if metadata is None:
        return
    where = f"{path}.properties[metadata]"
    if metadata.type != "object":
        yield invalid_value(f"{where}.type", metadata.type, "must be object")
    if level == "root":
        allowed = {"type", "properties", "description", "default"} - {"description"}
        if set(metadata.raw) - allowed or set(metadata.properties) - {"name", "generateName"}:
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            yield forbidden_value(where, text)


def _is_int_or_string(node: Node, keyword: str) -> bool:
    """The two idioms for x-kubernetes-int-or-string: anyOf integer and string, or that as the first allOf."""
    if keyword.startswith("anyOf["):
        return tuple(branch.raw for branch in node.any_of) == _INT_OR_STRING
    if keyword == "allOf[0]":
        return tuple(branch.raw for branch in node.all_of[0].any_of) == _INT_OR_STRING
    return False


def _nested(node: Node, path: str) -> Iterator[Cause]:
    """Value validations under allOf, anyOf, oneOf or not may only validate."""
    for key, text in _NESTED_FORBIDDEN:
        value = node.raw.get(key)
        if value not in (None, "", False, []) or (key == "default" and value is not None):
            yield forbidden_value(f"{path}.{key}", text)
    if "metadata" in node.properties:
        yield forbidden_value(f"{path}.properties[metadata]", "must not be specified in a nested context")
    yield from _pattern(node, path)
    for keyword, branch in node.branches():
        yield from _nested(branch, f"{path}.{keyword}")
    if node.items is not None:
        yield from _nested(node.items, f"{path}.items")
    for name, child in node.properties.items():
        yield from _nested(child, f"{path}.properties[{name}]")


def _complete(node: Node, spine: Node | None, path: str, spine_path: str) -> Iterator[Cause]:
    """What is validated must be declared too: `spine` is the structural node that `node` speaks of."""
    if spine is None:
        yield required(spine_path, f"because it is defined in {path}")
        return
    for keyword, branch in node.branches():
        yield from _complete(branch, spine, f"{path}.{keyword}", spine_path)
    if node.items is not None:
        yield from _complete(node.items, spine.items, f"{path}.items", f"{spine_path}.items")
    for name, child in node.properties.items():
        below = f"{spine_path}.properties[{name}]"
        yield from _complete(child, spine.properties.get(name), f"{path}.properties[{name}]", below)


def _pattern(node: Node, path: str) -> Iterator[Cause]:
    expression = node.raw.get("pattern", "")
    try:
        compile_pattern(expression)
    except ValueError as error:
        text = f"must be a valid regular expression, but isn't: {error}"
        yield invalid_value(f"{path}.pattern", expression, text)


def _definition(node: Node, path: str, *, inside_meta: bool, root: bool = False) -> Iterator[Cause]:
    """What the API's own validation of the schema object asks for, structural or not."""
    raw = node.raw
    if node.type == "null":
        yield forbidden_value(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    elif node.type and node.type not in _TYPES:
        yield unsupported_value(f"{path}.type", node.type, _TYPES)
    for key in _UNSUPPORTED:
        if raw.get(key) not in (None, "", {}, []):
            yield forbidden_value(f"{path}.{key}", f"{key} is not supported")
    if raw.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_value(f"{path}.uniqueItems", text)
    if node.properties and node.additional is not None and node.additional is not True:
        text = "additionalProperties and properties are mutual exclusive"
        yield forbidden_value(f"{path}.additionalProperties", text)
    if inside_meta and node.embedded:
        yield forbidden_value(
            f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta"
        )
    if root and node.nullable:
        yield forbidden_value(f"{path}.nullable", "nullable cannot be true at the root")
    if raw.get("x-kubernetes-preserve-unknown-fields") is False:
        yield invalid_value(
            f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"
        )
    yield from _merging(node, path)
    yield from _rules(node, path)
    for name, child in node.properties.items():
        meta = inside_meta or ((root or node.embedded) and name in META_FIELDS)
        below = f"{path}.properties[{name}]"
        if root and name in META_FIELDS:
            yield from (
                forbidden_value(f"{where}.default", f"must not be set in top-level {name}")
                for where, each in walk(child, below) if each.has_default
            )  # fmt: skip
        yield from _definition(child, below, inside_meta=meta)
    if isinstance(node.additional, Node):
        yield from _definition(node.additional, f"{path}.additionalProperties", inside_meta=inside_meta)
    if node.items is not None:
        yield from _definition(node.items, f"{path}.items", inside_meta=inside_meta)
    for keyword, branch in node.branches():
        yield from _definition(branch, f"{path}.{keyword}", inside_meta=inside_meta)


def walk(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """`node` and every structural node below it, with their paths."""
    yield path, node
    for name, child in node.properties.items():
        yield from walk(child, f"{path}.properties[{name}]")
    if isinstance(node.additional, Node):
        yield from walk(node.additional, f"{path}.additionalProperties")
    if node.items is not None:
        yield from walk(node.items, f"{path}.items")


def _merging(node: Node, path: str) -> Iterator[Cause]:
    if node.map_type:
        if node.type != "object":
            text = "must be object if x-kubernetes-map-type is specified"
            yield (
                invalid_value(f"{path}.type", node.type, text)
                if node.type
                else required(f"{path}.type", text)
            )
        if node.map_type not in ("atomic", "granular"):
            yield unsupported_value(f"{path}.x-kubernetes-map-type", node.map_type, ("atomic", "granular"))
    if node.list_type and node.type != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        yield invalid_value(f"{path}.type", node.type, text) if node.type else required(f"{path}.type", text)
    elif node.list_type == "set" and node.items is not None:
        text = "must be atomic as item of a list with x-kubernetes-list-type=set"
        if node.items.type == "array" and node.items.list_type not in ("", "atomic"):
            yield invalid_value(f"{path}.items.x-kubernetes-list-type", node.items.list_type, text)
        if node.items.type == "object" and node.items.map_type != "atomic":
            yield invalid_value(f"{path}.items.x-kubernetes-map-type", node.items.map_type or None, text)
    if node.list_type not in ("", "atomic", "set", "map"):
        yield unsupported_value(f"{path}.x-kubernetes-list-type", node.list_type, ("atomic", "set", "map"))
    if node.list_keys and node.list_type != "map":
        where, text = (
            f"{path}.x-kubernetes-list-type",
            "must be map if x-kubernetes-list-map-keys is non-empty",
        )
        yield invalid_value(where, node.list_type, text) if node.list_type else required(where, text)
    if node.list_type == "map":
        yield from _list_map(node, path)
    if node.list_type in ("set", "map") and node.items is not None and node.items.nullable:
        text = f"cannot be nullable when x-kubernetes-list-type is {node.list_type}"
        yield forbidden_value(f"{path}.items.nullable", text)


def _list_map(node: Node, path: str) -> Iterator[Cause]:
    keys_path = f"{path}.x-kubernetes-list-map-keys"
    if not node.list_keys:
        yield required(keys_path, "must not be empty if x-kubernetes-list-type is map")
    if node.items is None:
        yield required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
        return
    if node.items.type != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", node.items.type, text)
        return
    keys = list(node.list_keys)
    for index, key in enumerate(keys):
        child = node.items.properties.get(key)
        where = f"{path}.items.properties[{key}]"
        if child is None:
            yield invalid_value(keys_path, keys, "entries must all be names of item properties")
        elif child.type in ("array", "object"):
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            yield invalid_value(f"{where}.type", node.items.type, text)
        if key in keys[:index]:
            yield invalid_value(keys_path, keys, "must not contain duplicate entries")
        if child is not None and key not in node.items.raw.get("required", ()) and not child.has_default:
            text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(f"{where}.default", text)
        if child is not None and child.nullable:
            text = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield forbidden_value(f"{where}.nullable", text)


def _rules(node: Node, path: str) -> Iterator[Cause]:
    """The rules' texts; `cel_rules` compiles them."""
    for index, rule in enumerate(node.rules):
        where = f"{path}.x-kubernetes-validations[{index}]"
        text, message = rule.get("rule", "").strip(), rule.get("message", "")
        if not text:
            yield required(f"{where}.rule", "rule is not specified")
        elif message and not message.strip():
            yield invalid_value(f"{where}.message", message, "must be non-empty if specified")
        elif re.search(r"[\n\r]", message.strip()):
            yield invalid_value(f"{where}.message", message, "must not contain line breaks")
        elif re.search(r"[\n\r]", text) and not message.strip():
            yield required(f"{where}.message", "message must be specified if rule contains line breaks")
        if rule.get("messageExpression") and not rule["messageExpression"].strip():
            yield required(f"{where}.messageExpression", "messageExpression must be non-empty if specified")
        if rule.get("reason") is not None and rule["reason"] not in REASONS:
            yield unsupported_value(f"{where}.reason", rule["reason"], REASONS)
        field_path = rule.get("fieldPath", "")
        if field_path and not field_path.strip():
            yield invalid_value(f"{where}.fieldPath", field_path, "must be non-empty if specified")
        elif field_path and normalized_field_path(node, field_path) is None:
            yield invalid_value(f"{where}.fieldPath", field_path, "must be a valid path")


_STEP = re.compile(r"\.(?P<name>[^.\[\]']+)|\['(?P<quoted>(?:[^'\\]|\\.)*)'\]")


def normalized_field_path(node: Node, text: str) -> str | None:
    """A rule's fieldPath (`.spec.x['a.b']`) as it stands in an error; None where the schema has no such field."""
    result, position, at = "", 0, node
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            return None
        name = match["name"] if match["name"] is not None else re.sub(r"\\(.)", r"\1", match["quoted"])
        child = at.of_field(name)
        if child is None:
            return None
        named = name in at.properties
        result += f".{name}" if named and result else name if named else f"[{name}]"
        at, position = child, match.end()
    return result or None


def _defaults(node: Node, path: str, *, root: bool = False) -> Iterator[Cause]:
    """Defaults must be pruned and valid themselves."""
    if node.has_default and node.default is not None:
        dropped: list[str] = []
        prune(node.default, node, dropped, embedded=node.embedded)
        if dropped:
            shown = orjson.loads(orjson.dumps(node.default, option=orjson.OPT_SORT_KEYS))
            yield invalid_value(f"{path}.default", shown, "must not have unknown fields")
        found: list[Cause] = []
        # As in the real server: a default of an int-or-string has to be of the type, where one is given.
        compile_check(replace(node, int_or_string=False))(node.default, "", found, ABSENT)
        for cause in found:
            below = "" if cause.field in ("", NOWHERE) else f".{cause.field}"
            yield replace(cause, field=f"{path}.default{below}")
    for name, child in node.properties.items():
        if not (root and name in META_FIELDS):
            yield from _defaults(child, f"{path}.properties[{name}]")
    if node.items is not None:
        yield from _defaults(node.items, f"{path}.items")
