from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.quantity import (
    counted,
    format_bytes,
    format_precise,
    format_time,
    parse_duration,
    parse_quantity,
    parse_time,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2h", timedelta(hours=2)), ("1h30m", timedelta(minutes=90)), ("45s", timedelta(seconds=45))],
)
def test_durations(text: str, expected: timedelta):
    assert parse_duration(text) == expected


@pytest.mark.parametrize("text", ["", "2", "2d", "h", "1m1h", "-1h"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("256Mi", 2**28), ("1G", 10**9), ("512", 512), (7, 7)])
def test_sizes(text: str | int, size: int):
    assert parse_quantity(text) == size


@given(st.integers(0, 2**60))
def test_a_size_survives_its_writing(size: int):
    assert parse_quantity(format_bytes(size)) == size


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - made aware below
def test_a_time_survives_its_writing(naive: datetime):
    time = naive.replace(tzinfo=UTC)
    assert parse_time(format_precise(time)) == time
    assert parse_time(format_time(time)) == time.replace(microsecond=0)


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_an_unreadable_time_is_none(text: str | None):
    assert parse_time(text) is None


def test_one_is_not_many():
    assert [counted(number, "more node") for number in (0, 1, 2)] == [
        "0 more nodes",
        "1 more node",
        "2 more nodes",
    ]
