"""What functions and operators rules may use, and on what: CEL's standard ones and Kubernetes' libraries.

Written `receiver.(arguments): result`, or `(arguments): result` for a plain function; A and B stand for any type.
Source: CEL specification, "List of Standard Definitions"; Kubernetes, "Common Expression Language in Kubernetes".
"""

from __future__ import annotations

NAMESPACES = frozenset(("sets",))
"""Names that may stand before a function without being a variable."""

TYPE_NAMES = frozenset(
    ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint")
)

_NUMBERS = ("int", "uint", "double")
_ORDERED = ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")

_COMPARED = tuple(f"({each}, {each}): bool" for each in _ORDERED) + tuple(
    f"({left}, {right}): bool" for left in _NUMBERS for right in _NUMBERS if left != right
)
_CALCULATED = tuple(f"({each}, {each}): {each}" for each in _NUMBERS)
_FROM_TIME = ("timestamp.(): int", "timestamp.(string): int")
_FROM_BOTH = (*_FROM_TIME, "duration.(): int")
_LISTED = ("int", "uint", "double", "duration", "string", "bool", "bytes", "timestamp")

SIGNATURES: dict[str, tuple[str, ...]] = {
    "_&&_": ("(bool, bool): bool",), "_||_": ("(bool, bool): bool",), "!_": ("(bool): bool",),
    "_==_": ("(A, A): bool",), "_!=_": ("(A, A): bool",), "_?_:_": ("(bool, A, A): A",),
    "@in": ("(A, list(A)): bool", "(A, map(A, B)): bool"),
    "_[_]": ("(list(A), int): A", "(map(A, B), A): B"),
    **dict.fromkeys(("_<_", "_<=_", "_>_", "_>=_"), _COMPARED),
    "_+_": (
        *_CALCULATED, "(string, string): string", "(bytes, bytes): bytes", "(list(A), list(A)): list(A)",
        "(timestamp, duration): timestamp", "(duration, timestamp): timestamp", "(duration, duration): duration",
    ),
    "_-_": (
        *_CALCULATED, "(timestamp, timestamp): duration", "(timestamp, duration): timestamp",
        "(duration, duration): duration",
    ),
    "_*_": _CALCULATED, "_/_": _CALCULATED, "_%_": ("(int, int): int", "(uint, uint): uint"),
    "-_": ("(int): int", "(double): double"),
    "size": tuple(
        form for of in ("string", "bytes", "list(A)", "map(A, B)") for form in (f"{of}.(): int", f"({of}): int")
    ),
    "contains": ("string.(string): bool",), "startsWith": ("string.(string): bool",),
    "endsWith": ("string.(string): bool",), "matches": ("string.(string): bool", "(string, string): bool"),
    "int": tuple(f"({each}): int" for each in (*_NUMBERS, "string", "timestamp", "duration")),
    "uint": tuple(f"({each}): uint" for each in (*_NUMBERS, "string")),
    "double": tuple(f"({each}): double" for each in (*_NUMBERS, "string")),
    "string": tuple(f"({each}): string" for each in _ORDERED),
    "bool": ("(bool): bool", "(string): bool"), "bytes": ("(bytes): bytes", "(string): bytes"),
    "timestamp": tuple(f"({each}): timestamp" for each in ("timestamp", "string", "int")),
    "duration": tuple(f"({each}): duration" for each in ("duration", "string", "int")),
    "type": ("(A): type",), "dyn": ("(A): dyn",),
    **dict.fromkeys(
        ("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"), _FROM_TIME
    ),
    **dict.fromkeys(("getHours", "getMinutes", "getSeconds", "getMilliseconds"), _FROM_BOTH),
    "charAt": ("string.(int): string",),
    "indexOf": ("string.(string): int", "string.(string, int): int", "list(A).(A): int"),
    "lastIndexOf": ("string.(string): int", "string.(string, int): int", "list(A).(A): int"),
    "substring": ("string.(int): string", "string.(int, int): string"),
    "replace": ("string.(string, string): string", "string.(string, string, int): string"),
    "split": ("string.(string): list(string)", "string.(string, int): list(string)"),
    "join": ("list(string).(): string", "list(string).(string): string"),
    "lowerAscii": ("string.(): string",), "upperAscii": ("string.(): string",), "trim": ("string.(): string",),
    "find": ("string.(string): string",),
    "findAll": ("string.(string): list(string)", "string.(string, int): list(string)"),
    "isSorted": tuple(f"list({each}).(): bool" for each in _LISTED),
    "sum": tuple(f"list({each}).(): {each}" for each in (*_NUMBERS, "duration")),
    "min": tuple(f"list({each}).(): {each}" for each in _LISTED),
    "max": tuple(f"list({each}).(): {each}" for each in _LISTED),
    **dict.fromkeys(("sets.contains", "sets.equivalent", "sets.intersects"), ("(list(A), list(A)): bool",)),
    "isQuantity": ("(string): bool",), "quantity": ("(string): quantity",),
    "sign": ("(quantity): int",), "isInteger": ("quantity.(): bool",), "asInteger": ("quantity.(): int",),
    "asApproximateFloat": ("quantity.(): double",),
    "isGreaterThan": ("quantity.(quantity): bool",), "isLessThan": ("quantity.(quantity): bool",),
    "compareTo": ("quantity.(quantity): int",),
    "add": ("quantity.(quantity): quantity", "quantity.(int): quantity"),
    "sub": ("quantity.(quantity): quantity", "quantity.(int): quantity"),
    "isURL": ("(string): bool",), "url": ("(string): url",),
    **dict.fromkeys(
        ("getScheme", "getHost", "getHostname", "getPort", "getEscapedPath"), ("url.(): string",)
    ),
    "getQuery": ("url.(): map(string, list(string))",),
}  # fmt: skip
