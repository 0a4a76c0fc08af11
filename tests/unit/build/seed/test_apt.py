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


def lively_apt(folder: Path, ours: Path, *, before: str = "", after: str) -> None:
    """An apt that has the indexes `before`, and `after` an update into our directory."""
    program(
        folder,
        "apt-get",
        f"""case "$*" in
  *update*) printf '%s' "$*" > {folder}/said; touch {ours}/fetched ;;
  *) if [ -e {ours}/fetched ]; then echo '{after}'; else echo '{before}'; fi | grep . || true ;;
esac""",
    )


async def test_lists_that_are_missing_are_fetched_into_a_directory_of_ours(
    programs: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "apt"
    lively_apt(programs, ours, after="Debian|bookworm|amd64|http://mirror.test/|/fresh")
    assert [source.file for source in await Apt(ours).sources(CHOSEN)] == ["/fresh"]
    assert f"Dir::State::Lists={ours}/lists" in (programs / "said").read_text()


async def test_without_a_directory_of_ours_the_error_says_what_to_do(programs: Path, tmp_path: Path) -> None:
    lively_apt(programs, tmp_path, after="Debian|bookworm|amd64|http://mirror.test/|/fresh")
    with pytest.raises(TestbedError, match="and run: apt-get update"):
        await Apt().sources(CHOSEN)


async def test_a_machine_with_another_release_uses_its_own_mirrors(programs: Path, tmp_path: Path) -> None:
    ours = tmp_path / "apt"
    before = [
        "Debian|trixie|amd64|http://mirror.test/debian/|/a",
        "Debian|trixie-updates|amd64|http://mirror.test/debian/|/b",
        "Debian|trixie-backports|amd64|http://mirror.test/debian/|/c",
        "Debian|trixie-security|amd64|http://mirror.test/security/|/d",
    ]
    after = "Debian|bookworm|amd64|http://mirror.test/debian/|/fresh"
    lively_apt(programs, ours, before="\n".join(before), after=after)
    assert [source.file for source in await Apt(ours).sources(CHOSEN)] == ["/fresh"]
    lines = (ours / "sources.list").read_text().splitlines()
    assert [line.partition("http")[2] for line in lines] == [
        "://mirror.test/debian/ bookworm main",
        "://mirror.test/debian/ bookworm-updates main",
        "://mirror.test/security/ bookworm-security main",
    ]
    assert f"Dir::Etc::SourceList={ours}/sources.list" in (programs / "said").read_text()


async def test_an_update_that_fails_says_so_in_apts_words(programs: Path, tmp_path: Path) -> None:
    program(programs, "apt-get", 'case "$*" in *update*) echo "Err: no route" >&2; exit 100;; esac')
    with pytest.raises(TestbedError, match="failed: Err: no route"):
        await Apt(tmp_path / "apt").sources(CHOSEN)
