"""Deployments on real machines: from apply to Ready, and back to nothing."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from pathlib import Path

import pytest

from controller.model.kinds import DEPLOYMENT
from tests.loop.stage import condition
from tests.system.vm.conftest import Site
from tests.system.vm.stage import BOOT_SECONDS, VmStage

pytestmark = pytest.mark.slow

PAIR = [{"name": "server"}, {"name": "client"}]


async def test_two_nodes_come_up_and_reach_each_other_by_name(stage: VmStage, site: Site) -> None:
    await stage.tiny(roles=PAIR)
    deployment = await stage.ready(seconds=BOOT_SECONDS, nodes=2)

    assert deployment["status"]["nodes"]["summary"] == "2/2"
    for host in ("server", "client"):
        node = await stage.node(f"web.{host}")
        for type in ("Booted", "Informed", "Verified", "Reachable", "Healthy", "Ready"):
            assert condition(node, type, "True"), f"{host} is not {type}"
    assert "1 packets received" in await stage.ssh("ping -c 1 -W 5 client")
    assert "1 packets received" in await stage.ssh("ping -c 1 -W 5 server", "client")
    # nothing else answers: not the host's loopback services, which QEMU's network shows at 10.0.2.2
    told = await stage.ssh(f"wget -T 3 -q -O - http://10.0.2.2:{site.operator.port}/metrics; echo code $?")
    assert "leader" not in told
    assert told.strip() != "code 0"
    # the whole deployment is found again by an operator that was killed
    before = [await stage.pid(host) for host in ("server", "client")]
    site.operator.kill()
    site.operator.start()
    await asyncio.sleep(2)
    await stage.ready(seconds=30)
    assert [await stage.pid(host) for host in ("server", "client")] == before
    node = await stage.node("web.server")
    assert node["status"]["attempt"] == 1
    # the switch is killed: it comes back, and so does the network
    os.kill(await stage.switch_pid(), signal.SIGKILL)

    async def reaches() -> bool:
        return "1 packets received" in await stage.ssh("ping -c 1 -W 2 client")

    await stage.until("the nodes reach each other through the new switch", reaches, 30)
    assert [await stage.pid(host) for host in ("server", "client")] == before


async def test_users_keys_and_new_hosts_are_pushed_to_running_nodes(stage: VmStage) -> None:
    await stage.tiny()
    await stage.ready(seconds=BOOT_SECONDS)
    before = await stage.pid()
    key = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32).decode()

    await stage.edit(DEPLOYMENT, "web", {"authorizedKeys": [key]})
    await stage.ready(seconds=30)

    assert key in await stage.ssh("cat /run/pushed.json")
    assert await stage.pid() == before
    # it restarts itself: the same attempt comes back, with another host key, and is told again what changed
    before_key = (await stage.node())["status"]["hostKey"]
    await stage.ssh("(sleep 0.2; reboot -f) > /dev/null 2>&1 &")
    await stage.node_condition("Ready", "False", seconds=60)
    await stage.node_condition("Ready")
    node = await stage.node()
    assert node["status"]["attempt"] == 1
    assert node["status"]["hostKey"] != before_key
    assert key in await stage.ssh("cat /run/pushed.json")


async def test_a_host_that_comes_later_is_known_to_those_that_run(stage: VmStage) -> None:
    await stage.tiny()
    await stage.ready(seconds=BOOT_SECONDS)
    before = await stage.pid()

    await stage.edit(DEPLOYMENT, "web", {"roles": [{"name": "server"}, {"name": "client"}]})
    await stage.ready(nodes=2, seconds=BOOT_SECONDS)

    told = await stage.ssh("cat /run/pushed.json")
    number = int(stage.record("client")["machine"].rpartition("-")[2])
    assert f'"client":{{"address":"10.1.0.{number}"' in told
    assert await stage.pid() == before
    assert "0% packet loss" in await stage.ssh("ping -c 1 -W 5 server", "client")


async def test_information_that_is_too_long_for_the_line_is_fetched(stage: VmStage) -> None:
    await stage.tiny(parameters=tuple(f"long.parameter.{i}={'x' * 200}" for i in range(7)))
    await stage.ready(seconds=BOOT_SECONDS)
    line = stage.record()["commandLine"]
    assert "nxc.url=http://10.0.2.100/v1/info/" in line
    assert len(line) <= 2047


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_a_machine_has_its_own_user_and_directory(stage: VmStage) -> None:
    await stage.tiny()
    await stage.node_condition("Booted")
    pid = await stage.pid()
    text = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)
    status = dict(line.partition(":\t")[::2] for line in text.splitlines())
    assert os.getsid(pid) == pid
    assert status["Seccomp"] == "2"
    if os.geteuid() == 0:
        assert all(61184 <= int(uid) <= 65519 for uid in status["Uid"].split())
        assert status["CapEff"].strip("0") == ""
    for group in stage.record()["group"]:
        assert str(pid) in await asyncio.to_thread((Path(group) / "cgroup.procs").read_text)
    (directory,) = stage.runtime.glob("m-*")
    assert _mode(directory) == 0o700
    assert _mode(directory / "information.sock") == 0o600
