from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from controller.driver.target import Identity, Target
from controller.model.errors import UserError
from controller.plugin import keyring, openssh

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIlbXsoexQqYcSuZQx7IBBYMEzDGsPvEiBcOxHbnQmHz"
SERVER = Target("lab", "web", "server", "server", "127.0.0.1", 2201, KEY, ("server1",))
ALICE = Target("lab", "web", "client", "alice", "127.0.0.1", 2202, KEY)


def test_known_hosts_name_nodes_not_addresses():
    assert openssh.known_hosts([SERVER]) == f"server.web.lab.nxc {KEY}\n"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh on this machine")
@pytest.mark.parametrize("name", ["server", "server1", "server.web"])
def test_openssh_reads_the_configuration_as_it_is_meant(tmp_path: Path, name: str):
    directory = tmp_path / "with space, 100%"
    written = keyring.write(directory, [SERVER, ALICE], Identity("root", key="secret"), via="me@login")
    said = subprocess.run(
        ["ssh", "-F", written.config, "-G", name], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for expected in (
        "hostname 127.0.0.1",
        "port 2201",
        "user root",
        "hostkeyalias server.web.lab.nxc",
        "stricthostkeychecking true",
        "identitiesonly yes",
        "proxycommand ssh -W [%h]:%p -- me@login",
    ):
        assert expected in said
    assert f"userknownhostsfile {str(directory).replace('%', '%%')}/known_hosts" in said or any(
        line.startswith("userknownhostsfile ") and line.endswith("/known_hosts") for line in said
    )


def test_the_files_are_for_their_owner_alone(tmp_path: Path):
    directory = tmp_path / "a"
    directory.mkdir(mode=0o755)
    keyring.write(directory, [SERVER], Identity("root", key="secret"))
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()} == {0o600}
    assert sorted(file.name for file in directory.iterdir()) == ["config", "key", "known_hosts"]


def test_temporary_files_are_gone_afterwards_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def interrupted() -> None:
        with keyring.temporary([SERVER], Identity("root", key="secret")) as written:
            assert written.identity.read_text() == "secret"
            assert written.identity.is_relative_to(tmp_path)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_key_of_ones_own_is_not_copied(tmp_path: Path):
    mine = tmp_path / "id"
    mine.write_text("mine")
    written = keyring.write(tmp_path / "d", [SERVER], Identity("me", file=mine))
    assert written.identity == mine
    assert not (tmp_path / "d" / "key").exists()


@pytest.mark.parametrize("via", ["-oProxyCommand=evil", "a b", "a;b", "$(a)", ""])
def test_a_way_that_is_no_host_is_refused(via: str):
    with pytest.raises(UserError, match="--via"):
        openssh.checked_via(via)


@pytest.mark.parametrize("user", ["-l", "a b", "", "root;x"])
def test_a_user_that_is_none_is_refused(user: str):
    with pytest.raises(UserError, match="--user"):
        openssh.checked_user(user)
