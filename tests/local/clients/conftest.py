"""Fixtures of the client suites: an ApiClient, and a proxy to cut it off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient

from tests.local.clients.proxy import Proxy
from tests.local.kubectl.runner import Kubectl
from tests.local.plane import ControlPlane, http


@pytest_asyncio.fixture(autouse=True)
async def goodbyes() -> AsyncIterator[None]:
    """A closed TLS connection is gone a round trip later; a loop that ends sooner leaves its socket open."""
    yield
    loop: Any = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        while any(transport._sock is not None for transport in list(loop._transports.values())):
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def api(control_plane: ControlPlane) -> AsyncIterator[ApiClient]:
    """A client that logged in with the administrator's kubeconfig."""
    client = await config.new_client_from_config(str(control_plane.kubeconfig))
    async with client:
        yield client


@pytest_asyncio.fixture
async def proxy(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Proxy]:
    async with Proxy(Path(control_plane.kubeconfig), tmp_path) as relay:
        yield relay


@pytest.fixture
def namespace(k: Kubectl) -> str:
    return k.namespace


class FaultSwitches:
    """The local control plane's faults; whatever a test sets is off again after it."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._http = http(Path(control_plane.kubeconfig))

    def set(self, **switches: Any) -> None:
        answer = self._http.put("/nxc-faults", json=switches)
        assert answer.status_code == 200, answer.text

    def do(self, what: str) -> None:
        """`drop` every watch, or `forget` the past."""
        answer = self._http.post(f"/nxc-faults/{what}")
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        self.set()
        self._http.close()


@pytest.fixture
def faults(control_plane: ControlPlane) -> Any:
    if control_plane.kind != "local":
        pytest.skip("faults on demand: only the local control plane has them")
    switches = FaultSwitches(control_plane)
    yield switches
    switches.close()
