"""One control plane per state directory."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controller.local.errors import LocalError, StateError
from controller.local.state import StateDirectory, default_directory, running_server


def test_the_directory_is_private(tmp_path: Path) -> None:
    with StateDirectory.claim(tmp_path / "deep" / "state") as directory:
        assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700


def test_a_second_claim_says_who_holds_it(tmp_path: Path) -> None:
    with StateDirectory.claim(tmp_path) as directory:
        directory.announce("https://127.0.0.1:16443")
        with pytest.raises(StateError) as refusal:
            StateDirectory.claim(tmp_path)
        assert str(tmp_path) in str(refusal.value)
        assert f"process {os.getpid()}" in str(refusal.value)
        assert "https://127.0.0.1:16443" in str(refusal.value)
        assert running_server(tmp_path) == "https://127.0.0.1:16443"
    StateDirectory.claim(tmp_path).release()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from controller.local.state import StateDirectory
held = StateDirectory.claim(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(StateError, match=f"process {process.pid}"):
        StateDirectory.claim(tmp_path)
    process.kill()
    process.wait(10)
    process.stdout.close()
    StateDirectory.claim(tmp_path).release()


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text("a file")
    with pytest.raises(StateError, match=rf"{path}.*--state"):
        StateDirectory.claim(path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StateError, match=r"cannot be written.*--state"):
        StateDirectory.claim(tmp_path / "file" / "state")


def test_no_server_runs_on_a_state_at_rest(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="no state directory"):
        running_server(tmp_path)
    StateDirectory.claim(tmp_path).release()
    with pytest.raises(LocalError, match="nxc-controller up"):
        running_server(tmp_path)


def test_a_server_that_starts_is_asked_again(tmp_path: Path) -> None:
    with StateDirectory.claim(tmp_path), pytest.raises(LocalError, match="just starting"):
        running_server(tmp_path)


def test_the_state_follows_the_xdg_specification(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "nxc-controller"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert default_directory() == Path("/home/somebody/.local/state/nxc-controller")
