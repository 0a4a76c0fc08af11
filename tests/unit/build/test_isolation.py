"""What is said of a host's isolation, and of what it lacks."""

from __future__ import annotations

import argparse
import pwd
from pathlib import Path

import pytest

from controller.build import commands, isolation
from controller.build.isolation import Isolation
from controller.build.system import System
from controller.model.errors import NxcError
from controller.testbeds.cgroups import Groups

FULL = Isolation((59911, 59911), True, Groups(2, (Path("/sys/fs/cgroup/x"),)))


def test_full_isolation_is_told() -> None:
    assert FULL.full
    assert str(FULL) == (
        "isolated: user 59911, own namespaces, no network, sandboxed builders; limits by control groups (version 2)"
    )
    assert commands.describe(FULL, "/usr/bin/nix-store")[-1] == "verdict     compositions may be hostile"


@pytest.mark.parametrize(
    "lesser",
    [
        Isolation(
            None, True, Groups(unavailable="no control groups"), ("Nix runs as the controller's user",)
        ),
        Isolation((1, 1), False, Groups(unavailable="no control groups"), ("builders have no sandbox",)),
    ],
)
def test_what_is_lacking_is_told(lesser: Isolation) -> None:
    assert not lesser.full
    assert str(lesser) == f"trusted: {lesser.lacks[0]}; limits by process only (no control groups)"
    told = commands.describe(lesser, "/usr/bin/nix-store")
    assert f"lacks       {lesser.lacks[0]}" in told
    assert told[-1] == "verdict     compositions must be trusted (--trust-compositions)"


def test_a_uid_that_belongs_to_somebody_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = pwd.struct_passwd(("alice", "x", isolation.USER, isolation.USER, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: entry)
    with pytest.raises(NxcError, match="belongs to alice; add a system user nxc-nix"):
        isolation.nix_user()


def test_a_system_user_of_that_name_is_taken_unless_it_is_root(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, fine in ((998, True), (0, False)):
        entry = pwd.struct_passwd(("nxc-nix", "x", uid, 997, "", "/", "/bin/sh"))
        monkeypatch.setattr(pwd, "getpwnam", lambda _, entry=entry: entry)
        if fine:
            assert isolation.nix_user() == (998, 997)
        else:
            with pytest.raises(NxcError, match="is root or the controller's own"):
                isolation.nix_user()


def test_a_host_without_nix_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert commands.run(argparse.Namespace()) == 2
    assert "nix-store is not on the PATH; install Nix 2.8 or newer" in capsys.readouterr().out


def test_another_system_shows_its_own_programs(tmp_path: Path) -> None:
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "lib"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/bin/nix").touch()
    system = System(str(tmp_path))
    assert system.tool("nix") == "/usr/bin/nix"
    assert (f"{tmp_path}/usr/bin", "/usr/bin", "ro") in system.binds()
    assert (f"{tmp_path}/lib", "/lib", "ro") in system.binds()
    assert system.links() == {"/bin": "usr/bin", "/lib64": "usr/lib64"}
    with pytest.raises(NxcError, match="nix-store is not on the PATH"):
        system.tool("nix-store")


def test_a_nix_that_lies_in_the_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nix-store").symlink_to("/nix/store/00000000000000000000000000000000-nix/bin/nix-store")
    monkeypatch.setattr("shutil.which", lambda _: str(tmp_path / "nix-store"))
    with pytest.raises(
        NxcError, match="lies in /nix/store, which the controller's own store takes the place of"
    ):
        System().tool("nix-store")
