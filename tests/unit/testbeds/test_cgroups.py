"""Control groups are found in both versions, and their absence is explained."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from controller.testbeds.cgroups import find


def controller(path: Path, *files: str) -> Path:
    path.mkdir(parents=True)
    for file in ("cgroup.procs", *files):
        (path / file).touch()
    return path


def test_version_1_below_our_own_group(tmp_path: Path) -> None:
    memory = controller(tmp_path / "memory/ours")
    pids = controller(tmp_path / "pids")
    found = find(tmp_path, "8:pids:/\n4:memory:/ours\n0::/\n")
    assert (found.version, found.parents, found.unavailable) == (1, (memory, pids), "")


def test_version_1_in_a_container_that_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    memory, pids = controller(tmp_path / "memory"), controller(tmp_path / "pids")
    found = find(tmp_path, "8:pids:/docker/abc\n4:memory:/docker/abc\n")
    assert found.parents == (memory, pids)


def test_one_controller_alone_is_better_than_none(tmp_path: Path) -> None:
    memory = controller(tmp_path / "memory")
    found = find(tmp_path, "4:memory:/\n")
    assert (found.parents, found.unavailable) == ((memory,), "no controller pids")


def test_what_is_in_a_group_is_killed_and_the_group_goes() -> None:
    groups = find()
    if groups.unavailable:
        pytest.skip(groups.unavailable)
    name = f"nxc-test-{os.getpid()}"
    group = groups.make(name, memory=64 << 20, processes=8)
    assert group == groups.named(name)
    child = subprocess.Popen(["sleep", "60"])
    for file in group.procs:
        Path(file).write_text(str(child.pid))
    assert group.occupied()
    group.kill()
    assert child.wait(10) == -signal.SIGKILL
    assert not group.occupied()
    group.remove()
    group.remove()
    assert not any(directory.exists() for directory in group.directories)


def test_version_2(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    ours = controller(tmp_path / "nxc.service")
    (ours / "cgroup.subtree_control").write_text("memory pids cpu")
    found = find(tmp_path, "0::/nxc.service\n")
    assert (found.version, found.parents, found.unavailable) == (2, (ours,), "")


@pytest.mark.parametrize("ours", [True, False])
def test_version_2_makes_room_where_nobody_else_is_in_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    group = controller(tmp_path / "pod", "cgroup.subtree_control")
    procs = [str(os.getpid()), *([] if ours else ["1"])]
    (group / "cgroup.procs").write_text("\n".join(procs))
    write = Path.write_text

    def as_the_kernel(path: Path, text: str) -> int:
        leaf = group / "nxc-controller/cgroup.procs"
        if path.name == "cgroup.subtree_control" and not leaf.exists():
            raise OSError(errno.EBUSY, "Device or resource busy")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", as_the_kernel)
    found = find(tmp_path, "0::/pod\n")
    assert found.parents == ((group,) if ours else ())
    assert (group / "nxc-controller").exists() is ours
    if ours:
        assert find(tmp_path, "0::/pod/nxc-controller\n").parents == (group,)
    else:
        assert "Device or resource busy" in found.unavailable


def test_none_at_all(tmp_path: Path) -> None:
    assert find(tmp_path, "").unavailable == f"no control groups under {tmp_path}"
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    assert "have to be delegated" in find(tmp_path, "0::/nowhere\n").unavailable


def test_a_group_carries_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cgroup.controllers").write_text("memory pids")
    (tmp_path / "cgroup.subtree_control").write_text("memory pids")
    groups = find(tmp_path, "0::/\n")
    mkdir = Path.mkdir

    def with_files(path: Path, *arguments: object, **options: object) -> None:
        """As the kernel does, which makes the files with the directory."""
        mkdir(path)
        for file in ("memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cgroup.procs"):
            (path / file).touch()
        (path / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")

    monkeypatch.setattr(Path, "mkdir", with_files)
    group = groups.make("x", memory=1000, processes=10)
    limits = {
        file: (tmp_path / "x" / file).read_text() for file in ("memory.max", "memory.swap.max", "pids.max")
    }
    assert limits == {"memory.max": "1000", "memory.swap.max": "0", "pids.max": "10"}
    assert group.procs == [str(tmp_path / "x" / "cgroup.procs")]
    assert group.memory_exhausted()
