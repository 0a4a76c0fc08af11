"""`nxc-controller up`: two processes that start, live and end together."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.local import kubeconfig
from controller.local.up import main
from tests.local.plane import LocalProcess, http


@pytest.fixture
def up(tmp_path: Path) -> Iterator[LocalProcess]:
    process = LocalProcess(tmp_path, operator=True)
    try:
        yield process
    finally:
        if process.process is not None and process.process.poll() is None:
            process.kill()


def operator_of(pid: int) -> int:
    """The one child of `up`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def eventually(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def resident(pid: int) -> int:
    """Kilobytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found.group(1))


def test_it_starts_says_what_to_type_and_stops(up: LocalProcess) -> None:
    up.start()
    said = up.log.read_text()
    assert re.search(r"answers at https://127\.0\.0\.1:\d+ after \d+\.\d s", said)
    assert f"export KUBECONFIG={up.kubeconfig}" in said
    environment = {**os.environ, "KUBECONFIG": str(up.kubeconfig)}
    done = subprocess.run(
        ["kubectl", "get", "nxc"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert "testbed.nxc.dev/local" in done.stdout, done.stderr
    operator = operator_of(up.pid)
    assert resident(up.pid) + resident(operator) < 200_000
    started = time.monotonic()
    assert up.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 15
    assert not alive(operator)
    assert "Traceback" not in up.log.read_text()
    assert "Traceback" not in (up.state / "operator.log").read_text()


def test_ctrl_c_twice_is_quick(up: LocalProcess) -> None:
    up.start()
    operator = operator_of(up.pid)
    os.kill(operator, signal.SIGSTOP)  # an operator that does not end by itself
    assert up.process is not None
    up.process.send_signal(signal.SIGINT)
    eventually(lambda: "once more stops at once" in up.log.read_text(), "the first Ctrl-C is heard")
    started = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(10) == 130
    assert time.monotonic() - started < 2
    eventually(lambda: not alive(operator), "the operator is gone")


def test_an_operator_that_dies_is_started_again(up: LocalProcess) -> None:
    up.start()
    first = operator_of(up.pid)
    os.kill(first, signal.SIGKILL)

    def again() -> bool:
        children = Path(f"/proc/{up.pid}/task/{up.pid}/children").read_text().split()
        return bool(children) and int(children[0]) != first

    eventually(again, "there is a new operator")
    assert "the operator ended with code -9" in up.log.read_text()
    assert up.stop() == 0


def test_the_operator_does_not_outlive_a_killed_up(up: LocalProcess) -> None:
    up.start()
    operator = operator_of(up.pid)
    up.kill()
    eventually(lambda: not alive(operator), "the operator is gone")
    up.start()  # and the next one takes over at once
    assert up.stop() == 0


def test_a_stop_during_the_start_is_a_stop(up: LocalProcess) -> None:
    up.process = up.spawn()
    eventually((up.state / "operator.log").exists, "the operator is being started")
    assert up.stop() == 0


def test_an_operator_that_cannot_start_is_told_with_its_last_words(
    up: LocalProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken" / "kopf"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('kopf is broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    process = up.process = up.spawn()
    assert process.wait(60) == 1
    said = up.log.read_text()
    assert "nxc-controller up: the operator ended with code 1" in said
    assert "kopf is broken on purpose" in said
    assert str(up.state / "operator.log") in said


def test_an_address_beyond_loopback_is_warned_about(tmp_path: Path) -> None:
    process = LocalProcess(tmp_path, "--bind", "0.0.0.0")
    process.start()
    try:
        assert "Warning: 0.0.0.0 is not loopback" in process.log.read_text()
        assert kubeconfig.read(process.kubeconfig).server.startswith("https://127.0.0.1:")
        with http(process.kubeconfig) as client:
            assert client.get("/version").status_code == 200
    finally:
        process.stop()


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--port", port])
    assert "is not a port" in capsys.readouterr().err
