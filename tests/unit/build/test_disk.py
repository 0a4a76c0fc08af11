"""What a build uses on disk is measured, bounded, and taken away."""

from __future__ import annotations

import asyncio
import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from controller.build import disk, leftovers
from controller.build.limits import MIB, BuildLimits
from controller.model.errors import UserError

LIMITS = BuildLimits(disk=2 * MIB, free=0)


def test_what_is_used_is_blocks_and_at_least_something_for_each_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * MIB)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "away").symlink_to("/")
    few = disk.used([tmp_path])
    assert MIB <= few < 1.2 * MIB
    for number in range(1000):
        (tmp_path / str(number)).touch()
    assert disk.used([tmp_path]) >= few + 1000 * 512
    assert disk.used([tmp_path / "absent"]) == 0


async def test_a_tree_that_grows_too_large_is_told(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "a").write_bytes(b"x" * 3 * MIB)
    watch = asyncio.create_task(disk.watch([tree], tmp_path, LIMITS, every=0.01))
    await asyncio.sleep(0.1)
    assert not watch.done()
    (tmp_path / "a").rename(tree / "a")  # all of it at once: it is measured meanwhile
    with pytest.raises(UserError, match="wrote 3 MiB to disk, and may write 2 MiB"):
        await asyncio.wait_for(watch, 5)


async def test_a_disk_that_fills_up_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must stay free") as failed:
        await asyncio.wait_for(disk.watch([tmp_path], tmp_path, replace(LIMITS, free=1 << 60)), 5)
    assert failed.value.reason == "DiskLimit"


def test_trees_without_rights_are_removed(tmp_path: Path) -> None:
    (tmp_path / "x/y/z").mkdir(parents=True)
    (tmp_path / "x/y/z/file").touch()
    (tmp_path / "x/y/z").chmod(0)
    (tmp_path / "x/y").chmod(0o500)
    disk.remove(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    disk.remove(tmp_path / "absent")


def test_what_a_killed_build_left_is_removed_unless_another_builds_it(tmp_path: Path) -> None:
    places = [
        leftovers.Place(tmp_path / f"{name}.drv.chroot", tmp_path / name) for name in ("dead", "busy", "none")
    ]
    for chroot, _ in places[:2]:
        (chroot / "nix").mkdir(parents=True)
    with (tmp_path / "busy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        leftovers.clear(places)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["busy.drv.chroot", "busy.lock"]
