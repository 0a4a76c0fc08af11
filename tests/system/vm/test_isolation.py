"""What a node cannot reach: another deployment, another node's document, the host, the world."""

from __future__ import annotations

import json

import pytest

from tests.system.vm.conftest import Site
from tests.system.vm.stage import BOOT_SECONDS, VmStage

pytestmark = pytest.mark.slow


async def test_deployments_do_not_see_each_other(stage: VmStage, site: Site) -> None:
    await stage.tiny("one")
    await stage.tiny("two")
    await stage.ready("one", seconds=BOOT_SECONDS)
    await stage.ready("two", seconds=BOOT_SECONDS)
    machines = {record["owner"][1]: record for record in stage.records()}
    other = machines["two.server"]
    number = int(other["machine"].rpartition("-")[2])

    async def run(command: str) -> str:
        return await stage.ssh(command, deployment="one", record=machines["one.server"])

    assert "0% packet loss" in await run("ping -c 1 -W 2 server")  # itself, by name
    assert "100% packet loss" in await run(f"ping -c 1 -W 2 10.1.{number // 256}.{number % 256}")
    # the other node's document, with its very token: this node's way to the server is its own
    _, node, attempt = other["key"]
    theirs = json.loads((stage.state / "attempts" / f"{node}-{attempt}.json").read_bytes())
    told = await run(f"wget -q -O - http://10.0.2.100/v1/info/{theirs['token']} 2>&1; echo code $?")
    assert "authorizedKeys" not in told
    assert "404" in told
    # its own is there
    _, node, attempt = machines["one.server"]["key"]
    own = json.loads((stage.state / "attempts" / f"{node}-{attempt}.json").read_bytes())
    assert '"host":"server"' in await run(f"wget -q -O - http://10.0.2.100/v1/info/{own['token']}")
    # no route out, no IPv6 beyond the link, no name server
    assert "100% packet loss" in await run("ip route add default via 10.0.2.2; ping -c 1 -W 2 192.0.2.1")
    for port in (22, 53, site.operator.port):
        assert "code 0" not in await run(f"nc -w 2 10.0.2.2 {port} < /dev/null; echo code $?")
    assert "code 0" not in await run("ping -6 -c 1 -W 2 fec0::2; echo code $?")
