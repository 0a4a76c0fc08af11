"""Nix's structured log becomes progress and text, whatever comes."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.build.log import Log, Progress, plain

DRV = "/nix/store/00000000000000000000000000000000-{}.drv"


def event(**fields: Any) -> bytes:
    return b"@nix " + json.dumps(fields).encode() + b"\n"


def start(number: int, name: str) -> bytes:
    return event(action="start", id=number, type=105, fields=[DRV.format(name), "", 1, 1])


TOTALS = event(action="start", id=1, type=104)


def totals(*numbers: int) -> bytes:
    return event(action="result", id=1, type=105, fields=list(numbers))


def test_progress_reads_as_people_say_it() -> None:
    log = Log()
    log.feed(
        TOTALS
        + totals(12, 40, 3, 0)
        + start(2, "foo-1.2")
        + start(3, "bar")
        + start(4, "baz")
        + start(5, "more")
    )
    assert str(log.progress) == "12/40 built, 3 running: foo-1.2, bar, baz, …"
    log.feed(event(action="stop", id=2) + event(action="stop", id=4) + event(action="stop", id=5))
    log.feed(totals(14, 40, 1, 1))
    assert str(log.progress) == "14/40 built, 1 running: bar, 1 failed"
    assert str(Progress()) == "0/0 built"


def test_totals_of_other_activities_are_not_taken_for_builds() -> None:
    log = Log()
    log.feed(TOTALS + totals(1, 2, 0, 0) + event(action="result", id=9, type=105, fields=[7, 7, 7, 7]))
    assert str(log.progress) == "1/2 built"


def test_lines_of_builders_carry_the_name_of_the_build() -> None:
    log = Log()
    lines = log.feed(
        start(2, "foo") + event(action="result", id=2, type=101, fields=["\x1b[1mmake\x1b[0m: \x07done"])
    )
    assert lines == ["building foo", "foo> make: done"]
    assert log.tail(DRV.format("foo")) == ("make: done",)
    assert log.size == len("\x1b[1mmake\x1b[0m: \x07done") + 1


def test_errors_and_warnings_are_kept_and_chatter_is_not() -> None:
    log = Log()
    lines = log.feed(
        event(action="msg", level=0, msg="\x1b[31;1merror:\x1b[0m builder failed;\n       last line")
        + event(action="msg", level=1, msg="warning: careful")
        + event(action="msg", level=5, msg="copying")
        + event(
            action="msg",
            level=0,
            msg="warning: you did not specify '--add-root'; the result might be removed",
        )
    )
    assert lines == ["error: builder failed;", "       last line", "warning: careful"]
    assert log.errors == ("builder failed;\n       last line",)


def test_what_is_not_structured_is_kept_as_text() -> None:
    log = Log()
    assert log.feed(b"error: plain\nhal") == ["error: plain"]
    assert log.feed(b"f\n") == ["half"]
    assert log.errors == ("plain",)
    log.feed(b"no newline")
    assert log.close() == ["no newline"]
    assert log.close() == []


def test_a_builder_cannot_pose_as_nix() -> None:
    log = Log()
    forged = json.dumps({"action": "msg", "level": 0, "msg": "error: forged"})
    lines = log.feed(start(2, "foo") + event(action="result", id=2, type=101, fields=[f"@nix {forged}"]))
    assert log.errors == ()
    assert lines[-1].startswith("foo> @nix ")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
events = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["start", "stop", "result", "msg", "other"]) | values,
        "id": st.integers(0, 6) | values,
        "type": st.sampled_from([101, 104, 105, 106]) | values,
        "level": st.integers(-1, 7) | values,
        "fields": st.lists(st.integers(-3, 9) | st.just(DRV.format("x")) | values, max_size=5) | values,
        "msg": st.text(max_size=30) | values,
    },
)


@given(
    st.lists(st.binary(max_size=40) | events.map(lambda fields: event(**fields)), max_size=30),
    st.integers(1, 50),
)
def test_anything_may_come_in_pieces_of_any_size(pieces: list[bytes], step: int) -> None:
    data = b"".join(pieces)
    whole, parts = Log(), Log()
    lines = whole.feed(data) + whole.close()
    others = [
        line for at in range(0, len(data), step) for line in parts.feed(data[at : at + step])
    ] + parts.close()
    assert lines == others
    assert whole.progress == parts.progress
    assert whole.errors == parts.errors
    assert str(whole.progress)
    assert all("\n" not in line and "\x1b" not in line for line in lines)
    assert (
        min(whole.progress.done, whole.progress.expected, whole.progress.running, whole.progress.failed) >= 0
    )


def test_memory_is_bounded() -> None:
    log = Log()
    line = event(action="result", id=2, type=101, fields=["x" * 10_000])
    tracemalloc.start()
    for number in range(3000):
        log.feed(start(number, f"build-{number}") + line + b"y" * 20_000)
        log.feed(event(action="msg", level=0, msg="error: " + "z" * 10_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20
    assert log.size == 3000 * 10_001 - 3000 * 0


def test_a_line_without_an_end_is_cut() -> None:
    log = Log()
    for _ in range(100):
        assert log.feed(b"x" * 100_000) == []
    (line,) = log.close()
    assert len(line) <= 1 << 16


@given(st.text())
def test_plain_text_has_no_controls_left(text: str) -> None:
    assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in plain(text))
