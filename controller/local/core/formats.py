"""The string formats that a custom resource's schema may ask for, checked as the API server checks them.

Formats that the server does not know are ignored. Source: apiextensions.k8s.io/v1 JSONSchemaProps, `format`;
k8s.io/kube-openapi strfmt.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
from collections.abc import Callable
from email.utils import parseaddr
from urllib.parse import urlsplit


def _pattern(expression: str, flags: re.RegexFlag = re.ASCII) -> Callable[[str], bool]:
    compiled = re.compile(expression, flags)
    return lambda text: compiled.fullmatch(text) is not None


_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.][0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))")
_GO_DURATION = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_WORD_DURATION = re.compile(r"(\d+)\s*([A-Za-zµ]+)", re.ASCII)
_UNITS = (
    ("ns", "nano"), ("us", "µs", "micro"), ("ms", "milli"), ("s", "sec"), ("m", "min"), ("h", "hr", "hour"),
    ("d", "day"), ("w", "wk", "week"),
)  # fmt: skip
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_HOST_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")


def _date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _date_time(text: str) -> bool:
    day, separator, rest = text.lower().partition("t")
    match = _TIME.search(rest)
    if not separator or not _date(day) or match is None:
        return False
    return match[1] <= "23" and match[2] <= "59" and match[3] <= "59"


def _duration(text: str) -> bool:
    if text == "0" or _GO_DURATION.fullmatch(text):
        return True
    for _, unit in _WORD_DURATION.findall(text):
        for variants in _UNITS:
            if unit.lower() in variants or unit.lower().startswith(variants[-1]):
                return True
    return False


def _hostname(text: str) -> bool:
    labels = text.split(".")
    if len(text.encode()) > 255 or any(not _HOST_LABEL.fullmatch(label) for label in labels) or "_" in text:
        return False
    return len(labels) == 1 or re.fullmatch(r"[^\W\d_]{2,63}", labels[-1]) is not None


def _address(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        if version == 4 and re.fullmatch(r"\d{1,3}(?:\.\d{1,3}){3}", text, re.ASCII):
            return all(int(part) <= 255 for part in text.split("."))  # leading zeros pass, as before Go 1.17
        try:
            return ipaddress.ip_address(text).version == version and "%" not in text
        except ValueError:
            return False

    return check


def _cidr(text: str) -> bool:
    host, slash, bits = text.partition("/")
    if not slash or not bits.isascii() or not bits.isdigit():
        return False
    return (_address(4)(host) and int(bits) <= 32) or (_address(6)(host) and int(bits) <= 128)


def _uri(text: str) -> bool:
    if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    if text.startswith("/"):
        return True
    return bool(parts.scheme) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) is not None


def _email(text: str) -> bool:
    address = parseaddr(text)[1]
    local, at, domain = address.rpartition("@")
    return bool(local and at and domain) and not re.search(r"\s", address) and ".." not in address


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return bool(text)


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    total = sum(
        digit if index % 2 == 0 else sum(divmod(2 * digit, 10)) for index, digit in enumerate(digits[::-1])
    )
    brand = r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|"
    brand += r"3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})"
    return total % 10 == 0 and re.fullmatch(brand, "".join(map(str, digits))) is not None


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{9}[0-9X]", digits):
        return False
    return (
        sum((10 - index) * (10 if char == "X" else int(char)) for index, char in enumerate(digits)) % 11 == 0
    )


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    return sum(int(char) * (3 if index % 2 else 1) for index, char in enumerate(digits)) % 10 == 0


def _uuid(third: str, fourth: str = "[0-9a-f]") -> Callable[[str], bool]:
    expression = f"[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{third}[0-9a-f]{{3}}-?{fourth}[0-9a-f]{{3}}-?[0-9a-f]{{12}}"
    return _pattern(expression, re.ASCII | re.IGNORECASE)


_COLOUR_PART = r"\s*(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\s*"

FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(r"[0-9a-fA-F]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _address(4),
    "ipv6": _address(6),
    "cidr": _cidr,
    "mac": _pattern(
        r"(?:[0-9a-fA-F]{2}([:-]))(?:[0-9a-fA-F]{2}\1){4}(?:[0-9a-fA-F]{2}\1[0-9a-fA-F]{2}\1)?[0-9a-fA-F]{2}"
    ),
    "uuid": _uuid("[0-9a-f]"),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _luhn,
    "ssn": _pattern(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _pattern(r"#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _pattern(rf"rgb\({_COLOUR_PART},{_COLOUR_PART},{_COLOUR_PART}\)"),
    "byte": _base64,
    "password": lambda _: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "k8sshortname": lambda text: len(text) <= 63 and _pattern(_LABEL)(text),
    "k8slongname": lambda text: len(text) <= 253 and _pattern(rf"{_LABEL}(?:\.{_LABEL})*")(text),
}
"""Checks by format name without its dashes, as the server compares them."""


def known(schema_type: str, name: str) -> str:
    """`name` where a schema of `schema_type` ("" for any) may use it, else "": unknown formats are ignored."""
    match schema_type:
        case "" | "string":
            return name if name.replace("-", "") in FORMATS else ""
        case "integer":
            return name if name in ("int32", "int64") else ""
        case "number":
            return name if name in ("float", "double") else ""
        case _:
            return ""
