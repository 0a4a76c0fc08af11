"""Sets of fields, as managedFields records them (fieldsV1).

A field is a path of elements, each in its serialized form: `f:name` a field, `k:{"name":"a"}` the list item with that
key, `v:"x"` the item of a set, `i:0` an index. Elements are canonical, so that equal elements are equal strings.

Source: Kubernetes, FieldsV1; sigs.k8s.io/structured-merge-diff/fieldpath.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson

from controller.local.core.shape import Shape

Path = tuple[str, ...]


class FieldSet:
    """A set of paths. Immutable once built; operations share what they can.

    A path that is a member does not make its parents or children members: `spec.a` and `spec` are different fields.
    """

    __slots__ = ("_json", "children", "members")

    def __init__(self, members: Iterable[str] = (), children: Mapping[str, FieldSet] | None = None) -> None:
        self.members = members if isinstance(members, frozenset) else frozenset(members)
        self.children: Mapping[str, FieldSet] = (
            {element: child for element, child in children.items() if child} if children else {}
        )
        self._json: dict[str, Any] | None = None

    @classmethod
    def of(cls, paths: Iterable[Path]) -> FieldSet:
        tree = Tree()
        for path in paths:
            tree.add(path)
        return tree.frozen()

    def __bool__(self) -> bool:
        return bool(self.members) or bool(self.children)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, FieldSet) and self.members == other.members and self.children == other.children
        )

    def __contains__(self, path: Path) -> bool:
        at: FieldSet | None = self
        for element in path[:-1]:
            at = at.children.get(element) if at is not None else None
        return at is not None and bool(path) and path[-1] in at.members

    def __iter__(self) -> Iterator[Path]:
        """Paths in the server's order: the members of a level, sorted, then what lies below."""
        for element in sorted(self.members, key=order):
            yield (element,)
        for element in sorted(self.children, key=order):
            for below in self.children[element]:
                yield (element, *below)

    def __or__(self, other: FieldSet) -> FieldSet:
        if not other or self is other:
            return self
        if not self:
            return other
        changed: dict[str, FieldSet] = {}
        for element, child in other.children.items():
            mine = self.children.get(element)
            both = child if mine is None else mine | child
            if both is not mine:
                changed[element] = both
        if not changed and other.members <= self.members:
            return self
        return FieldSet(self.members | other.members, {**self.children, **changed})

    def __and__(self, other: FieldSet) -> FieldSet:
        children = {
            element: child & other.children[element]
            for element, child in self.children.items()
            if element in other.children
        }
        return FieldSet(self.members & other.members, children)

    def __sub__(self, other: FieldSet) -> FieldSet:
        """Without the members of `other`; what lies below a member of `other` stays."""
        if not other:
            return self
        children = {
            element: child - other.children[element] if element in other.children else child
            for element, child in self.children.items()
        }
        return FieldSet(self.members - other.members, children)

    def without(self, other: FieldSet) -> FieldSet:
        """Without the members of `other` and all that lies below them."""
        if not other:
            return self
        children = {
            element: child.without(other.children[element]) if element in other.children else child
            for element, child in self.children.items()
            if element not in other.members
        }
        return FieldSet(self.members - other.members, children)

    def below(self, element: str) -> FieldSet:
        """What lies below `element`."""
        return self.children.get(element, EMPTY)

    def with_named(self, shape: Shape | None) -> FieldSet:
        """With the declared fields above its members as members too, as pruning wants them."""
        if not self.children:
            return self
        members = set(self.members)
        children = {}
        for element, child in self.children.items():
            inner = None
            if shape is not None and element.startswith("f:"):
                if element[2:] in shape.fields and shape.mapped:
                    members.add(element)
                inner = shape.of_field(element[2:]) if shape.mapped else None
            elif shape is not None and element.startswith("k:"):
                inner = shape.item
            children[element] = child.with_named(inner)
        return FieldSet(members, children)

    def to_json(self) -> dict[str, Any]:
        """The fieldsV1 object, its keys in the server's order; made once, to be read only."""
        if self._json is None:
            self._json = self._to_json()
        return self._json

    def _to_json(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for element in sorted(self.members | self.children.keys(), key=order):
            child = self.children.get(element)
            if child is None:
                result[element] = {}
            elif element in self.members:
                result[element] = {".": {}, **child.to_json()}
            else:
                result[element] = child.to_json()
        return result

    @classmethod
    def from_json(cls, fields: Any) -> FieldSet:
        """Read a fieldsV1 object. Raises ValueError for what is none; unknown kinds of element are dropped.

        Objects of one kind mostly have the same owners and fields: equal sets are read once and shared."""
        return _read(orjson.dumps(fields))

    @classmethod
    def _from_json(cls, fields: Any) -> FieldSet:
        if not isinstance(fields, dict):
            raise ValueError("fieldsV1 must be an object")
        members, children = set(), {}
        for element, below in fields.items():
            if element == ".":
                continue
            found = _canonical(element)
            if found is None:
                continue
            if not isinstance(below, dict):
                raise ValueError(f"fieldsV1: the value of {element!r} must be an object")
            child = cls._from_json(below)
            if "." in below or not child:
                members.add(found)
            if child:
                children[found] = child
        return cls(members, children)


class Tree:
    """A field set under construction."""

    __slots__ = ("children", "members")

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.children: dict[str, Tree] = {}

    def add(self, path: Path) -> None:
        """Make `path` a member. The empty path, the object itself, is never one."""
        if not path:
            return
        at = self
        for element in path[:-1]:
            below = at.children.get(element)
            if below is None:
                below = at.children[element] = Tree()
            at = below
        at.members.add(path[-1])

    def frozen(self) -> FieldSet:
        return FieldSet(self.members, {element: child.frozen() for element, child in self.children.items()})


EMPTY = FieldSet()


def encode(value: Any) -> str:
    """A JSON value inside an element, as Go writes it."""
    text = json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.translate(_ESCAPES)


def _whole(value: Any) -> Any:
    """`value` with 2.0 as 2, which are the same to JSON."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@lru_cache(1024)
def _read(text: bytes) -> FieldSet:
    return FieldSet._from_json(orjson.loads(text))


@lru_cache(4096)
def _text_key(name: str, value: str) -> str:
    return f"k:{encode({name: value})}"


def key_element(key: Mapping[str, Any]) -> str:
    """The element of the list item with `key`."""
    if len(key) == 1:
        ((name, value),) = key.items()
        if type(value) is str:
            return _text_key(name, value)
    return f"k:{encode(dict(key))}"


def value_element(value: Any) -> str:
    """The element of an item of a set."""
    return f"v:{encode(value)}"


@lru_cache(maxsize=8192)
def _canonical(element: str) -> str | None:
    kind, rest = element[:2], element[2:]
    if len(element) < 2 or element[1] != ":":
        raise ValueError(f"fieldsV1: {element!r} is no path element")
    try:
        match kind:
            case "f:":
                return element
            case "k:":
                key = json.loads(rest)
                if not isinstance(key, dict):
                    raise ValueError("a key must be an object")
                return key_element(key)
            case "v:":
                return value_element(json.loads(rest))
            case "i:":
                return f"i:{int(rest)}"
    except ValueError as error:
        raise ValueError(f"fieldsV1: {element!r}: {error}") from error
    return None


@lru_cache(maxsize=8192)
def order(element: str) -> tuple[Any, ...]:
    """The sort key of an element: fields, keys, values, indices; each in its own order."""
    kind, rest = element[0], element[2:]
    match kind:
        case "f":
            return (0, rest.encode())
        case "k":
            return (1, tuple((name, _value_order(value)) for name, value in sorted(json.loads(rest).items())))
        case "v":
            return (2, _value_order(json.loads(rest)))
        case _:
            return (3, int(rest))


def _value_order(value: Any) -> tuple[Any, ...]:
    """Values of different types sort by type: numbers, strings, booleans, lists, maps, null."""
    match value:
        case bool():
            return (2, value)
        case int() | float():
            return (0, value)
        case str():
            return (1, value.encode())
        case None:
            return (5,)
        case _:
            return (3, encode(value))


def spell(path: Path) -> str:
    """A path as conflicts name it: `.spec.roles[name="a"].count`."""
    return "".join(_spelled(element) for element in path)


def _spelled(element: str) -> str:
    kind, rest = element[0], element[2:]
    match kind:
        case "f":
            return f".{rest}"
        case "k":
            return (
                "["
                + ",".join(f"{name}={_text(value)}" for name, value in sorted(json.loads(rest).items()))
                + "]"
            )
        case "v":
            return f"[={_text(json.loads(rest))}]"
        case _:
            return f"[{rest}]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
