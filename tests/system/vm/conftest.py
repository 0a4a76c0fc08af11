"""Real machines: a control plane, an operator with ready-made images, and QEMU."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.kube.api import NotFound
from controller.local.server import Settings
from controller.model.kinds import NAMESPACE
from controller.testbeds.files import runtime_directory
from tests.local.plane import LocalThread
from tests.loop.process import OperatorProcess
from tests.loop.stage import connect
from tests.nix.conftest import seed_cache, seed_store
from tests.nix.seed_store import NIX, SeedStore
from tests.system.vm.stage import VmStage

__all__ = ["seed_cache", "seed_store"]  # fixtures of the seed's own tests


@dataclass(frozen=True)
class Site:
    """A control plane with its Testbed `local`, the operator on it, and where its machines are."""

    kubeconfig: Path
    operator: OperatorProcess
    state: Path

    @property
    def runtime(self) -> Path:
        """Where sockets and logs of machines are."""
        return runtime_directory(self.state / "machines" / "local")


@pytest.fixture(scope="session")
def images(seed_store: SeedStore) -> Path:
    """A directory with a store and a manifest a ready-made image (see `operator.py`)."""
    for program in ("qemu-system-x86_64", "vde_switch"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    tiny = seed_store.build(f"import {Path(__file__).parent / 'tiny.nix'} {{ seed = {NIX}/seed; }}")
    shutil.copy(tiny, seed_store.directory / "tiny.json")
    return seed_store.directory


@pytest.fixture(scope="session")
def site(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Everything but the objects of a test."""
    directory = tmp_path_factory.mktemp("site")
    plane = LocalThread(Settings(directory / "state", directory / "kubeconfig"))
    plane.start()
    operator = operator_with(images, directory / "kubeconfig", directory)
    site = Site(directory / "kubeconfig", operator, directory)
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


def operator_with(images: Path, kubeconfig: Path, directory: Path) -> OperatorProcess:
    """An operator with ready-made images, and the records of its machines in `directory`."""
    return OperatorProcess(
        kubeconfig,
        directory,
        *("--machine-state", str(directory)),
        python=(
            str(shutil.which("env")),
            f"NXC_TEST_IMAGES={images}",
            sys.executable,
            "-m",
            "tests.system.vm.operator",
        ),
    )


@pytest.fixture
async def stage(site: Site) -> AsyncIterator[VmStage]:
    """A namespace of the test's own. At its end everything in it is deleted, and nothing may be left."""
    if not site.operator.running:
        site.operator.start()
    async with stage_on(site) as stage:
        yield stage


@contextlib.asynccontextmanager
async def stage_on(site: Site, *, patient: bool = False) -> AsyncIterator[VmStage]:
    """As `stage`, on any site. `patient`: with a client that outlives failures of the API server."""
    client = await connect(site.kubeconfig, patient=patient)
    namespace = f"vm-{secrets.token_hex(3)}"
    await client.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stage = VmStage(client, namespace, site.state / "machines" / "local", site.runtime)
    try:
        yield stage
        if not site.operator.running:
            site.operator.start()
        await stage.end()
        with contextlib.suppress(NotFound):
            await stage.delete(NAMESPACE, namespace)
    finally:
        await client.aclose()
