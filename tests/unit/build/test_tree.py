"""What differs between two trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.build.tree import differences


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    trees = (tmp_path / "one", tmp_path / "other")
    for tree in trees:
        (tree / "folder").mkdir(parents=True)
        (tree / "folder" / "file").write_bytes(b"x" * 3_000_000)
        (tree / "link").symlink_to("/etc/passwd")
    return trees


def test_nothing_where_all_is_the_same(two: tuple[Path, Path]) -> None:
    os.utime(two[0] / "folder" / "file", (0, 0))
    assert list(differences(*two)) == []


def test_content_from_which_byte(two: tuple[Path, Path]) -> None:
    with (two[1] / "folder" / "file").open("r+b") as file:
        file.seek(2_000_001)
        file.write(b"y")
    assert list(differences(*two)) == ["folder/file: differs from byte 2000001"]
    os.truncate(two[1] / "folder" / "file", 1000)
    assert list(differences(*two)) == ["folder/file: differs from byte 1000, 3000000 and 1000 bytes"]


def test_kind_rights_links_and_absence(two: tuple[Path, Path]) -> None:
    one, other = two
    (one / "only").touch()
    (other / "folder" / "also").touch()
    (other / "folder" / "file").chmod(0o755)
    (other / "link").unlink()
    (other / "link").symlink_to("/etc/group")
    (one / "kind").touch()
    (other / "kind").mkdir()
    assert list(differences(one, other)) == [
        "folder/also: only in the second",
        "folder/file: executable in one only",
        "kind: not the same kind of file",
        "link: leads elsewhere",
        "only: only in the first",
    ]
    assert list(differences(one / "folder/file", one / "only")) == [
        ".: differs from byte 0, 3000000 and 0 bytes"
    ]
