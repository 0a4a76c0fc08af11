"""What a process in the jail sees, may, and leaves behind. Each test first shows that the same works outside."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from controller.build import isolation as isolation_module
from controller.build.isolation import USER, Isolation, probe
from controller.build.limits import GIB, MIB
from controller.build.nix import Nix
from controller.build.process import TimeIsUp, TooMuchOutput
from controller.build.runner import OutOfMemory, Runner
from controller.build.system import System
from controller.model.errors import NxcError
from controller.testbeds.cgroups import Groups
from tests.build.conftest import EXPRESSIONS


@pytest.fixture
def runner(isolation: Isolation, state: Path) -> Runner:
    runner = Runner(state, isolation, System())
    runner.prepare()
    return runner


async def inside(runner: Runner, script: str, **options: float) -> tuple[int, str]:
    """Exit status and output of a bash script in the jail."""
    ended = await runner.run(("bash", "-c", script), **options)  # type: ignore[arg-type]
    return ended.status, (ended.output + ended.errors).decode(errors="replace")


def outside(script: str) -> tuple[int, str]:
    """The same script on this host, as the controller would run it."""
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@contextmanager
def listener(address: str = "127.0.0.1") -> Iterator[tuple[int, list[bool]]]:
    """A server on loopback, and a list that has an entry for each connection that came."""
    came: list[bool] = []
    with socket.create_server((address, 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                came.append(True)
                with connection, suppress(ConnectionError):
                    connection.settimeout(0.5)
                    with suppress(TimeoutError):  # who waits for us to speak first
                        connection.recv(65536)  # what is not read before the end resets the connection
                    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def alive(mark: str) -> list[int]:
    """The processes on this machine with this text on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# ---------------------------------------------------------------- who it is


async def test_it_is_neither_root_nor_the_controller(runner: Runner, isolation: Isolation) -> None:
    _, said = await inside(runner, "id -u; id -g; id -G")
    assert isolation.user is not None
    uid, gid = isolation.user
    assert said.split() == [str(uid), str(gid), str(gid)]
    assert uid not in (0, os.geteuid())


async def test_it_has_no_capability_and_cannot_get_any(runner: Runner) -> None:
    _, said = await inside(runner, "cat /proc/self/status")
    status = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"] == "1"


async def test_its_environment_is_empty_but_for_what_nix_is_told(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/secret/kubeconfig")
    monkeypatch.setenv("NIX_PATH", "nixpkgs=/somewhere")
    assert "KUBECONFIG" in outside("env")[1]
    _, said = await inside(runner, "env")
    names = {line.split("=")[0] for line in said.splitlines() if "=" in line and " = " not in line}
    assert names <= {
        "HOME",
        "TMPDIR",
        "PATH",
        "LC_ALL",
        "NIX_REMOTE",
        "NIX_CONF_DIR",
        "NIX_CONFIG",
        "PWD",
        "SHLVL",
        "_",
    }


# ---------------------------------------------------------------- what it sees


async def test_files_of_the_controller_do_not_exist(runner: Runner, state: Path, tmp_path: Path) -> None:
    (state / "kubeconfig").write_text("secret")
    (state / "kubeconfig").chmod(0o644)
    os.chmod(tmp_path, 0o755)
    (tmp_path / "token").write_text("secret")
    for file in (state / "kubeconfig", tmp_path / "token", Path("/etc/hostname")):
        assert outside(f"test -r {file} && echo there")[1] == "there\n"
        assert (await inside(runner, f"cat {file}"))[0] != 0
    _, said = await inside(runner, "ls -A /; ls -A /etc /tmp /root /home /var /run /sys 2>/dev/null")
    assert set(said.split()) <= {
        "/etc:", "/tmp:", "bin", "dev", "etc", "group", "lib", "lib64", "nix", "passwd", "proc", "tmp", "usr",
    }  # fmt: skip


async def test_processes_of_the_host_are_not_there(runner: Runner) -> None:
    here = f"test -e /proc/{os.getpid()} && echo there"
    assert outside(here)[1] == "there\n"
    _, said = await inside(
        runner, "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done; ls -d /proc/[0-9]*"
    )
    numbers = {
        int(word.removeprefix("/proc/"))
        for word in said.split()
        if word.startswith("/proc/") and word[6:].isdigit()
    }
    assert len(numbers) <= 4, said  # the first process, bash and ls
    assert "pytest" not in said


async def test_the_first_process_cannot_be_looked_into(runner: Runner) -> None:
    status, said = await inside(
        runner, "cat /proc/1/environ /proc/1/root/etc/hostname; ls /proc/1/fd; kill -9 1"
    )
    assert status != 0
    assert "KUBECONFIG" not in said
    assert said.count("ermission denied") + said.count("not permitted") >= 3, said


async def test_nothing_outside_its_directories_can_be_written(runner: Runner, tmp_path: Path) -> None:
    for place in ("/x", "/usr/x", "/etc/x", "/dev/x", "/nix/../x", "/proc/sys/kernel/core_pattern"):
        status, said = await inside(runner, f"echo x > {place}")
        assert status != 0, place
        assert "ead-only" in said or "denied" in said, said
    assert (await inside(runner, "echo x > /tmp/x && cat /tmp/x"))[1] == "x\n"


# ---------------------------------------------------------------- the network


async def test_loopback_of_the_host_cannot_be_reached(runner: Runner) -> None:
    with listener() as (port, came):
        attempt = f"exec 3<>/dev/tcp/127.0.0.1/{port} && cat <&3"
        assert "hello" in outside(attempt)[1]
        assert len(came) == 1
        status, said = await inside(runner, attempt)
        assert status != 0
        assert "nreachable" in said or "refused" in said
        assert len(came) == 1


async def test_no_interface_is_up_and_none_can_be_made(runner: Runner) -> None:
    _, said = await inside(
        runner, "cat /proc/net/dev /proc/net/route /proc/net/if_inet6; cat /sys/class/net/*/operstate"
    )
    interfaces = {line.split(":")[0].strip() for line in said.splitlines() if ":" in line and "|" not in line}
    assert {name for name in interfaces if "cat" not in name} == {"lo"}
    status, said = await inside(runner, "ip link set lo up || bash -c 'echo > /dev/udp/127.0.0.1/9'")
    assert status != 0, said


async def test_abstract_sockets_of_the_host_cannot_be_reached(runner: Runner) -> None:
    name = f"nxc-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen()
        seen = f"grep -c '@{name}' /proc/net/unix"
        assert outside(seen)[1] == "1\n"
        assert (await inside(runner, seen))[1] == "0\n"


# ---------------------------------------------------------------- limits


async def test_time_is_up(runner: Runner) -> None:
    began = time.monotonic()
    with pytest.raises(TimeIsUp):
        await inside(runner, "sleep 1000", seconds=1)
    assert time.monotonic() - began < 10


async def test_endless_output_is_stopped(runner: Runner) -> None:
    with pytest.raises(TooMuchOutput):
        await inside(runner, "yes", output=100_000, seconds=60)


async def test_memory_is_bounded_for_all_its_processes_together(runner: Runner) -> None:
    if not runner.isolation.groups.parents:
        pytest.skip(f"no control groups: {runner.isolation.groups.unavailable}")
    half = "head -c 80M /dev/zero | tail | wc -c"
    assert (await inside(runner, half, memory=128 * MIB))[1].strip() == str(80 << 20)
    with pytest.raises(OutOfMemory):
        await inside(runner, f"{half} & {half} & wait; exit 1", memory=128 * MIB)


async def test_memory_is_bounded_without_control_groups(isolation: Isolation, state: Path) -> None:
    bare = Runner(state, Isolation(isolation.user, isolation.sandbox, Groups(unavailable="none")), System())
    command = "head -c 300M /dev/zero | tail | wc -c"
    assert (await inside(bare, command, memory=1 * GIB))[1].strip() == str(300 << 20)
    _, said = await inside(bare, command, memory=128 * MIB)
    assert "memory exhausted" in said or "annot allocate" in said


async def test_a_fork_bomb_stays_small(runner: Runner) -> None:
    script = "for i in $(seq 300); do sleep 30 & done; jobs -p > /tmp/jobs; exec wc -l /tmp/jobs"
    assert (await inside(runner, script, processes=1000))[1] == "300 /tmp/jobs\n"
    status, said = await inside(runner, script, processes=60)
    assert status != 0
    assert "fork: retry" in said


async def test_a_file_cannot_grow_beyond_its_limit(runner: Runner) -> None:
    status, _ = await inside(runner, "head -c 2M /dev/zero > /tmp/x", file=4 << 20)
    assert status == 0
    status, _ = await inside(
        runner, "head -c 8M /dev/zero > /tmp/x; s=$?; ls -l /tmp/x >&2; exit $s", file=4 << 20
    )
    assert status != 0


# ---------------------------------------------------------------- the end

ORPHANS = "for i in 1 2 3; do setsid bash -c 'trap \"\" TERM HUP INT; sleep {mark}; sleep {mark}' & done; sleep {mark}"


async def test_when_it_ends_nothing_of_it_is_left(runner: Runner) -> None:
    mark = f"31337.{os.getpid()}1"
    script = ORPHANS.format(mark=mark).removesuffix(f"sleep {mark}") + "sleep 0.5"
    assert (await inside(runner, script))[0] == 0
    assert alive(mark) == []


async def test_a_cancelled_process_is_gone_with_all_that_it_started(runner: Runner, state: Path) -> None:
    mark = f"31337.{os.getpid()}2"
    task = asyncio.create_task(inside(runner, ORPHANS.format(mark=mark)))
    async with asyncio.timeout(20):
        while len(alive(f"sleep\0{mark}")) < 4:
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert alive(mark) == []
    assert list((state / "work").iterdir()) == []


async def test_it_dies_with_a_controller_that_is_killed(isolation: Isolation, state: Path) -> None:
    mark = f"31337.{os.getpid()}3"
    program = f"""
        import asyncio
        from pathlib import Path
        from controller.build.isolation import probe
        from controller.build.runner import Runner
        from controller.build.system import System

        async def main():
            runner = Runner(Path({str(state)!r}), await probe(System()), System())
            await runner.run(("bash", "-c", {ORPHANS.format(mark=mark)!r}))

        asyncio.run(main())
    """
    controller = await asyncio.create_subprocess_exec(sys.executable, "-c", textwrap.dedent(program))
    try:
        async with asyncio.timeout(30):
            while len(alive(f"sleep\0{mark}")) < 4:
                await asyncio.sleep(0.05)
    finally:
        controller.send_signal(signal.SIGKILL)
        await controller.wait()
    async with asyncio.timeout(10):
        while alive(mark):
            await asyncio.sleep(0.05)


async def test_no_two_have_the_same_number(runner: Runner) -> None:
    script = "echo $$; sleep 0.5"
    said = await asyncio.gather(*(inside(runner, script) for _ in range(4)))
    assert len({number for _, number in said}) == 4


# ---------------------------------------------------------------- hosts that give less


async def test_a_host_without_sandboxes_is_refused_unless_compositions_are_trusted(
    isolation: Isolation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> str:
        return "user namespaces: Operation not permitted"

    monkeypatch.setattr(isolation_module, "_try", fails)
    with pytest.raises(NxcError, match=r"user namespaces: Operation not permitted.*--trust-compositions"):
        await Nix.open(tmp_path / "state", expressions=EXPRESSIONS)
    trusting = await Nix.open(tmp_path / "state", expressions=EXPRESSIONS, trusted=True)
    assert not trusting.isolation.full
    assert str(trusting.isolation).startswith("trusted: builders have no sandbox")


async def test_a_host_without_a_jail_is_refused_even_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> str:
        return "new namespaces: Operation not permitted"

    monkeypatch.setattr(isolation_module, "_try", fails)
    with pytest.raises(NxcError, match="cannot isolate Nix at all: new namespaces: Operation not permitted"):
        await Nix.open(tmp_path / "state", expressions=EXPRESSIONS, trusted=True)


def test_a_container_with_one_user_only_is_refused(isolation: Isolation, tmp_path: Path) -> None:
    """Root of a user namespace that knows no other user: Nix cannot have one of its own."""
    program = f"""
        import asyncio
        from pathlib import Path
        from controller.build.nix import Nix
        from controller.model.errors import NxcError
        try:
            asyncio.run(Nix.open(Path({str(tmp_path)!r}), expressions=Path({str(EXPRESSIONS)!r})))
        except NxcError as error:
            print(error.reason, error)
    """
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", textwrap.dedent(program)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.startswith("IsolationFailed "), ended
    assert "no other user than root" in ended.stdout


def lesser(*command: str, state: Path, busybox: Path) -> dict[str, str]:
    """What tests/build/trusted.py tells."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "HOME": "/nonexistent"}
    ended = subprocess.run(
        [*command, str(state), str(busybox)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, str] = json.loads(ended.stdout)
    return told


def test_where_no_more_user_namespaces_can_be_made_only_trusted_compositions_are_built(
    isolation: Isolation, busybox_tree: Path, tmp_path: Path
) -> None:
    command = (sys.executable, "-m", "tests.build.trusted", "--few")
    told = lesser(*command, state=tmp_path / "state", busybox=busybox_tree)
    assert "builders have no sandbox of their own (user namespaces: " in told["refused"]
    assert "--trust-compositions" in told["refused"]
    assert told["isolation"].startswith("trusted: builders have no sandbox of their own")
    assert told["built"] == "built\n"
    assert isolation.user is not None
    assert f"x> {isolation.user[0]}\n" in told["log"], "Nix still has a user of its own"
    assert " usr\n" in told["log"]
    assert " root" not in told["log"]
    assert told["left"] == "[]"


def test_an_ordinary_user_may_build_trusted_compositions(isolation: Isolation, busybox_tree: Path) -> None:
    python = next(
        (path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(path)), None
    )
    if python is None or os.geteuid() != 0:
        pytest.skip("needs root, to become an ordinary user, and a Python that everybody may run")
    recent = subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
    if recent.returncode != 0 or not os.stat(Path.cwd()).st_mode & 0o001:
        pytest.skip(f"{python} is older than 3.11, or {Path.cwd()} is not open to everybody")
    user = 54321
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        shutil.copytree(busybox_tree, f"{directory}/busybox", symlinks=True)
        os.mkdir(f"{directory}/state")
        os.chown(f"{directory}/state", user, user)
        drop = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        command = (*drop, python, "-m", "tests.build.trusted")
        told = lesser(*command, state=Path(directory, "state"), busybox=Path(directory, "busybox"))
    assert f"Nix runs as the controller's user (uid {user})" in told["refused"]
    assert told["isolation"].startswith("trusted: Nix runs as the controller's user")
    assert told["built"] == "built\n"
    assert "x> 1000\n" in told["log"], "builders have their sandbox all the same"
    assert " usr\n" not in told["log"]
    assert told["left"] == "[]"


async def test_the_probe_says_what_this_host_gives(isolation: Isolation) -> None:
    assert isolation.user is not None
    assert isolation.lacks == ()
    assert str(isolation).startswith(f"isolated: user {isolation.user[0]}, own namespaces, no network")
    assert await probe(System()) == isolation
    assert USER > 1000


def test_the_launcher_needs_nothing_but_the_standard_library() -> None:
    program = "import sys, runpy; runpy.run_path('controller/build/jail.py'); print(*sorted(sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    modules = {name.split(".")[0] for name in ended.stdout.split()}
    assert modules <= set(sys.stdlib_module_names) | {"__main__"}, modules - set(sys.stdlib_module_names)
