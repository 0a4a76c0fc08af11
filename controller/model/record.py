"""Records that outlive the process that wrote them, and may be read by another version of it.

Every record is a JSON object with a `version`; one without was written before there were any (version 0).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Unreadable(Exception):
    """A record that cannot be used, in words for people."""


def read(text: bytes, newest: int, parse: Callable[[dict[str, Any]], T]) -> T:
    """What `parse` makes of a record of version `newest` or older.

    Raises `Unreadable` where the record is damaged, lacks something, or comes from a later version: what that
    meant by it cannot be known.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is damaged: no JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("it is damaged: no JSON object")
    version = value.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool):
        raise Unreadable(f"it is damaged: version {version!r}")
    if version > newest:
        raise Unreadable(
            f"a later version of the operator wrote it (format {version}, this one knows {newest})"
        )
    try:
        return parse(value)
    except KeyError as error:
        raise Unreadable(f"it is damaged: {error} is missing") from None
    except Exception as error:
        raise Unreadable(f"it is damaged: {error}") from error
