"""What a user of a node sees of its services, on a machine that boots for all of these tests."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from tests.system.seed.machine import Image, Machine, information, inline

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(
    supervision: Image,
    client_key: asyncssh.SSHKey,
    public_key: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Machine]:
    directory: Path = tmp_path_factory.mktemp("node")
    parameters = ["nxc.timings", inline(information("server", public_key))]
    machine = Machine(supervision, directory, parameters, client_key)
    machine.boot()
    try:
        await machine.says("the role server is up")
        yield machine
    finally:
        await machine.off()


async def test_the_node_is_what_its_information_says(node: Machine) -> None:
    assert await node.succeed("hostname; cat /etc/nxc/role") == "server\nserver\n"
    hosts = await node.succeed("cat /etc/hosts")
    assert "10.0.0.1 server server1" in hosts
    assert "192.0.2.7 elsewhere" in hosts


async def test_the_system_is_what_the_composition_says(node: Machine) -> None:
    assert (
        await node.succeed("cat /etc/greeting /run/post-boot; sysctl -n net.ipv4.ip_forward")
        == "hellodone\n1\n"
    )
    assert await node.succeed("stat -c '%a %U' /var/lib/made") == "750 alice\n"
    toplevel = node.image.manifest["roles"]["server"]["toplevel"]
    assert await node.succeed("readlink /run/current-system") == toplevel + "\n"


async def test_the_console_has_the_phases_of_the_boot(node: Machine) -> None:
    console = await node.says("services ")
    assert "drivers" in console
    assert "information" in console


async def test_a_daemon_that_is_killed_is_restarted(node: Machine) -> None:
    before = await node.succeed("systemctl show -p MainPID --value web")
    await node.succeed(f"kill -9 {before}")
    after = await node.eventually("systemctl is-active -q web && systemctl show -p MainPID --value web")
    assert after != before
    assert await node.succeed("systemctl show -p NRestarts web") == "NRestarts=1\n"
    await node.succeed("wget -q -O - http://127.0.0.1/greeting")


async def test_a_service_that_fails_is_shown_with_its_reason(node: Machine) -> None:
    assert await node.run("systemctl is-active fails") == (3, "failed\n")
    assert await node.run("systemctl is-failed fails") == (0, "failed\n")
    failed = await node.succeed("systemctl --failed --no-pager")
    assert "● fails.service loaded failed failed" in failed
    assert "1 loaded units listed." in failed
    listed = await node.succeed(
        "systemctl list-units --state=failed,activating --plain --no-legend --no-pager"
    )
    assert listed.split()[:4] == ["fails.service", "loaded", "failed", "failed"]
    code, status = await node.run("systemctl status fails")
    assert code == 3
    assert "code=exited, status=7/FAILURE" in status
    assert "this went wrong" in status
    assert await node.run("systemctl is-system-running") == (1, "degraded\n")


async def test_what_needs_a_service_that_failed_does_not_start(node: Machine) -> None:
    assert await node.run("systemctl is-active needs-fails") == (3, "inactive\n")
    assert "Dependency failed: fails.service" in await node.succeed("journalctl -u needs-fails")


async def test_services_start_in_order(node: Machine) -> None:
    assert await node.succeed("cat /run/order") == "first\nsecond\n"


async def test_what_is_bound_to_a_service_goes_with_it(node: Machine) -> None:
    await node.succeed("systemctl start bound && systemctl is-active bound")
    await node.succeed("kill -9 $(systemctl show -p MainPID --value second)")
    await node.eventually("! systemctl is-active -q bound")
    assert await node.run("systemctl is-active second") == (3, "failed\n")
    await node.succeed("systemctl reset-failed second")


async def test_a_stop_kills_every_child(node: Machine) -> None:
    await node.succeed("systemctl start tree; sleep 1")
    assert await node.succeed("ps | grep -c '[s]leep 1001'") == "4\n"
    await node.succeed("systemctl stop tree")
    assert await node.run("ps | grep -c '[s]leep 1001'") == (1, "0\n")


async def test_what_ignores_sigterm_is_killed_after_its_time(node: Machine) -> None:
    await node.succeed("systemctl start stubborn && systemctl stop stubborn")
    assert await node.run("systemctl is-failed stubborn") == (0, "failed\n")
    assert (
        await node.succeed("systemctl show -p Result stubborn; systemctl reset-failed stubborn")
        == "Result=timeout\n"
    )


async def test_a_daemon_that_forks_is_supervised_by_its_pid_file(node: Machine) -> None:
    await node.succeed("systemctl start forks")
    before = await node.succeed("systemctl show -p MainPID --value forks")
    assert before == await node.succeed("cat /run/forks.pid")
    await node.succeed(f"kill -9 {before}")
    after = await node.eventually("sleep 0.3; systemctl is-active -q forks && cat /run/forks.pid")
    assert after != before
    await node.succeed("systemctl stop forks; ! ps | grep '[s]leep 1002'")


async def test_a_service_that_fails_again_and_again_is_given_up(node: Machine) -> None:
    await node.run("systemctl start flaps")
    await node.eventually("systemctl is-failed -q flaps")
    assert await node.succeed("systemctl show -p Result flaps") == "Result=start-limit-hit\n"
    code, told = await node.run("systemctl start flaps")
    assert code == 1
    assert "attempted too often" in told
    assert await node.run("systemctl reset-failed flaps; systemctl is-active flaps") == (3, "inactive\n")


async def test_a_service_runs_as_its_user_with_its_directories_and_limits(node: Machine) -> None:
    await node.succeed("systemctl start private")
    said = await node.eventually("journalctl -u private -o cat | grep alice")
    assert said == "alice /tmp blue and green /run/private 77\n"
    await node.eventually("test -e /run/private/mine")
    assert (
        await node.succeed("stat -c %U /run/private /var/lib/private /run/private/mine")
        == "alice\nalice\nalice\n"
    )
    await node.succeed("systemctl stop private; ! test -e /run/private && test -d /var/lib/private")


async def test_the_steps_of_a_service_are_taken_in_order(node: Machine) -> None:
    await node.succeed("systemctl start steps")
    pid = (await node.succeed("systemctl show -p MainPID --value steps")).strip()
    await node.succeed("systemctl reload steps; systemctl stop steps")
    said = (await node.succeed("journalctl -u steps -o cat")).split("\n")
    assert [line for line in said if line in ("pre", "post", f"reload {pid}", "stop", "gone success")] == [
        "pre", "post", f"reload {pid}", "stop", "gone success",
    ]  # fmt: skip
    assert await node.run("systemctl is-active steps") == (3, "inactive\n")


async def test_a_service_that_notifies_is_up_when_it_says_so(node: Machine) -> None:
    assert await node.succeed("systemctl start told; cat /run/told") == "ready\n"
    assert (
        await node.succeed("systemctl show -p StatusText -p ActiveState told")
        == "StatusText=fine\nActiveState=active\n"
    )


async def test_a_condition_that_does_not_hold_skips_a_service(node: Machine) -> None:
    await node.succeed("systemctl start skipped")
    assert await node.run("systemctl is-active skipped") == (3, "inactive\n")
    assert "ConditionPathExists=/nowhere" in await node.succeed("journalctl -u skipped")


async def test_a_journal_is_bounded_and_its_end_is_kept(node: Machine) -> None:
    await node.succeed("systemctl start chatty")
    await node.eventually("journalctl -u chatty -n 1 -o cat | grep -x end")
    total = await node.succeed("cat /var/log/journal/chatty.service* | wc -c; systemctl stop chatty")
    assert int(total) < 1_100_000
    assert (
        await node.succeed("journalctl -u chatty -o cat -g 'line 14999' --no-pager -b")
        != "-- No entries --\n"
    )


async def test_the_journal_of_a_unit_that_never_ran_is_empty(node: Machine) -> None:
    assert await node.succeed("journalctl -u nothing") == "-- No entries --\n"


async def test_what_is_unknown_is_refused_as_systemctl_does(node: Machine) -> None:
    assert await node.run("systemctl start nothing") == (
        5,
        "Failed to start nothing.service: Unit nothing.service not found.\n",
    )
    assert await node.run("systemctl status nothing") == (4, "Unit nothing.service could not be found.\n")
    assert await node.run("systemctl is-active nothing") == (4, "inactive\n")
    code, told = await node.run("systemctl enable web")
    assert (code, "in the composition" in told) == (1, True)


async def test_the_nixos_test_drivers_questions_are_answered(node: Machine) -> None:
    shown = await node.succeed("systemctl --no-pager show web.service")
    assert {"ActiveState=active", "SubState=running", "LoadState=loaded"} <= set(shown.split("\n"))
    assert await node.succeed("systemctl list-jobs --full 2>&1") == "No jobs running.\n"
    assert "LoadState=not-found" in await node.succeed("systemctl --no-pager show nothing.service")


async def test_files_are_copied_by_sftp(node: Machine, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("carried")
    async with (await node.connection()).start_sftp_client() as sftp:
        await sftp.put(str(tmp_path / "there"), "/tmp/there")
    assert await node.succeed("cat /tmp/there") == "carried"


async def test_hosts_and_keys_follow_a_new_document(node: Machine, public_key: str) -> None:
    document = information("server", public_key, hosts={"late": {"address": "10.0.0.9", "aliases": []}})
    send = "printf %s '{}' | nxc-inform"
    await node.succeed(send.format(json.dumps(document)))
    assert "10.0.0.9 late\n" in await node.succeed("cat /etc/hosts")
    code, told = await node.run(send.format(json.dumps(information("client", public_key))))
    assert (code, "has the role server" in told) == (1, True)


async def test_poweroff_stops_the_services_and_then_the_machine(node: Machine) -> None:
    # Last in this file: the machine is gone after it.
    with contextlib.suppress(AssertionError):  # the connection may end before the command
        await node.run("systemctl poweroff")
    assert await node.ended()
    assert "stopping for poweroff" in node.console
