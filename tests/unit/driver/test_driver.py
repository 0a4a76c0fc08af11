"""Test scripts against stand-ins: what passes, what fails, and whose fault it is said to be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from controller.driver.background import Background
from controller.driver.course import Subject, run
from controller.driver.fleet import Diagnosis
from controller.driver.journal import Journal
from controller.driver.script import Result, Verdict, report
from controller.driver.target import Target
from controller.model.errors import Blame
from tests.unit.plugin import stand_in


@dataclass
class FakeFleet:
    """Answers from the stand-ins. `boots` counts up when one is started anew."""

    made: dict[str, stand_in.StandIn]
    boots: dict[str, int] = field(default_factory=dict)
    why: Diagnosis = field(default_factory=lambda: Diagnosis("nobody knows"))

    async def find(self, host: str, *, not_boot: str, tell: Callable[[str], None]) -> Target:
        while (target := self.made[host].target(f"uid/{self.boots.get(host, 1)}")).boot == not_boot:
            await asyncio.sleep(0.05)
        return target

    async def diagnose(self, target: Target) -> Diagnosis:
        return self.why


@dataclass
class Lab:
    """Two nodes, and what a test of them said."""

    subject: Subject
    background: Background
    made: dict[str, stand_in.StandIn]
    fleet: FakeFleet
    output: Path
    lines: list[str] = field(default_factory=list)

    def test(self, script: str) -> tuple[Result, str]:
        text = dedent(script)
        self.journal = Journal(self.lines.append)
        result = run(self.subject, text, self.background, self.journal, self.output)
        return result, report(result, text, self.journal)


@pytest.fixture
def lab(tmp_path: Path):
    ready, done = threading.Event(), threading.Event()
    made: list[Lab] = []
    with Background() as background:

        async def live() -> None:
            async with stand_in.nodes("server", "client-1") as (stand_ins, who):
                by_name = {one.host: one for one in stand_ins}
                fleet = FakeFleet(by_name)
                subject = Subject([one.node() for one in stand_ins], fleet, who)
                made.append(Lab(subject, background, by_name, fleet, tmp_path))
                ready.set()
                while not done.is_set():
                    await asyncio.sleep(0.02)

        living = threading.Thread(target=lambda: background.call(live()))
        living.start()
        assert ready.wait(20)
        yield made[0]
        done.set()
        living.join(20)


def passes(lab: Lab, script: str) -> str:
    result, page = lab.test(script)
    assert result.verdict is Verdict.PASSED, page
    return page


def fails(lab: Lab, script: str) -> tuple[Result, str]:
    result, page = lab.test(script)
    assert result.verdict is Verdict.FAILED, page
    return result, page


def test_a_script_of_nixos_passes(lab: Lab):
    page = passes(
        lab,
        """
        start_all()
        assert len(machines) == 2 and [m.name for m in roles["client"]] == ["client-1"]
        with subtest("commands"):
            assert server.succeed("echo one", "echo two") == "one\\ntwo\\n"
            assert client_1.execute("echo said; exit 3") == (3, "said\\n")
            server.fail("false")
            assert client is client_1
        log.info("nearly there")
        """,
    )
    assert page.startswith("passed: 1 of 1 subtests, 4 steps in ")
    assert any("subtest: commands" in line for line in lab.lines)
    assert any("nearly there" in line for line in lab.lines)


def test_a_command_that_fails_is_told_with_line_output_and_fault(lab: Lab):
    result, page = fails(lab, 'x = 1\nserver.succeed("echo partly; echo oops >&2; exit 4")\n')
    assert result.line == 2
    assert "server: command `echo partly; echo oops >&2; exit 4` failed (exit code 4)" in page
    assert '> 2 | server.succeed("echo partly' in page
    assert "    partly" in page
    assert "    server # oops" in page
    assert "whose fault: the composition's, or its test script's" in page


def test_a_command_that_succeeds_against_expectation(lab: Lab):
    result, _ = fails(lab, 'server.fail("true")')
    assert result.message == "server: command `true` unexpectedly succeeded"


@pytest.mark.parametrize("command", ["false; true", "echo $NOBODY_SETS_THIS", "false | true", "cd /nowhere"])
def test_commands_are_strict_as_in_nixos(lab: Lab, command: str):
    passes(lab, f"server.fail({command!r})")


def test_output_comes_back_byte_by_byte(lab: Lab):
    passes(
        lab,
        """
        assert server.succeed("printf 'no newline'") == "no newline"
        assert server.succeed("printf '\\\\303\\\\274'") == "ü"
        assert server.succeed("printf '\\\\377'") == "\\ufffd"
        assert len(server.succeed("head -c 300000 /dev/zero | tr '\\\\0' x")) == 300000
        assert server.succeed('''echo "it's"  'a "quote"' ''') == "it's a \\"quote\\"\\n"
        """,
    )


def test_programs_left_in_the_background_hold_nobody_up(lab: Lab):
    passes(
        lab,
        """
        import time
        before = time.monotonic()
        server.succeed("sleep 5 >&2 &")
        server.execute("(sleep 5; echo late) & echo now")
        assert time.monotonic() - before < 4
        """,
    )


def test_a_limit_ends_a_command(lab: Lab):
    passes(lab, 'status, _ = server.execute("sleep 60", timeout=1)\nassert status in (124, 143), status')


def test_waiting_ends_with_what_the_last_try_said(lab: Lab):
    _, page = fails(lab, 'server.wait_until_succeeds("echo not yet; false", timeout=4)')
    assert "did not succeed after 4 s" in page
    assert "    not yet" in page


def test_waiting_until_it_is_so(lab: Lab):
    file = lab.output / "there"
    passes(
        lab,
        f"""
        server.execute("(sleep 1; echo content > {file}) >/dev/null 2>&1 &")
        server.wait_for_file("{file}", timeout=20)
        assert client.wait_until_succeeds("cat {file}", timeout=20) == "content\\n"
        server.succeed("rm {file}")
        server.wait_until_fails("test -e {file}", timeout=20)
        """,
    )


UNITS = {
    "good.service": "active",
    "bad.service": "failed",
    "idle.service": "inactive",
    "absent.service": "inactive",
}


def systemctl(command: str) -> tuple[int, str, str] | None:
    """A systemctl that knows `UNITS`; commands are wrapped, and end with the driver's mark."""
    if "systemctl" not in command:
        return None
    mark = command.rsplit('\\n" ', 1)[1].split()[0]
    said = "No jobs running.\n" if "list-jobs" in command else ""
    for unit, state in UNITS.items():
        if f"show {unit}" in command:
            known = "not-found" if unit.startswith("absent") else "loaded"
            said = f"Id={unit}\nActiveState={state}\nLoadState={known}\nDescription=a = b\n"
        elif f"status {unit}" in command:
            said = "its last words\n"
    return 0, f"{said}{mark} 0\n", ""


def test_units_are_waited_for_and_looked_at(lab: Lab):
    lab.made["server"].answer = systemctl
    passes(
        lab,
        """
        server.wait_for_unit("good.service")
        server.require_unit_state("bad.service", "failed")
        assert server.get_unit_info("good.service")["Description"] == "a = b"
        assert server.get_unit_property("idle.service", "ActiveState") == "inactive"
        """,
    )


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('server.wait_for_unit("bad.service")', 'unit "bad.service" reached state "failed"'),
        ('server.wait_for_unit("idle.service")', 'unit "idle.service" is inactive and there are no pending'),
        ('server.wait_for_unit("absent.service")', 'unit "absent.service" does not exist'),
        ('server.require_unit_state("idle.service")', 'is in state "inactive", not "active"'),
    ],
)
def test_units_that_will_not_come_fail_at_once(lab: Lab, script: str, says: str):
    lab.made["server"].answer = systemctl
    result, _ = fails(lab, script)
    assert says in result.message


def test_ports_are_tried_from_the_node(lab: Lab):
    port = lab.made["client-1"].port
    passes(lab, f'server.wait_for_open_port({port}, "127.0.0.1", timeout=5)')
    result, _ = fails(lab, f'server.wait_for_closed_port({port}, "127.0.0.1", timeout=1)')
    assert f"TCP port {port} on 127.0.0.1 is still open after 1 s" in result.message
    result, _ = fails(lab, 'server.wait_for_open_port(1, "127.0.0.1", timeout=1)')
    assert "nothing listens on TCP port 1 on 127.0.0.1 after 1 s" in result.message


def test_files_go_both_ways(lab: Lab):
    here, there = lab.output / "here", lab.output / "there"
    (here / "sub").mkdir(parents=True)
    (here / "sub" / "file").write_bytes(b"\x00content\xff")
    passes(
        lab,
        f"""
        server.copy_from_host("{here}", "{there}/deep/er")
        server.copy_from_host_via_shell("{here}/sub/file", "{there}/it's here")
        server.copy_from_machine("{there}/deep/er/sub/file", "back")
        """,
    )
    assert (there / "deep/er/sub/file").read_bytes() == b"\x00content\xff"
    assert (there / "it's here").read_bytes() == b"\x00content\xff"
    assert (lab.output / "back" / "file").read_bytes() == b"\x00content\xff"
    fails(lab, 'server.copy_from_host("/nowhere/at/all", "/tmp/x")')
    fails(lab, 'server.copy_from_machine("/nowhere/at/all")')


@pytest.mark.parametrize(
    ("script", "line", "says", "fault"),
    [
        ("x = (", 1, "is no Python", "the test script's"),
        ("\nsevrer.succeed('true')", 2, "NameError: name 'sevrer' is not defined", "the test script's"),
        ("server.suceed('true')", 1, "machines have no method 'suceed'", "the test script's"),
        ("server.succeed('true', limit=3)", 1, "unexpected keyword argument 'limit'", "the test script's"),
        ("server.screenshot('x')", 1, "screenshot() needs QEMU's", "the test script's"),
        ("assert 1 == 2, 'numbers'", 1, "numbers", "the composition's"),
        ("t.assertEqual(1, 2)", 1, "1 != 2", "the composition's"),
        ("def f():\n    server.succeed('false')\nf()", 2, "failed (exit code 1)", "the composition's"),
        ("import sys; sys.exit(3)", 1, "ended itself with 3", "the composition's"),
        ("retry(lambda last: False, 1)", 1, "timed out after 1 seconds", "the composition's"),
    ],
)
def test_failures_have_a_line_and_a_fault(lab: Lab, script: str, line: int, says: str, fault: str):
    result, _ = fails(lab, script)
    assert says in result.message
    assert result.line == line
    assert result.fault.startswith(fault)


def test_a_failed_subtest_is_named(lab: Lab):
    _, page = fails(
        lab, 'with subtest("good"):\n    pass\nwith subtest("bad"):\n    server.succeed("false")\n'
    )
    assert "failed: 1 of 2 subtests" in page
    assert "failed subtest: bad" in page


@pytest.mark.parametrize(
    ("blame", "fault"),
    [
        (Blame.TESTBED, "the testbed's"),
        (Blame.USER, "the composition's"),
        (Blame.CONTROLLER, "the controller's"),
        (None, "nobody knows"),
    ],
)
def test_a_node_that_breaks_is_no_failed_test(lab: Lab, blame: Blame | None, fault: str):
    server = lab.made["server"]

    def vanish(_: str) -> tuple[int, str, str]:
        for connection in server._connections:
            connection.abort()
        return 0, "", ""

    server.answer = vanish
    lab.fleet.why = Diagnosis("MachineGone: QEMU was killed", blame)
    result, page = lab.test("server.succeed('true')")
    assert result.verdict is Verdict.BROKEN
    assert result.fault.startswith(fault)
    assert "MachineGone: QEMU was killed" in page
    assert page.startswith("could not be run")


def test_a_machine_that_is_shut_down_is_not_spoken_to_again_until_it_is_booted_anew(lab: Lab):
    server = lab.made["server"]

    def power(command: str) -> tuple[int, str, str] | None:
        if "poweroff" not in command:
            return None

        async def off_and_on() -> None:
            await server.stop()
            await asyncio.sleep(0.3)
            lab.fleet.boots["server"] = 2
            server.answer = lambda _: None
            await server.start()

        lab.going = asyncio.ensure_future(off_and_on())  # type: ignore[attr-defined]
        return 0, "", ""

    server.answer = power
    passes(
        lab,
        """
        server.succeed("true")
        server.shutdown()
        assert not server.is_up()
        server.shutdown()
        server.start()
        assert server.succeed("echo back") == "back\\n"
        """,
    )
    assert any("server: it was booted anew" in line for line in lab.lines)


def test_what_must_stay_true_is_looked_at_between_commands(lab: Lab):
    result, _ = fails(
        lab,
        """
        up = True
        @polling_condition(seconds_interval=0)
        def is_up():
            "it is up"
            return up
        with is_up:
            server.succeed("true")
            up = False
            server.succeed("true")
        """,
    )
    assert result.message == "polling condition failed: it is up"
    assert result.line == 10


def test_an_interrupted_wait_stops_the_remote_work():
    reached, cancelled = threading.Event(), threading.Event()

    async def forever() -> None:
        reached.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    with Background() as background:
        failure: list[BaseException] = []

        def call() -> None:
            try:
                background.call(forever())
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        assert reached.wait(10)
    thread.join(10)
    assert cancelled.is_set()
    assert failure
