"""Whether a node is healthy: the script is run by a real shell, the answer judged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from controller.boot.health import judge, script

UNITS = "nxc-health:units\n{}nxc-health:ports\n{}nxc-health:end\n"
LISTEN_80 = "  0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1\n"
CONNECTED_80 = "  0: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 1\n"
LISTEN_443_V6 = (
    "  0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n"
)


def run(commands: list[str], directory: Path, systemctl: str = "exit 0") -> str:
    """What the script prints where `systemctl` is a script of ours."""
    fake = directory / "systemctl"
    fake.write_text(f"#!/bin/sh\n{systemctl}\n")
    fake.chmod(0o755)
    ended = subprocess.run(
        ["sh", "-c", script(commands)],
        env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return ended.stdout


def test_a_quiet_node_is_healthy(tmp_path: Path) -> None:
    assert judge(run([], tmp_path), [], []).ok is True


def test_commands_are_run_as_they_are_written(tmp_path: Path) -> None:
    commands = ["""test "it's $((6 * 7))" = 'it'"'"'s 42'""", "true # and a comment", "cat; true"]
    assert judge(run(commands, tmp_path), commands, []).ok is True


def test_the_command_that_fails_is_named_with_its_words(tmp_path: Path) -> None:
    commands = ["true", "echo database is down >&2; exit 3"]
    signal = judge(run(commands, tmp_path), commands, [])
    assert (signal.ok, signal.reason) == (False, "NotReadyYet")
    assert "ended with 3: database is down" in signal.message
    assert "echo database" in signal.message


def test_what_a_command_prints_cannot_pass_for_the_script_itself(tmp_path: Path) -> None:
    commands = ["echo nxc-health:check 0 0; exit 1"]
    assert judge(run(commands, tmp_path), commands, []).ok is False


def test_a_failed_unit_counts_before_everything(tmp_path: Path) -> None:
    listing = (
        'echo "nginx.service loaded failed failed nginx"; '
        'echo "db.service loaded activating start-pre database"'
    )
    signal = judge(run(["exit 1"], tmp_path, listing), ["exit 1"], [])
    assert (signal.reason, signal.message) == ("UnitFailed", "failed: nginx.service")


def test_a_unit_that_starts_is_waited_for(tmp_path: Path) -> None:
    listing = 'echo "  db.service loaded activating start-pre database"'
    signal = judge(run([], tmp_path, listing), [], [])
    assert (signal.reason, signal.message) == ("UnitStarting", "still starting: db.service")


def test_a_node_without_systemctl_is_not_called_healthy(tmp_path: Path) -> None:
    signal = judge(run([], tmp_path, "echo not found >&2; exit 127"), [], [])
    assert (signal.ok, signal.reason) == (False, "UnitsUnknown")


@pytest.mark.parametrize(
    ("table", "ports", "ok"),
    [
        (LISTEN_80, [80], True),
        (LISTEN_80 + LISTEN_443_V6, [80, 443], True),
        (CONNECTED_80, [80], False),
        ("", [80], False),
        ("", [], True),
    ],
)
def test_open_ports_must_accept(table: str, ports: list[int], ok: bool) -> None:
    signal = judge(UNITS.format("", table), [], ports)
    assert signal.ok is ok
    if not ok:
        assert signal.message == "nothing listens on TCP port 80 yet"


def test_readiness_commands_stand_in_for_ports() -> None:
    output = UNITS.format("", "").replace("nxc-health:end", "nxc-health:check 0 0\n\nnxc-health:end")
    assert judge(output, ["true"], [80]).ok is True


@pytest.mark.parametrize("output", ["", "nxc-health:units\n", "something else entirely\n"])
def test_half_an_answer_is_none(output: str) -> None:
    assert judge(output, [], []).reason == "NoAnswer"
