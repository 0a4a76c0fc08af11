"""A role's init as PID 1 of a container: no control groups, nothing to mount, and a SIGTERM that ends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nix.seed_store import SeedStore
from tests.system.seed.conftest import expression
from tests.system.seed.machine import Image

pytestmark = pytest.mark.slow

START = """
set -eu
mount --rbind "$STORE" "$ROOT/nix/store"
mount -t proc proc "$ROOT/proc"
mount -t tmpfs tmpfs "$ROOT/dev"
for node in null zero urandom random full tty; do
  touch "$ROOT/dev/$node"
  mount --bind "/dev/$node" "$ROOT/dev/$node"
done
touch "$ROOT/dev/console"
mount -t tmpfs tmpfs "$ROOT/run"
exec env -i container=test NXC_STANDALONE=1 NXC_ROLE=server "$(command -v chroot)" "$ROOT" "$INIT"
"""


@dataclass
class Container:
    process: subprocess.Popen[bytes]
    pid: int
    root: Path

    def run(self, command: str, limit: float = 60.0) -> tuple[int, str]:
        """Exit code, and what it printed on both."""
        ended = subprocess.run(
            ["nsenter", "-t", str(self.pid), "-a", "-r", "-w",
             "/bin/busybox", "env", "-i", "PATH=/run/current-system/sw/bin:/bin", "sh", "-c", command],
            capture_output=True, stdin=subprocess.DEVNULL, timeout=limit,
        )  # fmt: skip
        return ended.returncode, (ended.stdout + ended.stderr).decode()

    def succeed(self, command: str) -> str:
        code, output = self.run(command)
        assert code == 0, f"{command}: {output}"
        return output


def eventually(condition: Callable[[], bool], what: str, limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit:.0f} s: {what}"
        time.sleep(0.1)


def first_child(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0


@pytest.fixture(scope="module")
def server(seed_store: SeedStore) -> Image:
    if os.getuid() != 0 or not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("needs root, unshare and nsenter, to be a container engine")
    return Image.of(seed_store.build(expression("supervision")))


@pytest.fixture
def container(server: Image, tmp_path: Path) -> Iterator[Container]:
    root = tmp_path / "root"
    for directory in ("nix/store", "proc", "dev", "run", "tmp"):
        (root / directory).mkdir(parents=True)
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--propagation", "private",
         "--uts", "--net", "--ipc", "sh", "-c", START],
        env=os.environ | {
            "ROOT": str(root),
            "STORE": str(server.physical("/nix/store")),
            "INIT": server.manifest["roles"]["server"]["init"],
        },
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        journal = root / "var/log/journal/init"
        eventually(lambda: journal.exists() and "is up" in journal.read_text(), "the role is up")
        yield Container(process, first_child(process.pid), root)
    finally:
        process.kill()
        process.wait()


def test_services_are_supervised_without_control_groups(container: Container) -> None:
    before = container.succeed("systemctl show -p MainPID --value web")
    container.succeed(f"kill -9 {before}")
    eventually(lambda: container.run("systemctl is-active -q web")[0] == 0, "web runs again")
    assert container.succeed("systemctl show -p MainPID --value web") not in (before, "0\n")
    assert container.succeed("cat /run/order") == "first\nsecond\n"


def test_a_stop_finds_children_that_left_their_session(container: Container) -> None:
    container.succeed("systemctl start tree; sleep 0.5; test $(ps | grep -c '[s]leep 1001') = 4")
    container.succeed("systemctl stop tree; ! ps | grep '[s]leep 1001'")


def test_many_at_once_leave_a_consistent_state(container: Container) -> None:
    """Starts, stops, restarts and kills that cross each other: one process where it is active, none where not."""
    container.run(
        """
        for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
          systemctl restart web & systemctl stop web & systemctl start forks & systemctl stop forks &
          systemctl start web & systemctl restart forks & systemctl kill -s KILL web &
        done
        wait
        """
    )
    assert container.succeed("systemctl list-jobs") == "No jobs running.\n"
    container.succeed("systemctl reset-failed; systemctl start web; test $(ps | grep -c '[h]ttpd -f') = 1")
    container.succeed("systemctl stop web forks; ! ps | grep -E '[h]ttpd -f|[s]leep 1002'")
    assert "internal error" not in container.succeed("journalctl")


def test_sigterm_ends_it_in_order(container: Container) -> None:
    container.succeed("systemctl start steps")
    os.kill(container.pid, 15)
    assert container.process.wait(30) == 0
    assert "gone success" in (container.root / "var/log/journal/steps.service").read_text()
