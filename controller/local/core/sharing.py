"""New objects that share with the old ones whatever did not change.

A client sends a whole status to change one condition. Sharing the rest with the object before it keeps memory
small (watches hold many versions of one object) and lets every later stage skip, by identity, what is the same.
"""

from __future__ import annotations

import json
from typing import Any

import orjson


def shared(new: Any, old: Any) -> Any:
    """`new`, with each part that equals the part of `old` in its place replaced by that part."""
    if identical(new, old):
        return old
    if type(new) is dict and type(old) is dict:
        return {key: shared(value, old[key]) if key in old else value for key, value in new.items()}
    if type(new) is list and type(old) is list:
        common = [shared(one, other) for one, other in zip(new, old, strict=False)]
        return common + new[len(common) :]
    return new


def identical(new: Any, old: Any) -> bool:
    """Equality of JSON values, in which true is not 1 and 1 is not 1.0."""
    if new is old:
        return True
    if new != old:
        return False
    kind = type(new)
    if kind is not type(old):
        return False
    return kind is str or kind is bool or _text(new) == _text(old)


def _text(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # integers beyond 64 bits
        return json.dumps(value, sort_keys=True).encode()
