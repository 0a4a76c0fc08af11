from __future__ import annotations

import pytest

from controller.driver.terminal import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünicode\ttab\nline", "plain ünicode\ttab\nline"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("\x1b]52;c;cGFzdGU=\x1b\\rest", "rest"),
        ("bell\x07 back\x08", "bell\\x07 back\\x08"),
        ("dos\r\nline", "dos\nline"),
        ("hidden\rshown", "hidden\\x0dshown"),
        ("\x9b31m", "\\x9b31m"),
        ("\x1b", "\\x1b"),
    ],
)
def test_nothing_commands_the_terminal(text: str, shown: str):
    assert printable(text) == shown
