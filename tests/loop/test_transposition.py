"""`kubectl nxc transpose` and `diff` through a real API server, with an operator that does it."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from controller.model.closure import KEY, Closure, config_map_name
from controller.model.kinds import CONFIGMAP, DEPLOYMENT
from controller.plugin import cli
from tests.loop.conftest import House
from tests.loop.stage import Stage, crew

CURL = "/nix/store/" + "a" * 32 + "-curl-8.5.0"
LINUX = "/nix/store/" + "b" * 32 + "-linux-6.1.0"


async def nxc(house: House, stage: Stage, *words: str) -> int:
    """Run the plugin as a user does."""
    where = ["-n", stage.namespace, "--kubeconfig", str(house.plane.kubeconfig)]
    return await asyncio.to_thread(cli.main, [*words, *where])


async def test_a_deployment_moves_and_is_copied_and_the_two_are_compared(
    house: House, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(server=1, client=2))
    await stage.ready(nodes=3)
    assert await nxc(house, stage, "transpose", "web", "--to", "simulated-fast") == 0
    assert "nxd/web moves" in capsys.readouterr().err
    await stage.ready(nodes=3)
    await stage.matches()
    assert {record.flavour for record in stage.running().values()} == {"simulated-fast"}

    assert await nxc(house, stage, "transpose", "web", "--to", "simulated", "--as", "copy") == 0
    await stage.ready("copy", nodes=3)
    for name, flavour, paths in (
        ("web", "simulated-fast", {CURL: 7}),
        ("copy", "simulated", {CURL: 7, LINUX: 9}),
    ):
        obj = await stage.get(DEPLOYMENT, name)
        assert obj is not None
        packed = Closure(flavour, paths, {"server": frozenset(paths)}).packed()
        config_map = config_map_name("web", flavour, obj["status"]["image"])
        body = {"binaryData": {KEY: base64.b64encode(packed).decode()}}
        meta = {"name": config_map, "namespace": stage.namespace}
        await stage.client.create(
            CONFIGMAP, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **body}
        )
    capsys.readouterr()
    assert await nxc(house, stage, "diff", "nxd/web", "copy", "--no-services", "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["roles"]["server"]["second"]["paths"] == {LINUX: 9}
    assert (found["first"], found["second"]) == ("web (simulated-fast)", "copy (simulated)")


async def test_a_flavour_that_nobody_serves_is_refused_in_words(
    house: House, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.composition()
    await stage.deployment(roles=crew(server=1))
    await stage.ready(nodes=1)
    assert await nxc(house, stage, "transpose", "web", "--to", "nosuch") == 1
    assert "spec.flavour: no flavour 'nosuch' (installed: " in capsys.readouterr().err
    assert set(stage.running()) == {"server"}
