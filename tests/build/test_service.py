"""Compositions through the whole operator: a control plane, the operator as a process, real Nix, the seed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.build.isolation import Isolation
from controller.kube.client import Client
from controller.model.composition import PROGRESS_LIMIT
from controller.model.kinds import COMPOSITION, CONFIGMAP, NAMESPACE
from tests.local.plane import ControlPlane
from tests.loop.process import OperatorProcess, free_port
from tests.loop.stage import ROOT, apply, connect, install

pytestmark = pytest.mark.slow
SECONDS = 240.0
"""For a first build, with everything fetched, on a busy machine."""


@dataclass(frozen=True)
class House:
    """A control plane and the operator on it, which builds below `state`."""

    plane: ControlPlane
    operator: OperatorProcess
    state: Path

    def roots(self) -> set[str]:
        """The images that are kept from being collected."""
        return {os.readlink(link) for link in (self.state / "nix/var/nix/gcroots/nxc").glob("image-*")}


@pytest.fixture(scope="module")
def house(
    control_plane: ControlPlane, isolation: Isolation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    """The operator leads, and nothing is built yet."""
    directory = tmp_path_factory.mktemp("builds")
    directory.chmod(0o755)
    for above in directory.parents[:3]:  # the Nix user has to reach its store
        with contextlib.suppress(PermissionError):
            above.chmod(above.stat().st_mode | 0o011)

    async def furnish() -> None:
        client = await connect(control_plane.kubeconfig)
        await install(client)
        await client.aclose()

    asyncio.run(furnish())
    state = directory / "state"
    operator = OperatorProcess(
        control_plane.kubeconfig, directory, "--package-source", "seed", "--build-state", str(state)
    )
    operator.start()
    try:
        yield House(control_plane, operator, state)
        assert operator.stop() == 0, operator.said()[-2000:]
    finally:
        if operator.running:
            operator.kill()
    assert "Traceback" not in operator.said(), operator.said()


class Lab:
    """A namespace of one test."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace

    async def apply(self, source: str | dict[str, Any], name: str = "web", **spec: Any) -> None:
        """A composition for vm-ramdisk: an inline text or another source."""
        given = {"inline": source} if isinstance(source, str) else source
        body = {"source": given, "flavours": ["vm-ramdisk"], **spec}
        await apply(
            self.client,
            COMPOSITION,
            {"metadata": {"name": name, "namespace": self.namespace}, "spec": body},
        )

    async def condition(
        self, type: str, status: str, name: str = "web", seconds: float = SECONDS
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Until a condition of the present spec has a status: the object's status, and the condition."""
        deadline = time.monotonic() + seconds
        while True:
            obj = await self.client.get(COMPOSITION, self.namespace, name)
            told: dict[str, Any] = dict(obj.get("status") or {})
            found = {c["type"]: c for c in told.get("conditions") or ()}.get(type, {})
            current = found.get("observedGeneration") == obj["metadata"]["generation"]
            if current and found.get("status") == status:
                return told, found
            assert time.monotonic() < deadline, (
                f"{type} is not {status} after {seconds} s: {json.dumps(told, indent=1)}"
            )
            await asyncio.sleep(0.05)

    async def delete(self, name: str = "web") -> None:
        obj = await self.client.get(COMPOSITION, self.namespace, name)
        await self.client.delete(COMPOSITION, self.namespace, name, uid=obj["metadata"]["uid"])


@pytest.fixture
async def lab(house: House) -> AsyncIterator[Lab]:
    """A namespace; at the end its compositions go, and with them every root."""
    if not house.operator.running:
        house.operator.start()
    client = await connect(house.plane.kubeconfig)
    namespace = f"build-{secrets.token_hex(3)}"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    lab = Lab(client, namespace)
    try:
        yield lab
        for item in (await client.list(COMPOSITION, namespace=namespace)).items:
            await lab.delete(item["metadata"]["name"])
        await until("no root is left", lambda: not house.roots())
    finally:
        await client.aclose()


async def until(what: str, true: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.1)


def role(text: str) -> str:
    """A composition of one role."""
    return f"{{ pkgs, ... }}: {{\n  roles.server = {{\n    {text}\n  }};\n}}\n"


def slow(seconds: int, name: str = "slow") -> str:
    """A composition one part of which takes its time to build."""
    script = f"sleep {seconds}; echo {secrets.token_hex(8)} > $out"
    return role(f"environment.etc.slow.source = pkgs.runCommand \"{name}\" {{ }} ''{script}'';")


def nix_code() -> float:
    """When the Nix code of this checkout was changed last."""
    return max(path.stat().st_mtime for path in (ROOT / "nix").rglob("*"))


def built(house: House) -> float:
    return house.operator.metrics().get('nxc_builds_total{flavour="vm-ramdisk",result="Built"}', 0.0)


async def test_the_example_becomes_ready_with_a_manifest(house: House, lab: Lab):
    spec = yaml.safe_load((ROOT / "examples/webserver/composition.yaml").read_text())["spec"]
    await lab.apply(spec["source"])
    told, _ = await lab.condition("Ready", "True")
    image = told["images"][0]
    assert told["roles"] == ["client", "server"]
    assert image["image"].startswith("sha256:")
    assert image["packageSource"] == "seed"
    assert image["pin"].startswith("sha256:")
    assert image["sizeBytes"] > 10_000_000
    assert image["closureBytes"] > image["sizeBytes"]
    assert image["evalSeconds"] > 0
    assert image["buildSeconds"] > 0
    manifest = json.loads((house.state / image["manifest"].lstrip("/")).read_bytes())
    assert set(manifest["roles"]) == {"client", "server"}
    assert house.roots() == {image["manifest"].removesuffix("/manifest.json")}
    assert house.operator.metrics()["nxc_build_trusted"] == 0.0


async def test_a_second_build_gives_the_same_bytes(house: House, lab: Lab):
    await lab.apply(role("environment.systemPackages = [ pkgs.hello ];"), build={"check": True})
    deadline = time.monotonic() + SECONDS
    image: dict[str, Any] = {}
    while "reproducible" not in image:
        assert time.monotonic() < deadline, image
        told, _ = await lab.condition("Ready", "True")
        image = told["images"][0]
    assert image["reproducible"] is True, image["message"]


BROKEN = {
    "syntax error": (role("services.nginx.enable = ;"), "Evaluated", r"composition\.nix:3:29"),
    "undefined variable": (
        role("environment.systemPackages = [ curl ];"),
        "Evaluated",
        r"composition\.nix:3:36.*'curl'",
    ),
    "unknown option": (
        role("services.ngnix.enable = true;"),
        "Evaluated",
        r"services\.ngnix.*services\.nginx",
    ),
    "type error": (role('services.nginx.enable = "yes";'), "Evaluated", r"services\.nginx\.enable"),
    "infinite recursion": (role("networking.hostName = let x = x; in x;"), "Evaluated", r"recursion"),
    "missing attribute": (role("environment.systemPackages = [ pkgs.crul ];"), "Evaluated", r"crul.*curl"),
    "throw": (role('networking.hostName = throw "not today";'), "Evaluated", r"not today"),
    "import from outside": ("import /etc/passwd", "Evaluated", r"/etc/passwd"),
    "a build that fails": (
        role("environment.etc.x.source = pkgs.runCommand \"broken\" { } ''echo no such luck >&2; exit 3'';"),
        "Built",
        r"no such luck",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_composition_says_what_is_wrong(house: House, lab: Lab, name: str):
    text, condition, message = BROKEN[name]
    await lab.apply(text)
    _, stalled = await lab.condition("Stalled", "True")
    _, found = await lab.condition(condition, "False")
    assert re.search(message, found["message"], re.DOTALL), found["message"]
    assert stalled["message"] == found["message"]
    if condition == "Built":
        await lab.condition("Evaluated", "True")
        assert (house.state / "logs").exists()
        assert str(house.state / "logs") in found["message"]


async def test_a_build_that_hangs_ends_at_its_limit(house: House, lab: Lab):
    await lab.apply(slow(3600), build={"timeout": "15s"})
    _, found = await lab.condition("Stalled", "True")
    assert found["reason"] == "BuildTimeout"
    assert "spec.build.timeout" in found["message"]
    assert not processes(house, "sleep")


async def test_progress_is_told_while_it_builds(house: House, lab: Lab):
    await lab.apply(slow(6, "a-slow-part"))
    seen: set[str] = set()
    told: dict[str, Any] = {}
    while not seen & {"Ready"}:
        told = dict((await lab.client.get(COMPOSITION, lab.namespace, "web")).get("status") or {})
        image = (told.get("images") or [{}])[0]
        assert len(image.get("progress", "")) <= PROGRESS_LIMIT
        seen |= {image.get("state", ""), image.get("progress", "")}
        assert "Failed" not in seen, told
        await asyncio.sleep(0.2)
    assert any("running: a-slow-part" in text for text in seen), seen


async def test_twenty_compositions_in_twenty_namespaces_are_one_build(house: House, lab: Lab):
    before = built(house)
    text = slow(2)
    namespaces = [f"{lab.namespace}-{n}" for n in range(20)]
    labs = [Lab(lab.client, namespace) for namespace in namespaces]
    for one in labs:
        await lab.client.create(
            NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": one.namespace}}
        )
    await asyncio.gather(*(one.apply(text) for one in labs))
    ready = await asyncio.gather(*(one.condition("Ready", "True") for one in labs))
    assert len({told["images"][0]["image"] for told, _ in ready}) == 1
    assert built(house) == before + 1
    assert len(house.roots()) == 1
    for one in labs:
        await one.delete()


async def test_killed_during_a_build_it_builds_once_after_the_restart(house: House, lab: Lab):
    await lab.apply(slow(20))
    deadline = time.monotonic() + SECONDS
    while len(processes(house, "sleep")) == 0:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.2)
    house.operator.kill()
    house.operator.start()
    running = []
    while True:
        running.append(len(processes(house, "sleep")))
        told = dict((await lab.client.get(COMPOSITION, lab.namespace, "web")).get("status") or {})
        if told["images"][0]["state"] == "Ready":
            break
        assert time.monotonic() < deadline + SECONDS, told
        await asyncio.sleep(0.3)
    assert max(running) == 1, running
    assert len(house.roots()) == 1
    assert built(house) == 1.0


async def test_after_a_restart_nothing_is_evaluated_again(house: House, lab: Lab):
    await lab.apply(role("environment.systemPackages = [ pkgs.hello ];"))
    before, _ = await lab.condition("Ready", "True")
    code = nix_code()
    assert house.operator.stop() == 0
    house.operator.start()
    await until("the image is known", lambda: house.operator.total("nxc_builds_total") >= 1)
    if nix_code() != code:
        pytest.skip("somebody edits nix/ while this test runs: then a new evaluation is right")
    assert built(house) == 0
    metrics = house.operator.metrics()
    assert metrics['nxc_builds_total{flavour="vm-ramdisk",result="Known"}'] == 1.0
    after, _ = await lab.condition("Ready", "True")
    assert after["images"] == before["images"]
    assert after["conditions"] == before["conditions"]


async def test_a_deleted_composition_frees_its_roots(house: House, lab: Lab):
    await lab.apply(role(""))
    await lab.condition("Ready", "True")
    assert len(house.roots()) == 1
    await lab.delete()
    await until("the root is gone", lambda: not house.roots())


async def test_going_back_takes_no_build(house: House, lab: Lab):
    first, second = role('networking.domain = "a";'), role("environment.systemPackages = [ pkgs.jq ];")
    first = role("environment.systemPackages = [ pkgs.hello ];")
    await lab.apply(first)
    one, _ = await lab.condition("Ready", "True")
    await lab.apply(second)
    two, _ = await lab.condition("Ready", "True")
    assert two["history"] == [{"flavour": "vm-ramdisk", "image": one["images"][0]["image"]}]
    assert len(house.roots()) == 2
    before = built(house)
    await lab.apply(first)
    three, _ = await lab.condition("Ready", "True")
    assert three["images"][0]["image"] == one["images"][0]["image"]
    assert built(house) == before


async def test_a_config_map_is_a_source(house: House, lab: Lab):
    files = {"composition.nix": "{ ... }: { roles.server = import ./server.nix; }", "server.nix": "{ }"}
    meta = {"name": "files", "namespace": lab.namespace}
    await lab.apply({"configMap": {"name": "files"}})
    _, found = await lab.condition("Evaluated", "False")
    assert found["reason"] == "ConfigMapNotFound"
    await apply(lab.client, CONFIGMAP, {"metadata": meta, "data": files})
    told, _ = await lab.condition("Ready", "True")
    assert told["roles"] == ["server"]
    files["composition.nix"] = files["composition.nix"].replace("server =", "other =")
    await apply(lab.client, CONFIGMAP, {"metadata": meta, "data": files})
    deadline = time.monotonic() + SECONDS
    while told["roles"] != ["other"]:
        assert time.monotonic() < deadline, told
        told, _ = await lab.condition("Ready", "True")
        await asyncio.sleep(0.2)


async def test_a_git_repository_is_a_source(house: House, lab: Lab, tmp_path: Path):
    with served(tmp_path) as (url, commit):
        first = commit("{ ... }: { roles.server = { }; }")
        await lab.apply({"git": {"url": url, "ref": "main", "path": "site", "interval": "2s"}})
        told, _ = await lab.condition("Ready", "True")
        assert told["resolvedRevision"] == first
        second = commit("{ ... }: { roles.other = { }; }")
        deadline = time.monotonic() + SECONDS
        while told["roles"] != ["other"]:
            assert time.monotonic() < deadline, told
            told, _ = await lab.condition("Ready", "True")
            await asyncio.sleep(0.2)
        assert told["resolvedRevision"] == second
    await lab.apply({"git": {"url": f"{url}-gone", "interval": "1h"}})
    _, found = await lab.condition("Evaluated", "False")
    assert found["reason"] == "GitFailed"
    assert f"{url}-gone" in found["message"]


@contextlib.contextmanager
def served(directory: Path) -> Iterator[Any]:
    """A repository behind git's own daemon on loopback, and a function that commits a composition."""
    repository, port = directory / "web", free_port()
    (repository / "site").mkdir(parents=True)

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=repository, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(text: str) -> str:
        (repository / "site/composition.nix").write_text(text)
        git("add", ".")
        git("commit", "--quiet", "--message", "x")
        return git("rev-parse", "HEAD")

    git("init", "--quiet", "--initial-branch=main")
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", f"--base-path={directory}", "--listen=127.0.0.1", f"--port={port}"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"git://127.0.0.1:{port}/web", commit
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(10)


def processes(house: House, name: str) -> list[int]:
    """Processes of this name whose root or environment is that of a build of this house."""
    found = []
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if not directory.name.isdecimal():
                continue
            words = (directory / "cmdline").read_bytes().split(b"\0")
            if not any(Path(word.decode()).name == name for word in words[:2]):
                continue
            mounts = (directory / "mountinfo").read_text()
            if "/".join(house.state.parts[-3:]) in mounts:  # /tmp may be a file system of its own
                found.append(int(directory.name))
    return found
