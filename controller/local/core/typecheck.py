"""Whether a value has the structure that its shape declares, before it is merged.

Source: sigs.k8s.io/structured-merge-diff/typed; the texts are the server's.
"""

from __future__ import annotations

from typing import Any, Literal

from controller.local.core.fieldset import key_element, spell, value_element
from controller.local.core.shape import Shape

Kind = Literal["map", "scalar", "list", ""]


class Mistyped(ValueError):
    """A value that its shape does not allow; `str()` is the server's text: `.spec.count: expected numeric ...`."""


def kind_of(value: Any, shape: Shape) -> Kind:
    """Which of the structures that `shape` allows `value` takes; for null, the first there is."""
    match value:
        case dict() if shape.mapped:
            return "map"
        case list() if shape.listed:
            return "list"
        case str() | bool() | int() | float() if shape.scalar:
            return "scalar"
    if shape.mapped:
        return "map"
    if shape.scalar:
        return "scalar"
    return "list" if shape.listed else ""


def element_of(item: Any, shape: Shape) -> str:
    """The path element of an item of a list of type map or set. Raises Mistyped for one that has none."""
    if shape.listed == "set":
        if isinstance(item, dict):
            raise Mistyped("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise Mistyped("not supported: associative list with lists as elements")
        if item is None:
            raise Mistyped("associative list without keys has an element that's an explicit null")
        return value_element(item)
    if item is None:
        raise Mistyped("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise Mistyped("associative list with keys may not have non-map elements")
    key = {}
    for name in shape.keys:
        if name in item:
            key[name] = item[name]
        elif shape.key_defaults.get(name) is not None:
            key[name] = shape.key_defaults[name]
    if shape.keys and not key:
        names = " ".join(f'"{name}"' for name in shape.keys)
        raise Mistyped(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return key_element(key)


def check_type(value: Any, shape: Shape, *, duplicates: bool = False) -> None:
    """Raise Mistyped where `value` does not fit `shape`; `duplicates` allows equal items in sets and maps."""
    errors: list[str] = []
    _check(value, shape, "", duplicates, errors)
    if len(errors) == 1:
        raise Mistyped(errors[0])
    if errors:
        raise Mistyped("\n".join(["errors:", *(f"  {error}" for error in errors)]))


def _check(value: Any, shape: Shape, path: str, duplicates: bool, errors: list[str]) -> None:
    kind = kind_of(value, shape)
    if kind == "scalar":
        wrong = _scalar_error(value, shape.scalar)
        if wrong:
            errors.append(_at(path, wrong))
    elif value is None:
        return
    elif kind == "map":
        if not isinstance(value, dict):
            errors.append(_at(path, f"expected map, got {go_plain(value)}"))
            return
        for name, each in value.items():
            below = shape.of_field(name)
            if below is None:
                errors.append(f"{path}.{name}: field not declared in schema")
            else:
                _check(each, below, f"{path}.{name}", duplicates, errors)
    elif not isinstance(value, list):
        errors.append(_at(path, f"expected list, got {go_plain(value)}"))
    elif shape.listed == "atomic":
        for index, each in enumerate(value):
            if shape.item is not None:
                _check(each, shape.item, f"{path}[{index}]", duplicates, errors)
    else:
        _check_items(value, shape, path, duplicates, errors)


def _check_items(items: list[Any], shape: Shape, path: str, duplicates: bool, errors: list[str]) -> None:
    seen: set[str] = set()
    for index, each in enumerate(items):
        try:
            element = element_of(each, shape)
        except Mistyped as error:
            errors.append(_at(path, f"element {index}: {error}"))
            return
        if element in seen and not duplicates:
            errors.append(_at(path, f"duplicate entries for key {spell((element,))}"))
        seen.add(element)
        if isinstance(each, (dict, list)) and shape.item is not None:
            _check(each, shape.item, path + spell((element,)), duplicates, errors)
        elif shape.item is not None and (wrong := _scalar_error(each, shape.item.scalar)):
            errors.append(f"{path}{spell((element,))}: {wrong}")


def _at(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text


def _scalar_error(value: Any, expected: str) -> str:
    if value is None:
        return ""
    kind: type = type(value)
    if expected == "numeric" and kind not in (int, float):
        return f"expected numeric (int or float), got {go_type(value)}"
    if expected == "string" and kind is not str:
        return f"expected string, got {go_value(value)}"
    if expected == "boolean" and kind is not bool:
        return f"expected boolean, got {go_value(value)}"
    if kind in (dict, list):
        return f"expected any scalar, got {go_plain(value)}"
    return ""


def go_type(value: Any) -> str:
    names = {bool: "bool", int: "int64", float: "float64", str: "string", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")


def go_plain(value: Any) -> str:
    """A value as Go's %v of its wrapper prints it."""
    return f"&{{{go_words(value)}}}"


def go_words(value: Any) -> str:
    """A value as Go's %v prints it."""
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{' '.join(map(go_words, value))}]"
        case dict():
            return f"map[{' '.join(f'{name}:{go_words(value[name])}' for name in sorted(value))}]"
        case None:
            return "<nil>"
    return str(value)


def go_value(value: Any) -> str:
    """A value as Go's %#v of its wrapper prints it."""
    return f"&value.valueUnstructured{{Value:{_go_syntax(value)}}}"


def _go_syntax(value: Any) -> str:
    match value:
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case bool():
            return "true" if value else "false"
        case list():
            return "[]interface {}{" + ", ".join(_go_syntax(each) for each in value) + "}"
        case dict():
            inside = ", ".join(f"{_go_syntax(name)}:{_go_syntax(value[name])}" for name in sorted(value))
            return "map[string]interface {}{" + inside + "}"
        case None:
            return "interface {}(nil)"
        case _:
            return str(value)
