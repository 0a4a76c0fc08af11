"""The control planes under test: `local`, ours, and `real`, whatever NXC_TEST_KUBECONFIG names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.local.plane import ControlPlane

# Slow machines are no failures; CI looks at the same examples each time.
hypothesis.settings.register_profile(
    "nxc", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("nxc")


MACHINES = "tests/system/"
"""Tests that boot machines: two at a time are what a small host carries, so one worker has them all, and first."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deals whole files out to the workers of `make test`, in the order of the collection."""
    from xdist.scheduler import LoadFileScheduling  # late: it is not needed for `pytest -p no:xdist`

    class Dealer(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return MACHINES if nodeid.startswith(MACHINES) else str(super()._split_scope(nodeid))

    config.option.loadscopereorder = False
    return Dealer(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Among several workers what takes longest begins first; alone, the quick tests may fail early."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(MACHINES))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture(scope="session", params=["local", pytest.param("real", marks=pytest.mark.real)])
def control_plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A test that asks for it runs against both planes; without a real one it is skipped there, by name."""
    from controller.local.server import Settings  # late: unit tests need no server
    from tests.local.plane import REAL, ControlPlane, LocalThread, real_kubeconfig

    if request.param == "real":
        real = real_kubeconfig()
        if real is None:
            pytest.skip(f"no real control plane: {REAL} is not set")
        asyncio.run(prepared(real))
        yield ControlPlane("real", real)
        return
    directory = tmp_path_factory.mktemp("plane")
    thread = LocalThread(Settings(directory / "state", directory / "kubeconfig", faults=True))
    try:
        yield thread.start()
    finally:
        thread.stop()


async def prepared(kubeconfig: Path) -> None:
    """Have our CRDs in force: what is written in the half second after a CRD is first served can be lost."""
    from tests.loop.stage import connect, install

    client = await connect(kubeconfig)
    try:
        await install(client)
        await asyncio.sleep(2.0)
    finally:
        await client.aclose()
