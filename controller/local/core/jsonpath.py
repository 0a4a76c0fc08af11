"""The JSONPath dialect of printer columns and selectable fields (k8s.io/client-go/util/jsonpath)."""

from __future__ import annotations

from typing import Any


class JSONPathError(ValueError):
    """A path that cannot be parsed; the text says what and where."""


class Path:
    """A compiled path such as `.status.conditions[?(@.type=="Ready")].status`."""

    def find(self, root: Any) -> list[Any]:
        """All values the path selects in `root`, in order; nothing where a key or index is missing.

        Raises JSONPathError where the path does not fit the data's shape (a key of a string)."""
        raise NotImplementedError


def compile_path(text: str) -> Path:
    """Compile `text` (without the surrounding braces). Raises JSONPathError."""
    raise NotImplementedError


def print_value(value: Any) -> str:
    """One value as kubectl and string columns print it: text bare, the rest as compact JSON."""
    raise NotImplementedError
