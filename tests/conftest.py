"""The control planes under test: `local`, ours, and `real`, whatever NXC_TEST_KUBECONFIG names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.local.plane import ControlPlane

REAL = "NXC_TEST_KUBECONFIG"
MACHINES = "machines"

# Slow machines are no failures; CI looks at the same examples each time.
hypothesis.settings.register_profile(
    "nxc", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("nxc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under xdist a file stays with one worker, and all that boots machines with one: two at a time are enough here.

    The longest go first, so that no worker is left alone with them at the end.
    """
    for item in items:
        where = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(MACHINES if where.startswith("tests/system/") else where))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: not item.nodeid.startswith("tests/system/"))


@pytest.fixture(scope="session", params=["local", pytest.param("real", marks=pytest.mark.real)])
def control_plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A test that asks for it runs against both planes; without a real one it is skipped there, by name."""
    from controller.local.server import Settings  # late: unit tests need no server
    from tests.local.plane import ControlPlane, LocalThread

    if request.param == "real":
        real = os.environ.get(REAL)
        if not real:
            pytest.skip(f"no real control plane: {REAL} is not set")
        yield ControlPlane("real", Path(real))
        return
    directory = tmp_path_factory.mktemp("plane")
    thread = LocalThread(Settings(directory / "state", directory / "kubeconfig", faults=True))
    try:
        yield thread.start()
    finally:
        thread.stop()
