"""Real containers: a Docker engine of the tests' own, a control plane, and an operator with ready-made images."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.kube.api import NotFound
from controller.local.server import Settings
from controller.model.kinds import NAMESPACE
from controller.testbeds.files import runtime_directory
from tests.local.plane import LocalThread
from tests.loop.process import ROOT, OperatorProcess
from tests.loop.stage import apply, connect
from tests.nix.conftest import seed_cache, seed_store
from tests.nix.seed_store import NIX, SeedStore
from tests.system.docker.engine import NoEngine, PrivateEngine
from tests.system.docker.stage import DockerStage, testbed

__all__ = ["seed_cache", "seed_store"]  # fixtures of the seed's own tests

PLAIN = "{ roles = { server = { }; client = { }; }; }"
"""Two roles with nothing but sshd."""


@dataclass(frozen=True)
class Site:
    """A control plane, the operator on it, the engine, and where the operator keeps its records."""

    kubeconfig: Path
    operator: OperatorProcess
    state: Path
    engine: PrivateEngine
    images: Images

    @property
    def containers(self) -> Path:
        return self.state / "containers" / "docker"

    @property
    def runtime(self) -> Path:
        """Where the doors of containers are."""
        return runtime_directory(self.containers)


@dataclass(frozen=True)
class Images:
    """Manifests by name, beside the store that they are of."""

    directory: Path
    store: SeedStore

    def build(self, name: str, text: str) -> None:
        """Have an image of a composition's text."""
        if (self.directory / f"{name}.json").exists():
            return
        file = self.directory / f"{name}.nix"
        file.write_text(text)
        source = f"import {NIX}/seed {{ }}"
        made = self.store.build(
            f'(import {NIX}/compose.nix {{ source = {source}; composition = {file}; flavour = "docker"; }}).drv'
        )
        shutil.copy(made / "manifest.json", self.directory / f"{name}.json")

    def change(self, name: str, change: Callable[[dict[str, Any]], None], of: str = "plain") -> str:
        """Another image, whose manifest a hostile build might have written; its name."""
        manifest = json.loads((self.directory / f"{of}.json").read_bytes())
        change(manifest)
        (self.directory / f"{name}.json").write_text(json.dumps(manifest))
        return name

    def example(self, name: str) -> str:
        """The text of an example's composition."""
        document = yaml.safe_load((ROOT / "examples" / name / "composition.yaml").read_text())
        return str(document["spec"]["source"]["inline"])


@pytest.fixture(scope="session")
def engine() -> Iterator[PrivateEngine]:
    """An engine that every test of the session shares, and may kill."""
    directory = Path(tempfile.mkdtemp(prefix="nxd-", dir="/tmp"))
    engine = PrivateEngine(directory)
    try:
        try:
            engine.start().try_out()
        except NoEngine as error:
            pytest.skip(str(error))
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def images(engine: PrivateEngine, seed_store: SeedStore, tmp_path_factory: pytest.TempPathFactory) -> Images:
    """With the image `plain`."""
    images = Images(tmp_path_factory.mktemp("images"), seed_store)
    images.build("plain", PLAIN)
    return images


@pytest.fixture(scope="session")
def site(engine: PrivateEngine, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything but the objects of a test."""
    directory = tmp_path_factory.mktemp("docker")
    plane = LocalThread(Settings(directory / "state", directory / "kubeconfig"))
    plane.start()
    operator = OperatorProcess(
        directory / "kubeconfig",
        directory,
        *("--machine-state", str(directory)),
        python=(
            str(shutil.which("env")),
            f"NXC_TEST_IMAGES={images.directory}",
            f"NXC_TEST_STORE={images.store.directory}",
            sys.executable,
            "-m",
            "tests.system.docker.operator",
        ),
    )
    site = Site(directory / "kubeconfig", operator, directory, engine, images)
    try:
        operator.start()
        yield site
        assert operator.stop() == 0, f"the operator did not end cleanly: {operator.said()[-2000:]}"
        assert not site.runtime.exists(), f"left behind: {list(site.runtime.rglob('*'))}"
    finally:
        if operator.running:
            operator.kill()
        plane.stop()
    assert "Traceback" not in operator.said(), operator.said()


@pytest.fixture
async def stage(site: Site) -> AsyncIterator[DockerStage]:
    """A namespace of the test's own and the Testbed as it should be. At the end nothing may be left."""
    if not site.operator.running:
        site.operator.start()
    if not site.engine.running:
        site.engine.start()
    client = await connect(site.kubeconfig)
    await apply(client, *testbed(site.engine.endpoint))
    namespace = f"docker-{secrets.token_hex(3)}"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stage = DockerStage(client, namespace, site.containers, site.runtime, site.engine)
    try:
        yield stage
        if not site.operator.running:
            site.operator.start()
        await apply(client, *testbed(site.engine.endpoint))
        await stage.end()
        with contextlib.suppress(NotFound):
            await stage.delete(NAMESPACE, namespace)
    finally:
        await client.aclose()
