"""A deployment of containers, from apply to delete: found by their names, adopted, told, usable by hand."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest
import yaml

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE
from tests.loop.process import ROOT
from tests.loop.stage import apply, condition
from tests.system.docker.conftest import Site
from tests.system.docker.stage import SECONDS, DockerStage

pytestmark = pytest.mark.slow

EXAMPLES = ("hello", "webserver", "redis", "iperf3", "head-with-workers", "postgresql", "slurm")
"""All but `nfs`: its server is the host's kernel, which a container may not have."""
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tr somebody"


@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_passes_its_test_script_with_only_its_flavour_changed(
    site: Site, stage: DockerStage, example: str, tmp_path: Path
) -> None:
    text = site.images.example(example)
    await asyncio.to_thread(site.images.build, example, text)
    spec = {"source": {"inline": f"# image: {example}\n{text}"}}
    await apply(stage.client, COMPOSITION, stage._body(COMPOSITION, example, spec, {}))
    deployment = yaml.safe_load((ROOT / "examples" / example / "deployment.yaml").read_text())
    await stage.create(DEPLOYMENT, "web", deployment["spec"] | {"flavour": "docker"})
    await stage.ready(seconds=SECONDS)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller.plugin.cli", "test", "web"),
        *("--kubeconfig", str(site.kubeconfig), "--namespace", stage.namespace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, output.decode()
    assert "passed" in output.decode()


async def test_a_container_sees_its_closure_and_no_more_of_the_store(stage: DockerStage) -> None:
    await stage.plain(clients=1)
    await stage.up(2)

    verified = condition(await stage.node("web.client"), "Verified", "True")
    assert verified is not None
    assert "-system-client" in verified["message"]
    paths = (await stage.ssh("ls /nix/store", "client")).split()
    assert any(path.endswith("-system-client") for path in paths)
    assert not [path for path in paths if path.endswith(("-system-server", ".drv"))]
    assert "Read-only" in await stage.ssh("touch /nix/store/x 2>&1", "client")
    assert "1 packets received" in await stage.ssh("ping -c 1 -W 5 server1 2>&1", "client")
    assert stat.S_IMODE(stage.file().stat().st_mode) == 0o600


async def test_containers_are_adopted_told_and_joined_by_others(site: Site, stage: DockerStage) -> None:
    await stage.plain()
    await stage.up()
    before = stage.container()

    site.operator.kill()
    site.operator.start()
    await stage.edit(DEPLOYMENT, "web", {"authorizedKeys": [KEY]})
    await stage.edit(
        DEPLOYMENT, "web", {"roles": [{"name": "server"}, {"name": "client", "hostnames": ["late"]}]}
    )
    await stage.up(2)
    assert "somebody" in await stage.ssh("cat /root/.ssh/authorized_keys")
    assert "1 packets received" in await stage.ssh("ping -c 1 -W 5 late 2>&1")
    assert stage.container() == before

    await stage.edit(DEPLOYMENT, "web", {"roles": [{"name": "server"}, {"name": "client", "count": 0}]})
    await stage.gone(NODE, "web.late", SECONDS)
    await stage.up(1)
    assert stage.container() == before
    assert "late:" not in stage.file().read_text()


async def test_its_compose_file_can_be_used_by_hand(stage: DockerStage) -> None:
    await stage.plain()
    await stage.up()

    def compose(*words: str) -> str:
        process = stage.engine.compose("-f", str(stage.file()), *words)
        assert process.returncode == 0, process.stderr
        return process.stdout

    assert compose("config", "--services").split() == ["server"]
    assert stage.container() == compose("ps", "--quiet", "--no-trunc").strip()
    assert compose("exec", "-T", "server", "/run/current-system/sw/bin/cat", "/etc/nxc/role") == "server\n"
    assert "the role server is up" in compose("logs", "--no-color", "server")
    compose("up", "--detach")  # nothing to do: the same container
    assert compose("ps", "--quiet", "--no-trunc").strip() == stage.container()
