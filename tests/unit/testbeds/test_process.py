"""Processes that outlive who started them: real ones, found again by the lock that they hold."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from controller.model.errors import TestbedError
from controller.testbeds.process import Command, adopt, held, start

SLEEP = ("sleep", "60")


def command(directory: Path, *argv: str, daemon: bool = False) -> Command:
    return Command(argv or SLEEP, directory, directory / "output", daemon=daemon)


async def ended(process: object, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        await process.ended()  # type: ignore[attr-defined]


async def test_a_process_holds_its_lock_until_it_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert not held(lock)
    process = await start(command(tmp_path), lock)
    assert held(lock)
    assert process.alive
    process.kill()
    await ended(process)
    assert not held(lock)
    assert process.status == -signal.SIGKILL


async def test_its_end_is_noticed_at_once_and_its_status_known(tmp_path: Path) -> None:
    process = await start(command(tmp_path, "sh", "-c", "sleep 0.2; exit 7"), tmp_path / "lock")
    began = asyncio.get_running_loop().time()
    await ended(process)
    assert process.status == 7
    assert asyncio.get_running_loop().time() - began < 2


async def test_it_is_found_again_by_who_did_not_start_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    first = await start(command(tmp_path), lock)
    first.forget()
    again = await adopt(lock)
    assert again is not None
    assert again.pid == first.pid
    again.kill()
    await ended(again)
    assert await adopt(lock) is None
    await asyncio.to_thread(os.waitpid, first.pid, 0)


async def test_nothing_is_found_where_nothing_ran(tmp_path: Path) -> None:
    assert await adopt(tmp_path / "lock") is None
    (tmp_path / "lock").touch()
    assert await adopt(tmp_path / "lock") is None


async def test_it_runs_once(tmp_path: Path) -> None:
    process = await start(command(tmp_path), tmp_path / "lock")
    with pytest.raises(TestbedError, match="runs already"):
        await start(command(tmp_path), tmp_path / "lock")
    process.kill()
    await ended(process)


async def test_a_start_that_is_cancelled_leaves_a_process_that_is_found(tmp_path: Path) -> None:
    task = asyncio.create_task(start(command(tmp_path), tmp_path / "lock"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    process = await adopt(tmp_path / "lock")
    if process is not None:  # cancelled before or after the fork: both are sound
        process.kill()
        await ended(process)
        await asyncio.to_thread(os.waitpid, process.pid, 0)
    assert not held(tmp_path / "lock")


async def test_it_survives_the_death_of_who_started_it(tmp_path: Path) -> None:
    """The starter is a process of its own, killed at once; as the kernel's out-of-memory killer does it."""
    script = (
        "import asyncio, os, pathlib, signal\n"
        "from controller.testbeds.process import Command, start\n"
        f"d = pathlib.Path({str(tmp_path)!r})\n"
        "async def main():\n"
        "    await start(Command(('sleep', '60'), d, d / 'output'), d / 'lock')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    starter = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], timeout=30)
    assert starter.returncode == -signal.SIGKILL
    process = await adopt(tmp_path / "lock")
    assert process is not None
    assert os.getsid(process.pid) == process.pid
    process.kill()
    await ended(process)


async def test_a_daemon_is_found_behind_its_starter(tmp_path: Path) -> None:
    script = "sleep 60 & exit 0"
    process = await start(command(tmp_path, "sh", "-c", script, daemon=True), tmp_path / "lock")
    async with asyncio.timeout(5):
        while b"sleep\x0060" not in await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_bytes):
            await asyncio.sleep(0.01)
    process.kill()
    await ended(process)


async def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(TestbedError, match="no-such-program cannot be started"):
        await start(command(tmp_path, "no-such-program"), tmp_path / "lock")
    failing = command(tmp_path, "sh", "-c", "echo no switch today >&2; exit 3", daemon=True)
    with pytest.raises(TestbedError, match="ended with 3: no switch today"):
        await start(failing, tmp_path / "lock")
    with pytest.raises(TestbedError, match="ended at once"):
        await start(command(tmp_path, "true", daemon=True), tmp_path / "lock")
    assert not held(tmp_path / "lock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run something as somebody else")
async def test_as_somebody_else_it_has_no_more_rights_than_that() -> None:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own may not be entered by others
        os.chown(directory, 61184, 61184)
        place = Path(directory)
        asked = Command(("sh", "-c", "id -u; id -g; id -G"), place, place / "output", user=61184)
        process = await start(asked, place / "lock")
        await ended(process)
        assert (place / "output").read_text().split() == ["61184", "61184", "61184"]
