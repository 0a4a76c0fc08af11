"""What names, labels and annotations may look like.

Rules and texts: k8s.io/apimachinery `util/validation`; RFC 1123 (names), RFC 1035 (services and kinds).
"""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = rf"({_QUALIFIED})?"
_DNS1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})\Z", re.ASCII)


_label = _compiled(_LABEL)
_subdomain = _compiled(_SUBDOMAIN)
_qualified = _compiled(_QUALIFIED)
_value = _compiled(_VALUE)
_dns1035 = _compiled(_DNS1035)
_config_key = _compiled(_CONFIG_KEY)


def _pattern_error(message: str, pattern: str, *examples: str) -> str:
    shown = "".join(f"'{example}',  or " for example in examples[:-1]) + f"'{examples[-1]}'"
    return f"{message} (e.g. {shown}, regex used for validation is '{pattern}')"


SUBDOMAIN_ERROR = _pattern_error(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
LABEL_ERROR = _pattern_error(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
DNS1035_ERROR = _pattern_error(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character",
    _DNS1035,
    "my-name",
    "abc-123",
)
QUALIFIED_ERROR = _pattern_error(
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
VALUE_ERROR = _pattern_error(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
CONFIG_KEY_ERROR = _pattern_error(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} characters"


@lru_cache(4096)
def subdomain_errors(name: str) -> tuple[str, ...]:
    """What is wrong with an object's name (RFC 1123 subdomain, at most 253 characters)."""
    errors = (_too_long(253),) if len(name) > 253 else ()
    return errors if _subdomain.match(name) else (*errors, SUBDOMAIN_ERROR)


def label_errors(name: str) -> tuple[str, ...]:
    """What is wrong with a namespace's name (RFC 1123 label, at most 63 characters)."""
    errors = (_too_long(63),) if len(name) > 63 else ()
    return errors if _label.match(name) else (*errors, LABEL_ERROR)


def dns1035_errors(name: str) -> tuple[str, ...]:
    errors = (_too_long(63),) if len(name) > 63 else ()
    return errors if _dns1035.match(name) else (*errors, DNS1035_ERROR)


def path_segment_errors(name: str) -> tuple[str, ...]:
    """What is wrong with the name of a role or binding, which only has to fit into a URL."""
    if name in (".", ".."):
        return (f"may not be '{name}'",)
    return tuple(f"may not contain '{mark}'" for mark in "/%" if mark in name)


@lru_cache(4096)
def qualified_errors(key: str) -> tuple[str, ...]:
    """What is wrong with a label key, annotation key or finalizer: `[prefix/]name`."""
    prefix, separator, name = key.rpartition("/")
    errors: tuple[str, ...] = ()
    if separator:
        if not prefix:
            errors += ("prefix part must be non-empty",)
        elif "/" in prefix:
            message = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', "
            message += "and must start and end with an alphanumeric character"
            shown = _pattern_error(message, _QUALIFIED, "MyName", "my.name", "123-abc")
            return (f"{shown} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
        else:
            errors += tuple(f"prefix part {error}" for error in subdomain_errors(prefix))
    if not name:
        errors += ("name part must be non-empty",)
    elif len(name) > 63:
        errors += (f"name part {_too_long(63)}",)
    if not _qualified.match(name):
        errors += (f"name part {QUALIFIED_ERROR}",)
    return errors


@lru_cache(4096)
def label_value_errors(value: str) -> tuple[str, ...]:
    errors = (_too_long(63),) if len(value) > 63 else ()
    return errors if _value.match(value) else (*errors, VALUE_ERROR)


def config_key_errors(key: str) -> tuple[str, ...]:
    """What is wrong with a key of a ConfigMap's or Secret's data."""
    errors = (_too_long(253),) if len(key) > 253 else ()
    if not _config_key.match(key):
        return (*errors, CONFIG_KEY_ERROR)
    if key in (".", ".."):
        return (*errors, f"must not be '{key}'")
    return (*errors, "must not start with '..'") if key.startswith("..") else errors
