"""What server-side apply needs to know of a type: which lists are maps, sets or atomic, which maps are atomic.

Source: Kubernetes, "Merge strategy" of server-side apply; sigs.k8s.io/structured-merge-diff schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from controller.local.core.structural import Node, parse


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The merge structure of a value. A value of no declared type (`scalar`, `listed` and `mapped` all true) takes
    the structure of whatever it is: its maps merge by field and its lists are atomic."""

    scalar: str = ""
    """"" where no scalar may stand; else string, numeric, boolean or untyped."""
    listed: Literal["", "atomic", "set", "map"] = ""
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    item: Shape | None = None
    mapped: Literal["", "atomic", "granular"] = ""
    fields: Mapping[str, Shape] = field(default_factory=dict)
    rest: Shape | None = None
    """Of entries that are no declared field; None: there are none."""

    def of_field(self, name: str) -> Shape | None:
        found = self.fields.get(name)
        return found if found is not None else self.rest

    @classmethod
    def of(cls, schema: dict[str, Any] | None) -> Shape:
        """The shape of a whole object (apiVersion, kind, metadata included) with OpenAPI `schema`; None: unknown
        fields all over (deduced from the value). `metadata` always has ObjectMeta's shape."""
        if schema is None:
            return Shape(mapped="granular", fields=_TYPE_META, rest=deduced())
        return cls.of_node(parse(schema, "", []))

    @classmethod
    def of_node(cls, root: Node) -> Shape:
        """The shape of a whole object whose schema is `root`."""
        found = _of(root, keep=False)
        return Shape(
            mapped=found.mapped or "granular",
            fields={**found.fields, **_TYPE_META},
            rest=found.rest if found.mapped else deduced(),
        )


def _of(node: Node, keep: bool) -> Shape:
    """`keep`: a node above preserves unknown fields, which the real server passes down to all below."""
    keep = keep or node.preserve
    kind = "" if node.int_or_string else node.type
    match kind:
        case "object":
            return _map(node, keep)
        case "array":
            return _list(node, keep)
        case "integer" | "number":
            return Shape(scalar="numeric")
        case "boolean":
            return Shape(scalar="boolean")
        case "string":
            plain = node.raw.get("format", "") in ("", "byte")
            return Shape(scalar="string" if plain else "untyped")
        case _:
            as_list, as_map = _list(node, keep), _map(node, keep)
            return Shape(
                scalar="untyped", listed=as_list.listed, keys=as_list.keys, item=as_list.item,
                mapped=as_map.mapped, fields=as_map.fields, rest=as_map.rest,
            )  # fmt: skip


def _map(node: Node, keep: bool) -> Shape:
    fields = {name: _of(child, keep) for name, child in node.properties.items()}
    if node.embedded:
        fields |= _TYPE_META
    if isinstance(node.additional, Node):
        rest: Shape | None = _of(node.additional, keep)
    elif node.additional is True or (node.additional is None and (keep or not node.properties)):
        rest = deduced()
    else:
        rest = None
    return Shape(mapped="atomic" if node.map_type == "atomic" else "granular", fields=fields, rest=rest)


def _list(node: Node, keep: bool) -> Shape:
    item = _of(node.items, keep) if node.items is not None else atomic()
    defaults = {
        key: child.default
        for key in node.list_keys
        if node.items is not None
        and (child := node.items.properties.get(key)) is not None
        and child.has_default
    }
    listed: Literal["atomic", "set", "map"] = "atomic"
    if node.list_type == "set":
        listed = "set"
    elif node.list_type == "map":
        listed = "map"
    return Shape(listed=listed, keys=tuple(sorted(node.list_keys)), key_defaults=defaults, item=item)


def atomic() -> Shape:
    """Of a value that is replaced as a whole, whatever it is."""
    return _ATOMIC


def deduced() -> Shape:
    """Of a value whose type nobody declared."""
    return _DEDUCED


_ATOMIC = Shape(scalar="untyped", listed="atomic", mapped="atomic")
_DEDUCED = Shape(scalar="untyped", listed="atomic", mapped="granular")
for _loop, _into in ((_ATOMIC, _ATOMIC), (_DEDUCED, _DEDUCED)):  # both contain themselves
    object.__setattr__(_loop, "rest", _into)
    object.__setattr__(_loop, "item", _ATOMIC)

_STRING = Shape(scalar="string")
_STRINGS = Shape(mapped="granular", rest=_STRING)
_UNTYPED = Shape(scalar="untyped")
_OWNER = Shape(
    mapped="atomic",
    fields={
        **dict.fromkeys(("apiVersion", "kind", "name", "uid"), _STRING),
        **dict.fromkeys(("controller", "blockOwnerDeletion"), Shape(scalar="boolean")),
    },
)
OBJECT_META = Shape(
    mapped="granular",
    fields={
        **dict.fromkeys(
            ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "clusterName"),
            _STRING,
        ),
        **dict.fromkeys(("generation", "deletionGracePeriodSeconds"), Shape(scalar="numeric")),
        **dict.fromkeys(("creationTimestamp", "deletionTimestamp"), _UNTYPED),
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": Shape(listed="set", item=_STRING),
        "ownerReferences": Shape(listed="map", keys=("uid",), item=_OWNER),
        "managedFields": Shape(listed="atomic", item=_ATOMIC),
    },
)
"""Of metadata, in every object."""

_TYPE_META: dict[str, Shape] = {"apiVersion": _STRING, "kind": _STRING, "metadata": OBJECT_META}
