"""The functions that Kubernetes adds to CEL, for rules; the `cel` library brings the standard ones.

Quantities and URLs are CEL values of their own in Kubernetes. Here they are lists that begin with a mark, because the
library cannot carry foreign types; a rule cannot tell, except by putting one into its message.

Source: Kubernetes, "Common Expression Language in Kubernetes", the libraries available in 1.30.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

from controller.local.core.errors import quoted
from controller.local.core.formats import FORMATS
from controller.local.core.patterns import compile_pattern
from controller.local.core.quantity import parse_quantity

_QUANTITY, _URL = "\0quantity", "\0url"


def _size(value: Any) -> int:
    return len(value)  # the library counts the bytes of a string; CEL counts code points


def _to_string(value: Any) -> str:
    """string(); the library lacks booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e21 else repr(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    return str(value)


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("1", "t", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "false", "FALSE", "False"):
        return False
    raise ValueError("type conversion error from 'string' to 'bool'")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        if not 0 <= start <= len(where):
            raise ValueError(f"index out of range: {start}")
        return where.find(what, start)
    return next((index for index, each in enumerate(where) if each == what), -1)


def _last_index_of(where: Any, what: Any, start: int | None = None) -> int:
    if isinstance(where, str):
        return where.rfind(what) if start is None else where.rfind(what, 0, start + len(what))
    return next((index for index in range(len(where) - 1, -1, -1) if where[index] == what), -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError(f"index out of range: {start if start < 0 or start > len(text) else stop}")
    return text[start:stop]


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    return text.replace(old, new, limit)


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if not separator:
        characters = list(text)
        return characters if limit < 0 else [*characters[: limit - 1], "".join(characters[limit - 1 :])]
    return text.split(separator, -1 if limit < 0 else limit - 1)


def _join(items: list[str], separator: str = "") -> str:
    return separator.join(items)


def _lower(text: str) -> str:
    return re.sub("[A-Z]+", lambda match: match[0].lower(), text)


def _upper(text: str) -> str:
    return re.sub("[a-z]+", lambda match: match[0].upper(), text)


def _matches(text: str, expression: str) -> bool:
    return compile_pattern(expression)(text)  # the library compiles the expression anew at every call


_NESTED_REPEAT = re.compile(r"[*+}]\)*\)[*+{]")


def _find_all(text: str, expression: str, limit: int = -1) -> list[str]:
    compile_pattern(expression)
    if _NESTED_REPEAT.search(expression):
        # Only Python's engine tells what was found, and it can take for ever over these.
        raise ValueError(f"this server cannot search for '{expression}': it repeats a repetition")
    found = [match[0] for match in re.finditer(expression, text, re.ASCII)]
    return found if limit < 0 else found[:limit]


def _find(text: str, expression: str) -> str:
    return next(iter(_find_all(text, expression, 1)), "")


def _is_sorted(items: list[Any]) -> bool:
    return all(left <= right for left, right in pairwise(items))


def _sum(items: list[Any]) -> Any:
    return sum(items[1:], items[0]) if items else 0


def _least(items: list[Any]) -> Any:
    if not items:
        raise ValueError("min called on empty list")
    return min(items)


def _greatest(items: list[Any]) -> Any:
    if not items:
        raise ValueError("max called on empty list")
    return max(items)


def _contains_all(items: list[Any], others: list[Any]) -> bool:
    return all(other in items for other in others)


def _quantity(text: str) -> list[str]:
    value = parse_quantity(text)
    if value is None:
        raise ValueError(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    return [_QUANTITY, str(value)]


def _amount(value: Any) -> Fraction:
    if isinstance(value, int):
        return Fraction(value)
    return Fraction(value[1])


def _compare(left: Any, right: Any) -> int:
    return (_amount(left) > _amount(right)) - (_amount(left) < _amount(right))


def _as_integer(value: Any) -> int:
    amount = _amount(value)
    if amount.denominator != 1:
        raise ValueError("cannot convert value to integer")
    return int(amount)


def _added(left: Any, right: Any) -> list[str]:
    return [_QUANTITY, str(_amount(left) + _amount(right))]


def _subtracted(left: Any, right: Any) -> list[str]:
    return [_QUANTITY, str(_amount(left) - _amount(right))]


def _is_url(text: str) -> bool:
    return FORMATS["uri"](text)


def _url(text: str) -> list[str]:
    if not _is_url(text):
        raise ValueError(
            f"URL parse error during conversion from string: parse {quoted(text)}: invalid URI for request"
        )
    return [_URL, text]


def _of_url(part: Callable[[Any], Any]) -> Callable[[list[str]], Any]:
    return lambda value: part(urlsplit(value[1]))


def _host(parts: Any) -> str:
    return str(parts.netloc).rpartition("@")[2]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nxcString": _to_string, "nxcMatches": _matches, "nxcSize": _size, "bool": _to_bool,
    "charAt": _char_at, "indexOf": _index_of, "lastIndexOf": _last_index_of, "substring": _substring,
    "replace": _replace, "split": _split, "join": _join, "lowerAscii": _lower, "upperAscii": _upper,
    "trim": str.strip, "find": _find, "findAll": _find_all,
    "isSorted": _is_sorted, "sum": _sum, "min": _least, "max": _greatest,
    "sets.contains": _contains_all,
    "sets.equivalent": lambda left, right: _contains_all(left, right) and _contains_all(right, left),
    "sets.intersects": lambda left, right: any(item in right for item in left),
    "isQuantity": lambda text: parse_quantity(text) is not None,
    "quantity": _quantity, "sign": lambda value: _compare(value, 0),
    "isInteger": lambda value: _amount(value).denominator == 1, "asInteger": _as_integer,
    "asApproximateFloat": lambda value: float(_amount(value)),
    "isGreaterThan": lambda left, right: _compare(left, right) > 0,
    "isLessThan": lambda left, right: _compare(left, right) < 0,
    "compareTo": _compare, "add": _added, "sub": _subtracted,
    "isURL": _is_url, "url": _url,
    "getScheme": _of_url(lambda parts: parts.scheme), "getHost": _of_url(_host),
    "getHostname": _of_url(lambda parts: (parts.hostname or "")),
    "getPort": _of_url(lambda parts: str(parts.port or "")),
    "getEscapedPath": _of_url(lambda parts: parts.path),
    "getQuery": _of_url(lambda parts: parse_qs(parts.query, keep_blank_values=True)),
}  # fmt: skip
"""What a rule may call, by the name it is registered under."""

SHADOWED = {"string": "nxcString", "matches": "nxcMatches"}
"""Functions that the library has and that these take the place of, by another name: its own cannot be replaced."""

SIZED = {**SHADOWED, "size": "nxcSize"}
"""The same, and size(), which is only wrong for strings with more than ASCII."""
