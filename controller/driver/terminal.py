"""What may be shown on a terminal of text that somebody else wrote."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])|\r(?=\n|$)")


def printable(text: str) -> str:
    """The text without sequences that command a terminal (ECMA-48) and with other control characters shown.

    Output of nodes is their users': it may recolour, retitle or type into the terminal of whoever reads it.
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", _SEQUENCE.sub("", text))
