"""Everything real: a composition evaluated and built on the seed, its roles on machines, and what they do there."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.local.server import Settings
from controller.model.kinds import COMPOSITION, DEPLOYMENT, NAMESPACE
from tests.local.plane import LocalThread
from tests.loop.process import ROOT, OperatorProcess
from tests.loop.stage import apply, condition, connect
from tests.system.vm.conftest import Site
from tests.system.vm.stage import VmStage

pytestmark = pytest.mark.slow

BUILD_SECONDS = 240.0
BOOT_SECONDS = 180.0
SCRIPT_SECONDS = 150.0


@pytest.fixture(scope="module")
def real_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The operator as it is shipped. NXC_TEST_CACHE keeps what it builds."""
    for program in ("nix-instantiate", "qemu-system-x86_64", "vde_switch"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    directory = tmp_path_factory.mktemp("real")
    cache = os.environ.get("NXC_TEST_CACHE")
    builds = Path(cache) / "builds" if cache else directory / "build"
    plane = LocalThread(Settings(directory / "state", directory / "kubeconfig"))
    plane.start()
    operator = OperatorProcess(
        directory / "kubeconfig",
        directory,
        *("--machine-state", str(directory), "--build-state", str(builds), "--package-source", "seed"),
    )
    site = Site(directory / "kubeconfig", operator, directory)
    try:
        operator.start()
        yield site
        assert operator.stop() == 0, f"the operator did not end cleanly: {operator.said()[-2000:]}"
    finally:
        if operator.running:
            operator.kill()
        plane.stop()


@pytest.fixture
async def stage(real_site: Site) -> AsyncIterator[VmStage]:
    """A namespace of the test's own; nothing may be left of it."""
    client = await connect(real_site.kubeconfig)
    namespace = f"vm-{secrets.token_hex(3)}"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stage = VmStage(client, namespace, real_site.state / "machines" / "local", real_site.runtime)
    try:
        yield stage
        await stage.end()
    finally:
        await client.aclose()


def example(name: str) -> dict[str, Any]:
    """An object of examples/, without the namespace that a user would have."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "examples" / name).read_text())
    return document


async def build(stage: VmStage, spec: dict[str, Any], name: str) -> None:
    """Until a composition is built, or has failed for good."""
    await apply(stage.client, COMPOSITION, stage._body(COMPOSITION, name, spec, {}))

    async def built() -> bool:
        obj = await stage.get(COMPOSITION, name)
        stalled = condition(obj, "Stalled", "True")
        assert stalled is None, f"the build failed: {stalled}"
        return condition(obj, "Ready", "True") is not None

    await stage.until(f"composition {name} is built", built, BUILD_SECONDS)


EXAMPLES = ("hello", "redis", "postgresql", "nfs", "iperf3", "head-with-workers", "slurm")
"""Of examples/; the web server has a test of its own."""


@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_becomes_ready_and_passes_its_test_script(
    real_site: Site, stage: VmStage, name: str, tmp_path: Path
) -> None:
    await build(stage, example(f"{name}/composition.yaml")["spec"], name)
    await stage.create(DEPLOYMENT, name, example(f"{name}/deployment.yaml")["spec"])
    await stage.condition(DEPLOYMENT, name, "Ready", seconds=BOOT_SECONDS)

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller.plugin.cli", "test", name),
        *("--kubeconfig", str(real_site.kubeconfig), "--namespace", stage.namespace),
        *("--timeout", str(SCRIPT_SECONDS)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    output, _ = await asyncio.wait_for(process.communicate(), SCRIPT_SECONDS + 30)
    assert process.returncode == 0, output.decode()
    assert "passed" in output.decode()


async def test_the_web_server_answers_its_client_by_name_once_it_is_ready(stage: VmStage) -> None:
    await build(stage, example("webserver/composition.yaml")["spec"], "webserver")
    await stage.create(
        DEPLOYMENT,
        "web",
        {"compositionRef": {"name": "webserver"}, "flavour": "vm-ramdisk"},
    )
    await stage.ready(nodes=2, seconds=BOOT_SECONDS)

    assert "hello world" in await stage.ssh("curl -fsS http://server", "client")
    for host in ("server", "client"):
        verified = condition(await stage.node(f"web.{host}"), "Verified", "True")
        assert verified is not None
        assert "-system-" in verified["message"]
    assert "failed" not in await stage.ssh("systemctl list-units --state=failed --plain --no-legend")
    # nginx ends: the node says so, and is not ready
    await stage.ssh("systemctl stop nginx")
    await stage.node_condition("Ready", "False", reason="PortClosed", seconds=60)
    await stage.ssh("systemctl start nginx")
    await stage.node_condition("Ready", seconds=60)
    # the client restarts itself, by the programs that PID 1 hears by signals: it comes back, in the same attempt
    await stage.ssh("(sleep 0.2; /bin/busybox reboot) > /dev/null 2>&1 &", "client")
    await stage.node_condition("Ready", "False", "web.client", seconds=60)
    await stage.node_condition("Ready", name="web.client", seconds=BOOT_SECONDS)
    assert (await stage.node("web.client"))["status"]["attempt"] == 1
    assert "hello world" in await stage.ssh("curl -fsS http://server", "client")
    # a key comes: the running nodes are told of it, and are not booted again
    before = [await stage.pid(host) for host in ("server", "client")]
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr somebody"
    await stage.edit(DEPLOYMENT, "web", {"authorizedKeys": [key]})
    await stage.ready(seconds=60)
    assert "somebody" in await stage.ssh("cat /root/.ssh/authorized_keys /etc/ssh/authorized_keys.d/root")
    assert [await stage.pid(host) for host in ("server", "client")] == before


async def test_the_web_server_of_two_flavours_differs_in_what_a_flavour_adds_alone(
    real_site: Site, stage: VmStage
) -> None:
    """The paper's Figure 6: same store paths; the kernel and what boots it are the flavour's."""
    spec = example("webserver/composition.yaml")["spec"] | {"flavours": ["vm-ramdisk", "docker"]}
    await build(stage, spec, "webserver")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller.plugin.cli", "diff", "--composition", "webserver"),
        *("vm-ramdisk", "docker", "--output", "json"),
        *("--kubeconfig", str(real_site.kubeconfig), "--namespace", stage.namespace),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    found = json.loads(output)
    for role, program in (("server", "nginx"), ("client", "curl")):
        split = found["roles"][role]
        assert not split["first"]["paths"], role
        assert not split["second"]["paths"], role
        assert any(f"-{program}-" in path for path in split["common"]["paths"]), role
    added = found["added"]
    assert "linux" in {package["name"] for package in found["packages"]}
    assert added["first"]["bytes"] > 1 << 20
    assert not added["common"]["paths"]
    assert not added["second"]["paths"]
    assert found["kernels"]["server"]["second"]["version"] == ""


async def test_a_role_that_chooses_another_kernel_runs_on_it(stage: VmStage) -> None:
    text = """{ pkgs, ... }: {
      roles.server = { boot.kernelPackages = pkgs.linuxPackages_generic; };
    }"""
    await build(stage, {"source": {"inline": text}, "flavours": ["vm-ramdisk"]}, "kernel")
    await stage.create(DEPLOYMENT, "web", {"compositionRef": {"name": "kernel"}, "flavour": "vm-ramdisk"})
    await stage.ready(nodes=1, seconds=BOOT_SECONDS)

    verified = condition(await stage.node(), "Verified", "True")
    assert verified is not None
    running = (await stage.ssh("uname -r")).strip()
    assert verified["message"].endswith(f"on Linux {running}")
    assert "cloud" not in running
