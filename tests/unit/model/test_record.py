"""Records of earlier and later versions, and damaged ones: used where that is possible, never a crash."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.record import Unreadable, read


def name(value: dict[str, Any]) -> str:
    return str(value["name"])


@pytest.mark.parametrize(
    "text", [b'{"name": "x"}', b'{"version": 1, "name": "x"}', b'{"version": 2, "name": "x"}']
)
def test_records_of_this_version_and_of_earlier_ones_are_read(text: bytes) -> None:
    assert read(text, 2, name) == "x"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"version": 3, "name": "x"}', "a later version of the operator"),
        (b"", "no JSON"),
        (b'{"version": 2, "na', "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no JSON object"),
        (b'{"version": "new"}', "version 'new'"),
        (b'{"version": 2}', "'name' is missing"),
    ],
)
def test_one_that_cannot_be_used_says_why(text: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(text, 2, name)


def test_a_field_that_makes_no_sense_is_told() -> None:
    with pytest.raises(Unreadable, match="invalid literal"):
        read(b'{"name": "x"}', 1, lambda value: int(value["name"]))
