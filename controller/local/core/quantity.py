"""Kubernetes quantities (`500m`, `1Gi`, `2e3`), exactly.

Source: Kubernetes, k8s.io/apimachinery/pkg/api/resource; CEL library `quantity`.
"""

from __future__ import annotations

import re
from fractions import Fraction

_SHAPE = re.compile(
    r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)?|[eE]([+-]?\d{1,2}))", re.ASCII
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def parse_quantity(text: str) -> Fraction | None:
    """The exact value of a quantity, None where `text` is none."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    number, suffix, exponent = Fraction(match[1]), match[2] or "", match[3]
    if exponent is not None:
        return number * Fraction(f"1e{exponent}")
    if suffix in _BINARY:
        return number * (1 << 10 * (_BINARY.index(suffix) + 1))
    return number * Fraction(f"1e{_DECIMAL[suffix]}")
