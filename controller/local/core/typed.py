"""Values with a merge structure: comparing, merging, listing and removing fields.

The walks are those of sigs.k8s.io/structured-merge-diff/typed, whose results managedFields depend on. An absent value
is ABSENT, which is not null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from controller.local.core.equality import same
from controller.local.core.fieldset import EMPTY, FieldSet, Path, Tree, spell
from controller.local.core.shape import Shape
from controller.local.core.structural import ABSENT
from controller.local.core.typecheck import Kind, Mistyped, element_of, kind_of


def field_set(value: Any, shape: Shape) -> FieldSet:
    """All fields that `value` sets."""
    return _fields(value, shape)[1]


def _fields(value: Any, shape: Shape) -> tuple[bool, FieldSet]:
    """Whether the value itself is a field, and the fields below it."""
    kind = kind_of(value, shape)
    if kind == "scalar":
        return True, EMPTY
    if kind == "map":
        if shape.mapped == "atomic":
            return True, EMPTY
        return False, _map_fields(value, shape) if isinstance(value, dict) else EMPTY
    if kind == "list":
        if shape.listed == "atomic":
            return True, EMPTY
        return False, _list_fields(value, shape) if isinstance(value, list) else EMPTY
    return False, EMPTY


def _map_fields(value: dict[str, Any], shape: Shape) -> FieldSet:
    members: list[str] = []
    children: dict[str, FieldSet] = {}
    for name, each in value.items():
        below = shape.of_field(name)
        leaf, inside = _fields(each, below) if below is not None else (False, EMPTY)
        if leaf or each is None or each == {} or name not in shape.fields:
            members.append(f"f:{name}")
        if inside:
            children[f"f:{name}"] = inside
    return FieldSet(members, children)


def _list_fields(value: list[Any], shape: Shape) -> FieldSet:
    members: set[str] = set()
    children: dict[str, FieldSet] = {}
    for element, items in _grouped(value, shape).items():
        members.add(element)
        if len(items) == 1 and shape.item is not None:  # duplicates are owned as one, without what is inside
            inside = _fields(items[0], shape.item)[1]
            if inside:
                children[element] = inside
    return FieldSet(members, children)


def _grouped(items: Any, shape: Shape) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = {}
    for item in items if isinstance(items, list) else ():
        grouped.setdefault(element_of(item, shape), []).append(item)
    return grouped


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one value to another."""

    removed: FieldSet
    modified: FieldSet
    added: FieldSet

    def without(self, fields: FieldSet) -> Comparison:
        """Leaving `fields`, and all below them, out of account."""
        if not fields:
            return self
        return Comparison(
            self.removed.without(fields), self.modified.without(fields), self.added.without(fields)
        )


def compare(old: Any, new: Any, shape: Shape) -> Comparison:
    """What changed from `old` to `new`."""
    walk = _Compare()
    walk.compare(old, new, shape, ())
    return Comparison(walk.removed.frozen(), walk.modified.frozen(), walk.added.frozen())


class _Compare:
    def __init__(self) -> None:
        self.removed, self.modified, self.added = Tree(), Tree(), Tree()

    def compare(self, old: Any, new: Any, shape: Shape, path: Path) -> None:
        if old is new:
            return
        before = kind_of(old, shape) if old is not ABSENT else ""
        after = kind_of(new, shape) if new is not ABSENT else ""
        if old is not ABSENT and new is not ABSENT and before != after:
            self._as(before, old, new, shape, path)
        leaf = self._as(after or before, old, new, shape, path)
        if not leaf:
            if old is ABSENT:
                self.added.add(path)
            elif new is ABSENT:
                self.removed.add(path)

    def _as(self, kind: Kind, old: Any, new: Any, shape: Shape, path: Path) -> bool:
        """Compare as `kind`; True where the value counts as a whole."""
        if kind == "map":
            left = old if isinstance(old, dict) else {}
            right = new if isinstance(new, dict) else {}
            if shape.mapped != "atomic" and (left or right):
                for name in left | right:
                    below = shape.of_field(name)
                    if below is not None:
                        self.compare(
                            left.get(name, ABSENT), right.get(name, ABSENT), below, (*path, f"f:{name}")
                        )
                return False
        elif kind == "list" and shape.listed != "atomic" and (_filled(old) or _filled(new)):
            self._lists(_grouped(old, shape), _grouped(new, shape), shape, path)
            return False
        self._leaf(old, new, path)
        return True

    def _leaf(self, old: Any, new: Any, path: Path) -> None:
        if old is ABSENT:
            self.added.add(path)
        elif new is ABSENT:
            self.removed.add(path)
        elif not same(old, new):
            self.modified.add(path)

    def _lists(
        self, before: dict[str, list[Any]], after: dict[str, list[Any]], shape: Shape, path: Path
    ) -> None:
        assert shape.item is not None
        for element in before | after:
            old, new = before.get(element, []), after.get(element, [])
            below = (*path, element)
            if len(old) <= 1 and len(new) <= 1:
                self.compare(old[0] if old else ABSENT, new[0] if new else ABSENT, shape.item, below)
            elif len(old) >= 2 and len(new) >= 2:
                if not same(old, new):
                    self.modified.add(below)
            elif len(old) >= 2:  # duplicates are one field; what comes after them is new
                if new:
                    self.compare(ABSENT, new[0], shape.item, below)
                self.removed.add(below)
            else:
                if old:
                    self.compare(old[0], ABSENT, shape.item, below)
                self.added.add(below)


def _filled(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def merge(live: Any, applied: Any, shape: Shape) -> Any:
    """`live` with everything that `applied` sets; ABSENT where nothing is left."""
    if applied is ABSENT:
        return live
    after = kind_of(applied, shape)
    if after == "map":
        left = live if isinstance(live, dict) else {}
        right = applied if isinstance(applied, dict) else {}
        if shape.mapped == "atomic" or not (left or right):
            return applied
        merged = dict(left)
        for name, each in right.items():
            below = shape.of_field(name)
            if below is not None:
                merged[name] = merge(left.get(name, ABSENT), each, below)
        return {name: each for name, each in merged.items() if each is not ABSENT} or ABSENT
    if after == "list":
        left_items = live if isinstance(live, list) else []
        right_items = applied if isinstance(applied, list) else []
        if shape.listed == "atomic" or not (left_items or right_items):
            return applied
        return _merge_lists(left_items, right_items, shape) or ABSENT
    return applied


def _merge_lists(live: list[Any], applied: list[Any], shape: Shape) -> list[Any]:
    """Items in the order of `applied`; those of `live` alone stay about where they were between the shared ones."""
    assert shape.item is not None
    mine = [element_of(item, shape) for item in live]
    theirs = [element_of(item, shape) for item in applied]
    if len(set(theirs)) != len(theirs):
        twice = next(element for index, element in enumerate(theirs) if element in theirs[:index])
        raise Mistyped(f"duplicate entries for key {spell((twice,))}")
    values: dict[str, Any] = {}
    for element, item in zip(mine, live, strict=True):
        values[element] = None if element in values else item  # duplicates are not merged with
    wanted = dict(zip(theirs, applied, strict=True))
    shared = [element for element in theirs if element in values]
    out: list[Any] = []
    done: set[str] = set()

    def take(element: str) -> None:
        done.add(element)
        merged = merge(values.get(element, ABSENT), wanted[element], shape.item or shape)
        if merged is not ABSENT:
            out.append(merged)

    left = right = next_shared = 0
    while left < len(mine) or right < len(theirs):
        if left < len(mine) and right < len(theirs):
            element = mine[left]
            if element == theirs[right]:
                take(element)
                left, right, next_shared = left + 1, right + 1, next_shared + 1
                continue
            if element in wanted and next_shared < len(shared) and shared[next_shared] != element:
                left += 1  # shared, but its turn comes later
                continue
        if left < len(mine):
            element = mine[left]
            if element not in wanted:
                out.append(live[left])
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(theirs):
            element = theirs[right]
            take(element)
            right += 1
            if next_shared < len(shared) and shared[next_shared] == element:
                next_shared += 1
    return out


def remove(value: Any, fields: FieldSet, shape: Shape) -> Any:
    """`value` without `fields`; null where a map or list loses everything."""
    if not fields:
        return value
    kind = kind_of(value, shape)
    if kind == "map" and isinstance(value, dict) and value and shape.mapped != "atomic":
        kept = {}
        for name, each in value.items():
            element = f"f:{name}"
            if element in fields.members:
                continue
            below, inner = shape.of_field(name), fields.children.get(element)
            kept[name] = remove(each, inner, below) if inner and below is not None else each
        return kept or None
    if (
        kind == "list"
        and isinstance(value, list)
        and value
        and shape.listed != "atomic"
        and shape.item is not None
    ):
        items = []
        for item in value:
            element = element_of(item, shape)
            if element in fields.members:
                continue
            inner = fields.children.get(element)
            items.append(remove(item, inner, shape.item) if inner else item)
        return items or None
    if kind in ("map", "list") and (isinstance(value, (dict, list)) and not value):
        return None
    return value
