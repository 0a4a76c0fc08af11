"""`kubectl nxc` and real machines of the seed: two nodes, everything that leads to them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from controller.model.kinds import DEPLOYMENT
from tests.system.vm.conftest import Site
from tests.system.vm.stage import VmStage
from tests.system.vm.test_seed import BOOT_SECONDS, build, example, real_site, stage

__all__ = ["real_site", "stage"]  # fixtures
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh on this machine"),
]

FAILING = 'client.succeed("echo some; exit 3")\n'
DYING = 'client.crash()\nclient.start()\nassert client.succeed("hostname") == "alice\\n"\n'


async def test_two_nodes_are_reached_in_every_way(
    real_site: Site,
    stage: VmStage,
    tmp_path: Path,
):
    kubeconfig = real_site.kubeconfig

    async def nxc(verb: str, *arguments: str) -> tuple[int, str, str]:
        before, separator, after = _parted(arguments)
        options = ("--kubeconfig", str(kubeconfig), "--namespace", stage.namespace)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller.plugin.cli", verb, "web", *before, *options),
            *(*separator, *after),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            cwd=tmp_path,
        )
        output, errors = await asyncio.wait_for(process.communicate(), BOOT_SECONDS)
        assert process.returncode is not None
        return process.returncode, output.decode(), errors.decode()

    await build(stage, example("webserver/composition.yaml")["spec"], "webserver")
    roles = [{"name": "server"}, {"name": "client", "hostnames": ["alice"]}]
    spec = {"compositionRef": {"name": "webserver"}, "flavour": "vm-ramdisk", "roles": roles}
    await stage.create(DEPLOYMENT, "web", spec)
    await stage.ready(nodes=2, seconds=BOOT_SECONDS)

    status, output, errors = await nxc("run", "--", "uname -n")
    assert (status, sorted(output.splitlines())) == (0, ["alice  | alice", "server | server"]), errors
    assert (await nxc("run", "--role", "client", "--", "sh", "-c", "exit 7"))[0] == 7
    status, output, _ = await nxc("ssh-config")
    assert status == 0
    (tmp_path / "config").write_text(output)
    process = await asyncio.create_subprocess_exec(
        "ssh", "-F", str(tmp_path / "config"), "server1", "hostname", stdout=asyncio.subprocess.PIPE
    )
    assert (await asyncio.wait_for(process.communicate(), 60))[0] == b"server\n"
    hosts = json.loads((await nxc("inventory", "--format", "enoslib"))[1])
    assert sorted(hosts) == ["client", "server"]
    assert "succeeded for 'root'" in (await nxc("logs", "server", "sshd"))[1]
    assert "Linux version" in (await nxc("console", "alice"))[1]

    status, output, errors = await nxc("test")
    assert status == 0, output + errors
    (tmp_path / "failing.py").write_text(FAILING)
    status, output, _ = await nxc("test", "--script", "failing.py")
    assert status == 1
    assert "> 1 | client.succeed" in output
    assert "whose fault: the composition's" in output
    (tmp_path / "dying.py").write_text(DYING)
    status, output, errors = await nxc("test", "--script", "dying.py")
    assert status == 0, output + errors
    assert "alice: it was booted anew" in output


def _parted(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at : at + 1], words[at + 1 :]
