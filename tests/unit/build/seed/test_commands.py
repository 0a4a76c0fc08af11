"""`nxc-controller seed`, as somebody at a terminal sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.build.seed import commands
from controller.build.seed.lock import parse
from tests.unit.build.seed.test_seed import BODIES, NEW, NEW_BODIES, FakeApt, nix, seed_of

__all__ = ["nix"]


@pytest.fixture
def mirror(nix: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A mirror with the shipped packages; change it to have others."""
    bodies = dict(BODIES)
    apt = FakeApt(NEW)

    def seed(folder: Path, directory: Path, *, lock: Path | None) -> object:
        return seed_of(nix, bodies, apt, lock=lock)

    monkeypatch.setattr(commands, "Seed", seed)
    return bodies


def says(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert commands.main(words) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_status_tells_the_lock_and_what_is_fetched(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    text = says(capsys, "status")
    assert "3 packages of Debian bookworm" in text
    assert "fetched: 0 (0.0 MB)" in text
    says(capsys, "fetch")
    assert "fetched: 3" in says(capsys, "status")


def test_fetch_takes_a_package_with_what_it_needs(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    text = says(capsys, "fetch", "curl")
    assert text.splitlines()[0] == "2 of 2 packages to fetch, 0.0 MB"
    assert sorted(line.split()[0] for line in text.splitlines()[1:]) == ["curl", "libcurl4"]


def test_fetch_of_an_unknown_package_names_it(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "not in the lock: ngnix" in says(capsys, "fetch", "curl", "ngnix", code=1)


def test_fetch_renews_the_lock_where_a_file_is_gone(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.clear()
    mirror.update(NEW_BODIES)
    assert "curl 7 -> 8" in says(capsys, "fetch", "curl")
    assert "renewed here" in says(capsys, "status")


def test_update_writes_a_lock_for_the_repository(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    output = tmp_path / "lock.json"
    text = says(capsys, "update", "--output", str(output))
    assert "curl 7 -> 8" in text
    assert "2 changes" in text
    assert parse(output.read_text()).packages == NEW
    assert "renewed here" not in says(capsys, "status")


def test_update_alone_puts_the_lock_in_force(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    says(capsys, "update", "--refresh")
    assert "2 differences:\n  curl 7 -> 8\n" in says(capsys, "status")


def test_a_mirror_that_has_nothing_is_said_once(
    mirror: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.clear()
    text = says(capsys, "update", code=1)
    assert text.startswith("nxc-controller seed: no longer on http://mirror.test/debian/: busybox-static")


def test_a_lock_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    missing = tmp_path / "none.json"
    text = says(capsys, "status", "--build-state", str(tmp_path), "--lock", str(missing), code=1)
    assert str(missing) in text


def test_the_shipped_lock_has_a_status(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "of Debian bookworm" in says(capsys, "status", "--build-state", str(tmp_path))
