"""Consoles: bounded on disk, readable for people."""

from __future__ import annotations

import subprocess
from pathlib import Path

from controller.testbeds import console


def test_the_last_lines_are_told_as_plain_text(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(
        b"c\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n\r\n\x1b[1;31mKernel panic\x1b[0m - not syncing\r\n\x00\x07end\xff\n"
    )
    assert console.tail(log) == "cSeaBIOS\nKernel panic - not syncing\nend\N{REPLACEMENT CHARACTER}"


def test_no_more_than_was_asked_for_and_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("".join(f"line {number}\n" for number in range(10000)))
    told = console.tail(log, 100)
    assert len(told) <= 100
    assert told.splitlines()[-1] == "line 9999"
    assert all(line.startswith("line ") for line in told.splitlines())


def test_a_machine_without_a_console_has_said_nothing(tmp_path: Path) -> None:
    assert console.tail(tmp_path / "none") == ""
    console.cut(tmp_path / "none")


def test_a_long_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * console.CUT_AT + b"\nlast\n")
        console.cut(log)
        assert log.stat().st_size == console.KEPT
        writer.write(b"after\n")
    assert console.tail(log, 100).splitlines()[-2:] == ["last", "after"]


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(b"short\n")
    console.cut(log)
    assert log.read_bytes() == b"short\n"


def test_a_writer_that_nobody_cuts_is_stopped_by_the_kernel(tmp_path: Path) -> None:
    flood = ["sh", "-c", f"head -c {2 * console.HARD_LIMIT} /dev/zero > {tmp_path}/log; echo still here"]
    ended = subprocess.run(console.bounded(flood), capture_output=True, text=True, timeout=60)
    assert (tmp_path / "log").stat().st_size == console.HARD_LIMIT
    assert "still here" in ended.stdout
