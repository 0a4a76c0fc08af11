"""Asking apt, played by scripts that say what the real ones say."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.build.seed import apt as module
from controller.build.seed.apt import Apt
from controller.build.seed.resolve import Selection
from controller.model.errors import TestbedError

CHOSEN = Selection("bookworm", "amd64", "x", ("x",), {}, {}, {}, {})
STANZA = "Package: curl\nVersion: 7\nArchitecture: {}\nFilename: pool/curl.deb\nSHA256: 00\nSize: 1\n\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def targets(folder: Path, *lines: str) -> None:
    program(folder, "apt-get", "cat <<'EOF'\n" + "\n".join(lines) + "\nEOF")


async def test_only_debians_own_repositories_of_the_release_count(programs: Path) -> None:
    targets(
        programs,
        "Debian|bookworm|amd64|http://mirror.test/debian/|/lists/a",
        "Debian|bookworm-security|amd64|http://mirror.test/security|/lists/b",
        "Debian|bookworm-updates|amd64|http://mirror.test/debian/|/lists/c",
        "Debian|bookworm-backports|amd64|http://mirror.test/debian/|/lists/d",
        "Debian|trixie|amd64|http://mirror.test/debian/|/lists/e",
        "Debian|bookworm|arm64|http://mirror.test/debian/|/lists/f",
        "Somebody|bookworm|amd64|http://other.test/|/lists/g",
    )
    assert [source.file for source in await Apt().sources(CHOSEN)] == ["/lists/a", "/lists/b", "/lists/c"]
    assert await Apt().bases(CHOSEN) == ["http://mirror.test/debian/", "http://mirror.test/security/"]


async def test_without_a_repository_the_error_says_what_to_add(programs: Path) -> None:
    targets(programs, "Debian|trixie|amd64|http://mirror.test/debian/|/lists/a")
    with pytest.raises(TestbedError, match=r"no repository of Debian bookworm: add one .*bookworm main"):
        await Apt().sources(CHOSEN)


async def test_a_mirror_that_is_no_web_server_is_said(programs: Path) -> None:
    targets(programs, "Debian|bookworm|amd64|cdrom:[Debian]/|/lists/a")
    with pytest.raises(TestbedError, match=r"not http\(s\): cdrom"):
        await Apt().bases(CHOSEN)


async def test_a_machine_without_apt_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TestbedError, match="apt-get is not on this machine"):
        await Apt().sources(CHOSEN)


async def test_apts_own_words_are_in_the_error(programs: Path) -> None:
    program(programs, "apt-get", "echo 'E: The list of sources could not be read.' >&2; exit 100")
    with pytest.raises(TestbedError, match=r"failed: E: The list of sources could not be read\."):
        await Apt().sources(CHOSEN)


async def test_apt_that_hangs_meets_a_limit(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "apt-get", "exec sleep 60")
    monkeypatch.setattr(module, "READ_SECONDS", 0.1)
    with pytest.raises(TestbedError, match=r"did not end within 0\.1 s"):
        await Apt().sources(CHOSEN)


@pytest.mark.parametrize(
    ("says", "proxy"),
    [
        ("", None),
        ("proxy='http://proxy.test:3142/'", "http://proxy.test:3142/"),
        ("proxy='DIRECT'", None),
        ("proxy=''", None),
    ],
)
async def test_the_proxy_is_the_one_that_apt_uses(programs: Path, says: str, proxy: str | None) -> None:
    program(programs, "apt-config", f'echo "{says}"')
    assert await Apt().proxy() == proxy


async def test_packages_of_other_architectures_are_not_looked_at(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = tmp_path / "list"
    lists.write_text(STANZA.format("arm64").replace("7", "9") + STANZA.format("amd64"))
    targets(programs, f"Debian|bookworm|amd64|http://mirror.test/debian/|{lists}")
    program(programs, "apt-helper", 'shift; cat "$1"')
    monkeypatch.setattr(module, "HELPER", str(programs / "apt-helper"))
    found = (await Apt().index(CHOSEN)).newest("curl")
    assert found is not None
    assert found.version.text == "7"


async def test_lists_that_are_missing_are_fetched_into_a_directory_of_ours(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "state" / "lists"
    program(
        programs,
        "apt-get",
        f"""case "$*" in
  *update*) printf '%s' "$*" > {tmp_path}/said; cp {tmp_path}/fresh {ours}/fresh ;;
  *Dir::State::Lists={ours}*) echo 'Debian|bookworm|amd64|http://mirror.test/|{ours}/fresh' ;;
  *) echo 'Debian|bookworm|amd64|http://mirror.test/|{tmp_path}/nowhere' ;;
esac""",
    )
    program(programs, "apt-helper", 'for last; do :; done; cat "$last"')
    monkeypatch.setattr(module, "HELPER", str(programs / "apt-helper"))
    (tmp_path / "fresh").write_text(STANZA.format("amd64"))
    assert (await Apt(ours).index(CHOSEN)).newest("curl") is not None
    assert f"Dir::State::Lists={ours}" in (tmp_path / "said").read_text()
    with pytest.raises(TestbedError, match="run: apt-get update"):
        await Apt().index(CHOSEN)
