"""Real jails, and nodes' stand-ins over real SSH: what a script can do in there, and what it cannot."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from controller.build.isolation import probe
from controller.build.system import System
from controller.model.errors import Blame, NxcError
from controller.model.kinds import DEPLOYMENT, Key
from controller.model.node import Node
from controller.model.trial import Finding, TrialState
from controller.sandbox.api import Order
from controller.sandbox.jailed import Jailed, Limits
from controller.sandbox.news import News
from controller.testbeds.cgroups import find
from tests.unit.plugin import stand_in

WEB = Key(DEPLOYMENT, "lab", "web")
LIMITS = Limits(seconds=60, log=1 << 20, memory=200 << 20, scratch=8 << 20)


@pytest.fixture(autouse=True)
async def sandbox() -> None:
    try:
        isolation = await probe(System())
    except NxcError as error:
        pytest.skip(f"no sandbox here: {error.message}")
    if isolation.user is None:
        pytest.skip("no sandbox here: not root")


@asynccontextmanager
async def lab(tmp_path: Path, *, limits: Limits = LIMITS) -> AsyncIterator[Lab]:
    async with stand_in.nodes("server", "client-1") as (made, who):
        player = Jailed(tmp_path / "tests", trusted=False, limits=limits)
        yield Lab(player, made, who.key)
    assert not (tmp_path / "tests").exists(), "the sandbox left something behind"
    for parent in find().parents:
        assert not list(parent.glob(player.group("*")))


class Lab:
    """Two nodes and a sandbox."""

    def __init__(self, player: Jailed, made: Sequence[stand_in.StandIn], key: str) -> None:
        self.player, self.made, self.key = player, made, key

    def news(self) -> News:
        return News([one.node() for one in self.made])

    async def run(self, script: str, news: News | None = None) -> Finding:
        async def key() -> str:
            return self.key

        news = news or self.news()
        nodes: list[Node] = list(news.nodes.values())
        order = Order(WEB, "uid-of-test", "sha256:a", 1, dedent(script), nodes, key)
        return await asyncio.wait_for(self.player.play(order, news), 90)


async def test_a_script_that_passes_reaches_its_nodes_and_nothing_is_left(tmp_path: Path) -> None:
    async with lab(tmp_path) as web:
        found = await web.run(
            f"""
            start_all()
            with subtest("commands"):
                assert server.succeed("echo one") == "one\\n"
                assert client_1.succeed("echo two") == "two\\n"
            print("said by the script")
            open("/tmp/file", "w").write("content")
            server.copy_from_host_via_shell("/tmp/file", "{tmp_path}/copied")
            """
        )
        assert found.state is TrialState.PASSED, found
        assert found.message.startswith("passed: 1 of 1 subtests, ")
        assert "subtest: commands" in found.log
        assert "said by the script" in found.log
        assert (tmp_path / "copied").read_text() == "content"
        (tmp_path / "copied").unlink()


async def test_a_script_that_fails_says_in_which_line_and_whose_fault_it_is(tmp_path: Path) -> None:
    async with lab(tmp_path) as web:
        found = await web.run('x = 1\nserver.succeed("echo partly; echo oops >&2; exit 4")\n')
        assert (found.state, found.line, found.blame) == (TrialState.FAILED, 2, Blame.USER)
        assert found.message.startswith(
            'line 2: `server.succeed("echo partly; echo oops >&2; exit 4")`: server: '
        )
        assert "the composition's, or its test script's" in found.message
        assert "oops" in found.log


async def test_what_a_script_sees_is_itself_and_its_nodes(tmp_path: Path) -> None:
    """Each attack is one that works outside: the listener answers here, the files are there."""
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    secret = tmp_path / "kubeconfig"
    secret.write_text("token")
    secret.chmod(0o644)
    async with lab(tmp_path) as web:
        found = await web.run(
            f"""
            import os, socket, subprocess
            assert os.getuid() not in (0, {os.getuid()}), os.getuid()
            for port in ({port}, {web.made[0].port}, 6443):
                with t.assertRaises(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=5)
            for address in ("10.0.2.2", "192.0.2.1", "169.254.169.254"):
                with t.assertRaises(OSError):
                    socket.create_connection((address, 80), timeout=5)
            assert [line.split(":")[0].strip() for line in open("/proc/net/dev")][2:] == ["lo"]
            for path in ({str(secret)!r}, "/etc/shadow", "/root/.kube", "/var", "/run", "/home", "/sys", "/nix"):
                assert not os.path.exists(path), path
            assert sorted(os.listdir("/nodes")) == ["client-1", "server"]
            assert sorted(int(name) for name in os.listdir("/proc") if name.isdigit())[0] == 1
            assert len([name for name in os.listdir("/proc") if name.isdigit()]) == 2
            assert not any("TOKEN" in name or "KUBE" in name for name in os.environ), os.environ
            for line in open("/proc/self/status"):
                if line.startswith(("CapPrm", "CapEff", "CapBnd", "CapAmb")):
                    assert int(line.split()[1], 16) == 0, line
                assert not line.startswith("NoNewPrivs") or line.split()[1] == "1", line
            with t.assertRaises(PermissionError):
                os.kill(1, 9)
            for path in ("/x", "/nodes/x", "/usr/x", "/nxc/code/controller/x"):
                with t.assertRaises(OSError):
                    open(path, "w")
            server.succeed("true")
            """
        )
        assert found.state is TrialState.PASSED, found
    listening.close()
    secret.unlink()


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (
            "import time\nserver.succeed('true')\ntime.sleep(100)",
            "line 3: `time.sleep(100)`: the test took longer than 2 s",
        ),
        ("server.succeed('sleep 6')", "took longer than 2 s, while server: must succeed: sleep 6"),
    ],
)
async def test_a_script_that_hangs_is_ended_and_says_where(tmp_path: Path, script: str, says: str) -> None:
    async with lab(tmp_path, limits=replace(LIMITS, seconds=2)) as web:
        found = await web.run(script)
        assert (found.state, found.blame) == (TrialState.FAILED, Blame.USER)
        assert says in found.message


async def test_a_script_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.sandbox.jailed._GRACE", 1.0)
    async with lab(tmp_path, limits=replace(LIMITS, seconds=2)) as web:
        found = await web.run(
            "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: time.sleep(1)"
        )
        assert (found.state, found.blame) == (TrialState.FAILED, Blame.USER)
        assert "did not end when it was told to" in found.message


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("while True: print('x' * 1000)", "printed more than 1 MiB"),
        ("import os; os._exit(7)", "ended the process that it runs in, with status 7"),
        (
            'import os; os.write(1, b\'{"state": "Passed"}\'); os._exit(0)',
            "ended the process that it runs in",
        ),
    ],
)
async def test_a_script_that_does_not_play_by_the_rules_has_failed(
    tmp_path: Path, script: str, says: str
) -> None:
    async with lab(tmp_path) as web:
        found = await web.run(script)
        assert (found.state, found.blame) == (TrialState.FAILED, Blame.USER), found
        assert says in found.message


@pytest.mark.skipif(not find().parents, reason="no control groups here")
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("x = [b'x' * (1 << 20) for _ in range(1000)]", "used more than 200 MiB of memory"),
        ("import os\nwhile True: os.fork() or __import__('time').sleep(20)", "BlockingIOError"),
        ("open('/tmp/x', 'wb').write(bytes(9 << 20))", "OSError"),
    ],
)
async def test_what_a_script_may_use_has_limits(tmp_path: Path, script: str, says: str) -> None:
    async with lab(tmp_path) as web:
        found = await web.run(script)
        assert (found.state, found.blame) == (TrialState.FAILED, Blame.USER), found
        assert says in found.message


async def test_a_node_that_is_booted_anew_is_reached_where_it_answers_then(tmp_path: Path) -> None:
    async with lab(tmp_path) as web:
        server, news = web.made[0], web.news()

        def power(command: str) -> tuple[int, str, str] | None:
            if "poweroff" not in command:
                return None

            async def off_and_on() -> None:
                await server.stop()
                server.port, server.answer = 0, lambda _: None
                await server.start()
                news.tell([server.node(attempt=2), web.made[1].node()])

            going.append(asyncio.ensure_future(off_and_on()))
            return 0, "", ""

        going: list[asyncio.Future[None]] = []
        server.answer = power
        found = await web.run('server.shutdown()\nserver.start()\nserver.succeed("true")\n', news)
        assert found.state is TrialState.PASSED, found
        assert "server: it was booted anew" in found.log


async def test_a_node_that_broke_is_no_failed_test(tmp_path: Path) -> None:
    async with lab(tmp_path) as web:
        news, server = web.news(), web.made[0]
        failure = {"reason": "MachineGone", "message": "QEMU was killed", "blame": "Testbed", "attempt": 1}

        def die(_: str) -> tuple[int, str, str]:
            news.tell([server.node(lastFailure=failure), web.made[1].node()])
            for connection in server._connections:
                connection.abort()
            return 0, "", ""

        server.answer = die
        found = await web.run('server.succeed("true")', news)
        assert (found.state, found.blame) == (TrialState.BROKEN, Blame.TESTBED), found
        assert "MachineGone: QEMU was killed" in found.message


async def test_a_trial_that_is_ended_leaves_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path) as web:
        running = asyncio.ensure_future(web.run("import time\nwhile True: time.sleep(1)"))
        await asyncio.sleep(1)
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})


async def test_without_root_there_is_no_sandbox_and_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    async with lab(tmp_path) as web:
        found = await web.run("pass")
    assert found.state is TrialState.UNAVAILABLE
    assert "kubectl nxc test web" in found.message
