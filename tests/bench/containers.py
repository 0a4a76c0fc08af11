"""Nodes as containers of the seed: from apply to all Ready and away again, beside docker compose by hand.

By hand means `docker compose up -d` on the same file: until it returns, and until the SSH server of each greets.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.kube.api import NotFound
from controller.kube.client import path
from controller.model.kinds import DEPLOYMENT, TESTBED
from tests.bench.process import load
from tests.bench.site import GLANCE, Site, real_site, until
from tests.bench.table import Table
from tests.loop.stage import apply
from tests.system.docker.engine import NoEngine, PrivateEngine
from tests.system.docker.stage import testbed

NAME = "containers"
SIZES = (1, 4, 16)
READY_SECONDS, GONE_SECONDS = 300.0, 120.0
GREET_SECONDS = 60.0


@dataclass
class Run:
    """What one size gave, in seconds."""

    count: int
    load: str
    ready: float = 0.0
    gone: float = 0.0
    returned: float = 0.0
    greeted: float = 0.0


async def measure(directory: Path, sizes: Sequence[int], say: Callable[[str], None]) -> list[Run]:
    """One run a size. Raises `NoEngine` where no Docker engine can be had."""
    short = Path(tempfile.mkdtemp(prefix="nxd-", dir="/tmp"))  # sockets have short names
    engine = PrivateEngine(short)
    try:
        await asyncio.to_thread(engine.start)
        return await _measure(directory / "containers", engine, sizes, say)
    finally:
        engine.stop()
        shutil.rmtree(short, ignore_errors=True)


async def _measure(
    state: Path, engine: PrivateEngine, sizes: Sequence[int], say: Callable[[str], None]
) -> list[Run]:
    async with real_site(state, NAME) as site:
        await apply(site.client, *testbed(engine.endpoint))
        await site.build("docker")
        await until("the engine answers", lambda: site.ready(TESTBED, "", "docker"), 60.0)
        runs = []
        for count in sizes:
            runs.append(await _run(site, engine, count))
            say(f"containers: {count} Ready after {runs[-1].ready:.2f} s, by hand {runs[-1].greeted:.2f} s")
        return runs


async def _run(site: Site, engine: PrivateEngine, count: int) -> Run:
    run, name = Run(count, load()), f"of-{count}"
    deployment = {
        "metadata": {"name": name, "namespace": NAME},
        "spec": {
            "compositionRef": {"name": NAME},
            "flavour": "docker",
            "roles": [{"name": "node", "count": count, "resources": {"memory": "64Mi"}}],
        },
    }
    begin = time.monotonic()
    await apply(site.client, DEPLOYMENT, deployment)
    await until("all are Ready", lambda: site.ready(DEPLOYMENT, NAME, name), READY_SECONDS)
    run.ready = time.monotonic() - begin
    kept = await asyncio.to_thread(_keep, site.state, name)
    begin = time.monotonic()
    await site.client.request("DELETE", path(DEPLOYMENT, NAME, name))

    async def gone() -> bool:
        with contextlib.suppress(NotFound):
            await site.client.get(DEPLOYMENT, NAME, name)
            return False
        return True

    await until("all are gone", gone, GONE_SECONDS)
    run.gone = time.monotonic() - begin
    run.returned, run.greeted = await asyncio.to_thread(_by_hand, engine, kept)
    return run


def _keep(state: Path, name: str) -> Path:
    """The Compose file, with doors that nobody answers, and no labels: else the operator takes it for its own."""
    (home,) = (file.parent for file in state.glob("containers/docker/deployments/*/compose.yaml"))
    place = state / name
    shutil.copytree(home, place, symlinks=True)
    file = place / "compose.yaml"
    document = yaml.safe_load(file.read_text().replace(str(home), str(place)))
    for item in document["networks"].values():
        del item["labels"]
    for host, service in document["services"].items():
        del service["labels"]
        for mount in service["volumes"]:
            if mount["target"] == "/run/nxc-door":
                mount["source"] = str(place / f"door-{host}")
                Path(mount["source"]).mkdir()
    file.write_text(yaml.safe_dump(document))
    return file


def _by_hand(engine: PrivateEngine, file: Path) -> tuple[float, float]:
    document: dict[str, Any] = yaml.safe_load(file.read_text())
    begin = time.monotonic()
    done = engine.compose("--file", str(file), "up", "--detach")
    assert done.returncode == 0, done.stderr
    returned = time.monotonic() - begin
    for service in document["services"].values():
        if not _greeted(service["networks"]["nodes"]["ipv4_address"]):
            said = engine.compose("--file", str(file), "ps", "--all").stdout
            raise AssertionError(said + engine.compose("--file", str(file), "logs").stdout[-3000:])
    greeted = time.monotonic() - begin
    engine.compose("--file", str(file), "down", "--timeout", "1")
    return returned, greeted


def _greeted(address: str) -> bool:
    """Whether an SSH server greets, within a minute."""
    deadline = time.monotonic() + GREET_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((address, 22), 5) as connection:
            if connection.recv(4) == b"SSH-":
                return True
        time.sleep(GLANCE)
    return False


def report(runs: Sequence[Run], say: Callable[[str], None]) -> None:
    """A table, a size a column."""
    table = Table([str(run.count) for run in runs])
    rows = (
        ("apply to all Ready, s", "ready"),
        ("docker compose up by hand: returns, s", "returned"),
        ("docker compose up by hand: SSH of all greets, s", "greeted"),
        ("delete to all gone, s", "gone"),
    )
    for title, name in rows:
        table.row(title, "", *(f"{getattr(run, name):.2f}" for run in runs))
    within = ["yes" if run.ready <= 1.2 * run.greeted + 0.5 else "no" for run in runs]
    table.row("Ready within 1.2 times by hand and 0.5 s", "yes", *within)
    say(f"Containers of the seed (load {', '.join(run.load for run in runs)})")
    say(str(table))


__all__ = ["NoEngine", "Run", "measure", "report"]
