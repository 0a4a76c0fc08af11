"""Archives put together once for all machines of an image."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from controller.testbeds import initrd


def layers(directory: Path, *contents: bytes) -> list[Path]:
    files = []
    for number, content in enumerate(contents):
        file = directory / f"layer-{number}"
        file.write_bytes(content)
        files.append(file)
    return files


def test_layers_follow_one_another_each_at_a_multiple_of_four(tmp_path: Path) -> None:
    files = layers(tmp_path, b"abcde", b"fgh", b"ijkl")
    joined = initrd.join(tmp_path / "cache", "name", files)
    assert joined.read_bytes() == b"abcde\0\0\0fgh\0ijkl"
    assert joined.stat().st_mode & 0o777 == 0o444


def test_one_layer_is_taken_as_it_is(tmp_path: Path) -> None:
    (only,) = layers(tmp_path, b"abc")
    assert initrd.join(tmp_path / "cache", "name", [only]) == only
    assert not (tmp_path / "cache").exists()


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    files = layers(tmp_path, b"abcd", b"efgh")
    first = initrd.join(tmp_path / "cache", "name", files)
    inode = first.stat().st_ino
    assert initrd.join(tmp_path / "cache", "name", files).stat().st_ino == inode


def test_a_layer_that_is_gone_leaves_nothing_half_done(tmp_path: Path) -> None:
    files = [*layers(tmp_path, b"abcd"), tmp_path / "gone"]
    with pytest.raises(FileNotFoundError, match="gone"):
        initrd.join(tmp_path / "cache", "name", files)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_name_is_that_of_exactly_these_layers_in_this_order() -> None:
    names = {
        initrd.name_of(paths) for paths in (["/a", "/b"], ["/b", "/a"], ["/a"], ["/a/b"], ["/a", "/b", "/c"])
    }
    assert len(names) == 5


def test_only_what_is_still_booted_is_kept(tmp_path: Path) -> None:
    for name in ("wanted", "old"):
        initrd.join(tmp_path / "cache", name, layers(tmp_path, b"abcd", b"efgh"))
    initrd.sweep(tmp_path / "cache", {"wanted"})
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["wanted.img"]
    initrd.sweep(tmp_path / "none", set())


def test_machines_that_start_side_by_side_get_one_whole_file(tmp_path: Path) -> None:
    files = layers(tmp_path, b"a" * 3_000_001, b"b" * 1_000_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: initrd.join(tmp_path / "cache", "name", files), range(8)))
    assert len({file.stat().st_ino for file in found}) == 1
    assert found[0].read_bytes() == b"a" * 3_000_001 + b"\0" * 3 + b"b" * 1_000_000
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["name.img"]
