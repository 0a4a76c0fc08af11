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

# Slow machines are no failures; CI looks at the same examples each time.
hypothesis.settings.register_profile(
    "nxc", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("nxc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


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
