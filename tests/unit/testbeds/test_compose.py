"""docker compose: found where it is new enough, and run with an environment of ours alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.errors import TestbedError
from controller.testbeds import compose


def program(directory: Path, script: str) -> Path:
    directory.mkdir(exist_ok=True)
    path = directory / "docker-compose"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


async def test_an_old_one_on_the_path_is_passed_over_for_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "old", "echo 1.29.2")
    plugin = program(tmp_path / "plugins", "echo v2.26.1")
    monkeypatch.setenv("PATH", str(tmp_path / "old"))
    monkeypatch.setattr(compose, "PLUGINS", (str(tmp_path / "plugins"),))
    assert (await compose.find("unix:///d.sock")).program == plugin

    monkeypatch.setattr(compose, "PLUGINS", ())
    with pytest.raises(TestbedError, match=r"version 2 or newer.*1\.29\.2") as caught:
        await compose.find("unix:///d.sock")
    assert caught.value.reason == "ProgramMissing"


async def test_it_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret")
    found = compose.Compose(program(tmp_path, '/usr/bin/env; echo "$@"; exit 3'), "unix:///d.sock")
    outcome = await found.up(tmp_path / "compose.yaml", "nxc-1", ["server", "client"])
    assert outcome.status == 3
    lines = outcome.said.splitlines()
    names = {line.partition("=")[0] for line in lines[:-1]}
    assert names <= {"DOCKER_HOST", "DOCKER_CONFIG", "PWD", "SHLVL", "_", "OLDPWD"}
    assert "DOCKER_HOST=unix:///d.sock" in lines
    assert lines[-1].endswith("up --detach --no-recreate --no-deps --pull never -- server client")


async def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    hangs = program(tmp_path, "exec sleep 60")
    with pytest.raises(TestbedError, match="did not end within"):
        await compose._run(hangs, directory=tmp_path, environment={"PATH": "/usr/bin:/bin"}, seconds=0.2)
