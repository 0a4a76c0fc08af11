"""Values as Nix expressions: how a request reaches the evaluator. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from controller.build.nar import STORE, Content


def literal(value: object, known: Mapping[str, Content] | None = None) -> str:
    """A JSON-like value as a Nix expression.

    A string that is a path of the store in `known` becomes a reference to it: with its digest next to it,
    pure evaluation may read it, and derivations that mention it depend on it.
    TypeError, ValueError: the value is none that Nix has (a NUL in a string, not a number).
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) < value < 2**63:
            raise ValueError(f"{value} does not fit a Nix integer")
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, float):
        return f"(builtins.fromJSON {_string(json.dumps(value, allow_nan=False))})"
    if isinstance(value, str):
        content = (known or {}).get(value)
        return _string(value) if content is None else _reference(content)
    if isinstance(value, Mapping):
        items = (f"{_string(str(name))} = {literal(item, known)};" for name, item in value.items())
        return "{ " + " ".join(items) + " }"
    if isinstance(value, list | tuple):
        return "[ " + " ".join(literal(item, known) for item in value) + " ]"
    raise TypeError(f"{type(value).__name__} is nothing that Nix has")


def _string(text: str) -> str:
    if "\0" in text:
        raise ValueError("a Nix string cannot contain a NUL character")
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${").replace("\r", "\\r") + '"'
    )


def _reference(content: Content) -> str:
    name = content.path.removeprefix(STORE)[34:]
    flat = " recursive = false;" if content.flat else ""
    return (
        f"(builtins.path {{ path = {_string(content.path)}; name = {_string(name)}; "
        f"sha256 = {_string(content.sha256)};{flat} }})"
    )
