from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.model.errors import UserError
from controller.plugin import connect
from controller.plugin.connect import tmux_commands
from tests.unit.plugin.stand_in import nodes


def test_every_node_gets_a_pane_and_nine_a_window():
    panes = [(f"n{index}", ["echo", "a b", str(index)]) for index in range(10)]
    commands = tmux_commands("nxc-web", panes, inside=False, together=True)
    made = [command for command in commands if command[0] in ("new-session", "new-window", "split-window")]
    assert [command[0] for command in made] == ["new-session", *["split-window"] * 8, "new-window"]
    assert made[0][-1] == "echo 'a b' 0"
    assert [command[-1] for command in commands if command[0] == "select-pane"] == [name for name, _ in panes]
    assert sum("synchronize-panes" in command for command in commands) == 2


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux on this machine")
def test_tmux_takes_these_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMUX_TMPDIR", str(tmp_path))
    monkeypatch.delenv("TMUX", raising=False)
    panes = [("alice", ["sleep", "60"]), ("bob", ["sleep", "60"])]
    try:
        for command in tmux_commands("nxc-web", panes, inside=False, together=False):
            connect._tmux(*command)
        said = subprocess.run(
            ["tmux", "list-panes", "-t", "nxc-web", "-F", "#{pane_title}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.split() == ["alice", "bob"]
    finally:
        subprocess.run(["tmux", "kill-server"], check=False)


def test_without_tmux_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"no tmux .* name one node instead"):
        connect.tmux("nxc-web", [("a", ["true"]), ("b", ["true"])])


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh on this machine")
async def test_openssh_logs_in_with_the_pinned_key_and_with_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The real ssh against the stand-in; its configuration runs no command, so that one is added."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with nodes("alice", "mallory") as (made, who):
        alice, mallory = made
        assert await _ssh(alice.target(), who, "echo $((40 + 2))") == (0, "42\n")
        alice.port = mallory.port
        status, _ = await _ssh(alice.target(), who, "true")
        assert status == 255
        assert mallory.commands == []
    assert os.listdir(tmp_path) == []


async def _ssh(target, who, command: str) -> tuple[int, str]:
    import asyncio

    from controller.plugin import keyring, openssh

    with keyring.temporary([target], who) as written:
        process = await asyncio.create_subprocess_exec(
            *openssh.command(written.config, target.host, [command]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode is not None
        return process.returncode, output.decode()
