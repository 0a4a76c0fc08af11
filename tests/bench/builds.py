"""From apply to image: the first build on an empty store, and what a change costs beside it."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.kube.client import Client
from controller.model.kinds import COMPOSITION, NAMESPACE
from tests.bench.planes import Local
from tests.bench.table import Table
from tests.loop.stage import apply, connect

FLAVOUR = "vm-ramdisk"
NAMESPACES = ("one", "two")
LIMIT = 900.0
GLANCE = 0.01
MIB = 1024 * 1024


@dataclass(frozen=True)
class Build:
    """From apply to Ready, seconds; what the status says of it; bytes of the image's files."""

    what: str
    seconds: float
    evaluation: float
    building: float
    image: int
    closure: int


def composition(roles: int, *, text: str = "", package: str = "") -> str:
    """`roles` roles; a web server each, some with a client; a text or a package more in the last one."""
    parts = []
    for number in range(1, roles + 1):
        last = number == roles
        packages = ["curl", "jq"] if number % 2 else ["iperf3"]
        packages += [package] if package and last else []
        parts.append(
            f"node{number} = {{ services.nginx.enable = true; "
            f'environment.etc."role".text = "{number} {text if last else ""}"; '
            f"environment.systemPackages = [ {' '.join(f'pkgs.{name}' for name in packages)} ]; }};"
        )
    return "{ pkgs, ... }: { roles = { " + "\n".join(parts) + " }; }"


async def measure(directory: Path) -> list[Build]:
    """Every case once, in one run. Debian's packages are fetched before the first is timed."""
    filled, fresh = directory / "filled", directory / "fresh"
    with Local(filled) as plane:
        client = await _client(plane)
        await _build(client, "fetch", "one", composition(8, package="hello"))
        await client.aclose()
    pool = Path("build/seed/pool")
    shutil.copytree(filled / "state" / pool, fresh / "state" / pool)
    shutil.rmtree(filled)
    with Local(fresh) as plane:
        client = await _client(plane)
        try:
            return [build async for build in _cases(client)]
        finally:
            await client.aclose()


async def _cases(client: Client) -> Any:
    eight = composition(8)
    for what, namespace, name, source in (
        ("8 roles, empty store", "one", "eight", eight),
        ("the same, of somebody else", "two", "eight", eight),
        ("a text in one of 8 roles", "one", "eight", composition(8, text="changed")),
        ("a package more in one of 8 roles", "one", "eight", composition(8, package="hello")),
        ("back to the first", "one", "eight", eight),
        ("2 roles", "one", "two", composition(2)),
        ("32 roles", "one", "many", composition(32)),
    ):
        yield await _build(client, what, namespace, source, name=name)


async def _client(plane: Local) -> Client:
    client = await connect(plane.kubeconfig)
    for namespace in NAMESPACES:
        await apply(client, NAMESPACE, {"metadata": {"name": namespace}})
    return client


async def _build(client: Client, what: str, namespace: str, source: str, *, name: str = "first") -> Build:
    begin = time.monotonic()
    spec = {"source": {"inline": source}, "flavours": [FLAVOUR]}
    made = await apply(
        client, COMPOSITION, {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
    )
    generation = made["metadata"]["generation"]
    while True:
        status = (await client.get(COMPOSITION, namespace, name)).get("status") or {}
        ready = {c["type"]: c for c in status.get("conditions") or ()}.get("Ready", {})
        if ready.get("observedGeneration") == generation and ready["status"] == "True":
            break
        assert ready.get("reason") not in ("EvaluationFailed", "BuildFailed"), ready["message"]
        assert time.monotonic() < begin + LIMIT, f"{what}: not built within {LIMIT:.0f} s: {ready}"
        await asyncio.sleep(GLANCE)
    seconds = time.monotonic() - begin
    (image,) = status["images"]
    return Build(
        what,
        seconds,
        image.get("evalSeconds", 0.0),
        image.get("buildSeconds", 0.0),
        image["sizeBytes"],
        image["closureBytes"],
    )


AIMS: Mapping[str, str] = {
    "the same, of somebody else": "0.5 s",
    "a text in one of 8 roles": "in proportion",
    "a package more in one of 8 roles": "< 0.25",
}


def report(builds: list[Build], say: Callable[[str], None]) -> None:
    """A table of the cases, as ratios to the first."""
    table = Table(["s", "ratio", "evaluation s", "build s", "image MiB", "closure MiB"])
    first = builds[0].seconds
    for build in builds:
        table.row(
            build.what,
            AIMS.get(build.what, ""),
            f"{build.seconds:.2f}",
            f"{build.seconds / first:.3f}",
            f"{build.evaluation:.2f}",
            f"{build.building:.2f}",
            f"{build.image / MIB:.1f}",
            f"{build.closure / MIB:.1f}",
        )
    say(f"From apply to image ({FLAVOUR}, seed; packages fetched before)")
    say(str(table))
