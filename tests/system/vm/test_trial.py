"""`spec.test: {run: OnReady}` on a real machine: what a script does there, and what it cannot do here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.build.isolation import probe
from controller.build.system import System
from controller.model.errors import NxcError
from controller.model.kinds import COMPOSITION, DEPLOYMENT
from controller.sandbox.jailed import Jailed
from controller.testbeds.cgroups import find
from tests.loop.stage import apply, condition
from tests.system.vm.conftest import Site
from tests.system.vm.stage import BOOT_SECONDS, VmStage

pytestmark = pytest.mark.slow

PASSES = """
start_all()
with subtest("its name"):
    assert server.succeed("hostname") == "server\\n"
"""
REACHES_OUT = """
import os, socket
for port in PORTS:
    with t.assertRaises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
for path in PATHS:
    assert not os.path.exists(path), path
assert os.listdir("/nodes") == ["server"]
server.succeed("true")
"""
SCRIPT_SECONDS = 60.0


class Trial:
    """A deployment of one node, and the script that is run on it."""

    def __init__(self, stage: VmStage) -> None:
        self.stage = stage

    async def begin(self, script: str) -> None:
        """Have a script run, in place of any before; the node stays as it is."""
        stage = self.stage
        await stage.edit(DEPLOYMENT, "web", {"test": {"run": "Never"}})
        text = f"# image: tiny\n# script: {json.dumps(script)}\n{{ }}"
        await apply(
            stage.client, COMPOSITION, stage._body(COMPOSITION, "tiny", {"source": {"inline": text}}, {})
        )

        async def known() -> bool:
            obj = await stage.get(COMPOSITION, "tiny")
            web = await stage.get(DEPLOYMENT, "web")
            assert obj is not None
            images = (obj.get("status") or {}).get("images") or [{}]
            return images[0].get("testScript") == script and condition(web, "Tested") is None

        await stage.until("the script is known", known, 30.0)
        await stage.edit(DEPLOYMENT, "web", {"test": {"run": "OnReady"}})

    async def ends(self, status: str, reason: str) -> dict[str, object]:
        """`status.test`, once `Tested` says this."""
        obj = await self.stage.condition(
            DEPLOYMENT, "web", "Tested", status, reason=reason, seconds=SCRIPT_SECONDS
        )
        return dict(obj["status"].get("test") or {})


async def test_scripts_are_run_on_a_ready_deployment_and_reach_nothing_else(
    stage: VmStage, site: Site
) -> None:
    try:
        isolation = await probe(System())
    except NxcError as error:
        pytest.skip(f"no sandbox here: {error.message}")
    if isolation.user is None:
        pytest.skip("no sandbox here: not root")
    await stage.tiny(test={"run": "OnReady"})
    await stage.ready(nodes=1, seconds=BOOT_SECONDS)
    trial = Trial(stage)
    await trial.ends("False", "NoTestScript")

    await trial.begin(PASSES)
    passed = await trial.ends("True", "Passed")
    assert "subtest: its name" in str(passed["log"])

    await trial.begin('x = 1\nserver.succeed("echo some; exit 3")')
    failed = await trial.ends("False", "Failed")
    assert (failed["line"], failed["blame"]) == (2, "User")
    assert "exit code 3" in str(failed["message"])

    ssh = int((await stage.node())["status"]["address"].rpartition(":")[2])
    api = int(site.kubeconfig.read_text().partition("https://127.0.0.1:")[2].partition("\n")[0])
    ports, paths = (ssh, site.operator.port, api), (str(site.kubeconfig), str(site.state), "/etc/shadow")
    await trial.begin(REACHES_OUT.replace("PORTS", repr(ports)).replace("PATHS", repr(paths)))
    await trial.ends("True", "Passed")

    await trial.begin("import time\nwhile True:\n    time.sleep(1)")
    hung = await trial.ends("False", "Failed")
    assert "the test took longer than 10 s" in str(hung["message"])

    # the controller dies while a script is at work: it is run again, and ends with the deployment
    await trial.begin("import time\nwhile True:\n    time.sleep(1)")
    await trial.ends("Unknown", "Running")

    async def at_work() -> bool:
        return bool(_programs(site))

    async def idle() -> bool:
        return not _programs(site)

    await stage.until("the script is at work", at_work, 30.0)
    site.operator.kill()
    await stage.until("the script died with it", idle, 10.0)
    site.operator.start()

    async def again() -> bool:
        obj = await stage.get(DEPLOYMENT, "web")
        return obj is not None and obj["status"]["test"]["run"] == 2 and await at_work()

    await stage.until("it is run again", again, SCRIPT_SECONDS)
    await stage.delete(DEPLOYMENT, "web")
    await stage.until("it is gone", idle, 30.0)
    await stage.end()
    assert not (site.state / "tests").exists()
    groups = Jailed(site.state / "tests", trusted=False).group("*")
    assert not [group for parent in find().parents for group in parent.glob(groups)]


def _programs(site: Site) -> list[str]:
    """Processes of this operator's test scripts: those that see its sockets."""
    found, place = [], f"/{site.state.parent.name}/{site.state.name}/tests/"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line, mounts = (process / "cmdline").read_bytes(), (process / "mountinfo").read_text()
        except OSError:
            continue
        if b"controller.driver.inside" in line and place in mounts:
            found.append(process.name)
    return found
