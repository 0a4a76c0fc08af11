"""Nodes on real machines of the seed: from apply to all Ready and away again, beside a plain shell script.

The script boots the same kernel and initrd, with the same command lines and as many at a time, until the SSH
server of each greets: what nobody can be faster than, with these machines.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from controller.flavours.vm_ramdisk import at_once
from controller.kube.api import NotFound
from controller.kube.client import Client, path
from controller.model.deployment import DEFAULT_MEMORY
from controller.model.kinds import DEPLOYMENT, NODE
from controller.model.quantity import parse_time
from controller.testbeds.accelerator import probe
from controller.testbeds.process import _holders
from tests.bench.fleet import watch
from tests.bench.planes import ROOT
from tests.bench.process import load
from tests.bench.site import Site, real_site, until
from tests.bench.table import Table
from tests.loop.process import free_port
from tests.loop.stage import apply, condition

NAME = "machines"
SIZES = (1, 4, 16)
PROGRAMS = ("nix-instantiate", "qemu-system-x86_64", "vde_switch")
READY_SECONDS, GONE_SECONDS = 900.0, 120.0
IDLE_SECONDS = 20.0
PHASES = ("bootedAt", "informedAt", "reachableAt", "readyAt")


@dataclass
class Run:
    """What one size gave. Seconds; `phases`: of the middle node, from the Deployment's creation."""

    count: int
    load: str
    ready: float = 0.0
    script: float = 0.0
    gone: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0
    idle_cpu: float = 0.0
    memory: float = 0.0


@dataclass(frozen=True)
class Boot:
    """What the machines of a run were booted from, for the script: files of the bench's own."""

    kernel: Path
    initrd: Path
    lines: Sequence[Path]


def lacking() -> str:
    """What this machine lacks to measure anything; empty: nothing."""
    return ", ".join(program for program in PROGRAMS if shutil.which(program) is None)


async def measure(directory: Path, sizes: Sequence[int], say: Callable[[str], None]) -> list[Run]:
    """One run a size; every machine is gone afterwards."""
    async with real_site(directory / NAME, NAME) as site:
        await site.build("vm-ramdisk")
        runs = []
        for count in sizes:
            runs.append(await _run(site, count))
            say(f"machines: {count} Ready after {runs[-1].ready:.1f} s, the script {runs[-1].script:.1f} s")
        return runs


async def _run(site: Site, count: int) -> Run:
    client, operator, state = site.client, site.operator, site.state
    run = Run(count, load())
    name = f"of-{count}"
    version = (await client.list(DEPLOYMENT, namespace=NAME)).resource_version
    requests, cpu = await _requests(client), operator.usage()[0]
    begin = time.monotonic()
    async with asyncio.timeout(READY_SECONDS):
        await apply(client, DEPLOYMENT, _deployment(name, count))
        run.ready = await _ready(client, name, version) - begin
    await asyncio.sleep(3.0)  # the last counts and events are written
    run.requests = await _requests(client)
    run.requests.subtract(requests)
    run.requests["PATCH/deployments"] -= 1  # ours
    run.cpu = operator.usage()[0] - cpu
    run.phases = await _phases(client, name)
    boot = await asyncio.to_thread(_keep, state, count)
    cpu, since = operator.usage()[0], time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    run.idle_cpu = (operator.usage()[0] - cpu) / (time.monotonic() - since)
    run.memory = operator.usage()[1]
    begin = time.monotonic()
    await client.request("DELETE", path(DEPLOYMENT, NAME, name))
    await until("all machines are gone", _empty(client, state), GONE_SECONDS)
    run.gone = time.monotonic() - begin
    run.script = await asyncio.to_thread(_script, state / f"script-{count}", boot)
    return run


def _deployment(name: str, count: int) -> dict[str, Any]:
    spec = {
        "compositionRef": {"name": NAME},
        "flavour": "vm-ramdisk",
        "roles": [{"name": "node", "count": count}],
    }
    return {"metadata": {"name": name, "namespace": NAME}, "spec": spec}


async def _ready(client: Client, name: str, version: str) -> float:
    async for event in watch(client, path(DEPLOYMENT, NAME), version):
        obj = event["object"]
        if obj["metadata"]["name"] == name and condition(obj, "Ready", "True") is not None:
            return time.monotonic()
    raise AssertionError("the watch ended")


async def _phases(client: Client, name: str) -> dict[str, float]:
    """Of the middle node: seconds from the creation of the Deployment (whole seconds) to each phase."""
    created = parse_time((await client.get(DEPLOYMENT, NAME, name))["metadata"]["creationTimestamp"])
    assert created is not None
    nodes = (await client.list(NODE, namespace=NAME)).items
    return {phase: median(_since(node, phase, created) for node in nodes) for phase in PHASES}


def _since(node: dict[str, Any], phase: str, created: datetime) -> float:
    time = parse_time(node["status"]["timings"][phase])
    assert time is not None
    return (time - created).total_seconds()


async def _requests(client: Client) -> Counter[str]:
    """What the API server has answered so far, by verb and resource; without what does not depend on nodes."""
    async with client._connections().get(f"{client.server}/metrics") as answer:
        text = await answer.text()
    found: Counter[str] = Counter()
    for labels, value in re.findall(r"^apiserver_request_total\{(.*)\} (\S+)$", text, re.MULTILINE):
        of = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        if of["resource"] not in ("", "leases") and of["verb"] != "WATCH":
            found["/".join(filter(None, (of["verb"], of["resource"], of["subresource"])))] += int(
                float(value)
            )
    return found


def _keep(state: Path, count: int) -> Boot:
    """Copies of what the machines that run now were booted from: kernel and initrd are open files of QEMU's."""
    kept = state / f"script-{count}"
    kept.mkdir()
    lines = []
    for number, file in enumerate(sorted((state / "machines/local/machines").glob("*/record.json"))):
        lines.append(kept / f"{number}.line")
        lines[-1].write_text(orjson.loads(file.read_bytes())["commandLine"])
    (pid,) = _holders(file.parent / "lock")
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    for option in ("kernel", "initrd"):
        descriptor = words[words.index(f"-{option}") + 1].rpartition("/")[2]
        shutil.copyfile(f"/proc/{pid}/fd/{descriptor}", kept / option)
    return Boot(kept / "kernel", kept / "initrd", lines)


def _script(directory: Path, boot: Boot) -> float:
    """Seconds until the last SSH server greets, with `xargs` and a shell."""
    accelerator = probe()
    common = [
        str(boot.kernel),
        str(boot.initrd),
        str(DEFAULT_MEMORY >> 20),
        accelerator.value,
        str(directory),
    ]
    work = "".join(f"{free_port()} {line}\n" for line in boot.lines)
    slots = str(at_once(accelerator, os.cpu_count() or 1))
    begin = time.monotonic()
    try:
        subprocess.run(
            ["xargs", "-P", slots, "-L", "1", str(ROOT / "tests/bench/boot_machine"), *common],
            input=work,
            text=True,
            check=True,
            timeout=READY_SECONDS,
        )
        return time.monotonic() - begin
    finally:
        for file in directory.glob("*.pid"):
            with suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)


def _empty(client: Client, state: Path) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        if any((state / "machines/local/machines").iterdir()):
            return False
        with suppress(NotFound):
            listed = [(await client.list(kind, namespace=NAME)).items for kind in (DEPLOYMENT, NODE)]
            return not any(listed)
        return True

    return check


def report(runs: Sequence[Run], say: Callable[[str], None]) -> None:
    """A table with a column a size."""
    table = Table([f"{run.count} node{'s' if run.count > 1 else ''}" for run in runs])

    def row(name: str, aim: str, form: str, of: Callable[[Run], float]) -> None:
        table.row(name, aim, *(format(of(run), form) for run in runs))

    row("apply to all Ready, s", "", ".1f", lambda run: run.ready)
    row("shell script to all SSH greetings, s", "", ".1f", lambda run: run.script)
    row("ratio", "1.15", ".2f", lambda run: run.ready / run.script)
    for phase in PHASES:
        row(f"  middle node {phase.removesuffix('At')}, s", "", ".1f", lambda run, p=phase: run.phases[p])
    row("API requests a node", "10", ".1f", lambda run: run.requests.total() / run.count)
    row("operator CPU a node until Ready, s", "", ".2f", lambda run: run.cpu / run.count)
    row("operator CPU at rest, share of a core, %", "", ".1f", lambda run: 100 * run.idle_cpu)
    row("operator memory, MiB", "", ".0f", lambda run: run.memory)
    row("delete to all gone, s", "3 s for 16", ".1f", lambda run: run.gone)
    say(
        f"Nodes on machines (vm-ramdisk, seed, {probe().value}); load before: {', '.join(r.load for r in runs)}"
    )
    say(str(table))
    for run in runs:
        asked = ", ".join(f"{name} {number}" for name, number in sorted(run.requests.items()) if number > 0)
        say(f"requests for {run.count}: {asked}")
