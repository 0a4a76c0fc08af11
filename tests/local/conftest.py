"""Local control planes for what a real one does not have; `control_plane` stands in tests/conftest.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.local.server import Settings
from tests.local.plane import ControlPlane, LocalProcess, LocalThread


@pytest.fixture(scope="session")
def local_control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The local plane alone, for what a real one does not have."""
    directory = tmp_path_factory.mktemp("plane")
    thread = LocalThread(Settings(directory / "state", directory / "kubeconfig", faults=True))
    try:
        yield thread.start()
    finally:
        thread.stop()


@pytest.fixture
def local_server_process(tmp_path: Path) -> Iterator[LocalProcess]:
    """A process of our own with fresh state, not started yet; killed after the test if it still runs."""
    process = LocalProcess(tmp_path)
    try:
        yield process
    finally:
        if process.process is not None and process.process.poll() is None:
            process.kill()
