"""What the benches of real nodes stand on: a control plane, the operator as it is shipped, and one built role."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.kube.client import Client
from controller.model.kinds import COMPOSITION, NAMESPACE, Kind
from tests.bench.planes import Local
from tests.loop.process import OperatorProcess
from tests.loop.stage import apply, condition, connect

BUILD_SECONDS = 900.0
GLANCE = 0.02
SOURCE = "{ pkgs, ... }: { roles.node = { }; }"


@dataclass(frozen=True)
class Site:
    """`state`: where the operator keeps its records; `name`: of the namespace, and of the composition in it."""

    client: Client
    operator: OperatorProcess
    state: Path
    name: str

    async def build(self, flavour: str) -> None:
        """Have the composition built; nothing of that is measured."""
        await apply(self.client, NAMESPACE, {"metadata": {"name": self.name}})
        spec = {"source": {"inline": SOURCE}, "flavours": [flavour]}
        composition = {"metadata": {"name": self.name, "namespace": self.name}, "spec": spec}
        await apply(self.client, COMPOSITION, composition)
        await until(
            "the composition is built", lambda: self.ready(COMPOSITION, self.name, self.name), BUILD_SECONDS
        )

    async def ready(self, kind: Kind, namespace: str, name: str) -> bool:
        """Whether an object is Ready; one that never will be ends the bench."""
        obj = await self.client.get(kind, namespace, name)
        assert condition(obj, "Stalled", "True") is None, obj["status"]["conditions"]
        return condition(obj, "Ready", "True") is not None


@asynccontextmanager
async def real_site(state: Path, name: str) -> AsyncIterator[Site]:
    """One in which nothing is done without need. NXC_TEST_CACHE keeps what is built."""
    with Local(state, "--no-operator") as plane:
        builds = os.environ.get("NXC_TEST_CACHE")
        operator = OperatorProcess(
            plane.kubeconfig,
            state,
            *("--machine-state", str(state), "--package-source", "seed"),
            *("--build-state", str(Path(builds) / "builds" if builds else state / "build")),
            resync=86400.0,
        )
        client = await connect(plane.kubeconfig)
        try:
            await asyncio.to_thread(operator.start)
            yield Site(client, operator, state, name)
        finally:
            await client.aclose()
            if operator.running:
                operator.stop()


async def until(what: str, check: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Look often, until something holds. AssertionError: it did not."""
    deadline = time.monotonic() + seconds
    while not await check():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(GLANCE)
