"""Regular expressions of schemas, in linear time whoever wrote them.

The API server uses RE2 syntax. The engine here is Rust's `regex`, of the same family: no backtracking, so that an
expression in somebody's CRD cannot hold the server. Python's `re` is not used on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jsonschema_rs

from controller.local.core import cel_engine


@lru_cache(maxsize=1024)
def compile_pattern(expression: str) -> Callable[[str], bool]:
    """A search for `expression` in a text. Raises ValueError, saying what is wrong, for a bad expression."""
    try:
        return jsonschema_rs.Draft4Validator(
            {"pattern": expression}, pattern_options=jsonschema_rs.RegexOptions()
        ).is_valid
    except (jsonschema_rs.ValidationError, ValueError):
        return _extended(expression)


def _extended(expression: str) -> Callable[[str], bool]:
    # JSON Schema has no inline flags, \A, \z, nor [[:alpha:]]; CEL's matches() has them, a little slower.
    program = cel_engine.compile_program("text.matches(expression)")

    def search(text: str) -> bool:
        return bool(program.execute({"text": text, "expression": expression}))

    try:
        search("")
    except Exception as error:  # the binding raises what the Rust side said, of several types
        raise ValueError(f"error parsing regexp: {error}") from error
    return search
