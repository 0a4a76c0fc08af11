"""Many deployments of one simulated node each: from apply to Ready, at rest, and away again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from controller.kube.api import NotFound
from controller.kube.client import Client, path
from controller.model.kinds import COMPOSITION, DEPLOYMENT, EVENT, LEASE, NAMESPACE, NODE, TESTBED
from tests.bench.process import peak
from tests.loop.process import OperatorProcess
from tests.loop.stage import apply, condition, connect, install

NAME = "bench"
FLAVOUR = "simulated-fast"
SIDE_BY_SIDE = 16
"""Creates under way at a time; more do not make the API servers here any faster."""
GIVE_UP = 1200.0
RESYNC = 60.0
"""Seconds between resyncs of the operator that is measured at rest; jittered by a quarter."""
SPREAD = 30.0
"""Seconds over which a resync spreads its looks (controller.runtime.resync)."""


@dataclass
class Figures:
    """What one run gave. Times in seconds, memory in MiB."""

    count: int
    applied: float = 0.0
    ready: float = 0.0
    cpu: float = 0.0
    writes: Counter[str] = field(default_factory=Counter)
    rss: float = 0.0
    peak: float = 0.0
    restart: float = 0.0
    restart_writes: float = 0.0
    idle_cpu: float = 0.0
    resync_cpu: float = 0.0
    resync_writes: float = 0.0
    rest_rss: float = 0.0
    gone: float = 0.0

    @property
    def per_deployment(self) -> float:
        """API writes for one deployment and its node."""
        return sum(self.writes.values()) / self.count


async def measure(
    kubeconfig: Path, directory: Path, count: int, *, python: tuple[str, ...] = (), at_rest: bool = True
) -> Figures:
    """One run; everything it made is gone afterwards, unless it failed."""
    client = await connect(kubeconfig)
    figures = Figures(count)
    more: dict[str, Any] = {"python": python} if python else {}
    operator = OperatorProcess(kubeconfig, directory, resync=86400.0, **more)
    try:
        await _furnish(client, directory, count)
        await asyncio.to_thread(operator.start)
        await _until("the composition is built", _built(client))
        await _fill(client, operator, figures)
        if at_rest:
            operator.stop()
            operator = OperatorProcess(kubeconfig, directory, resync=RESYNC)
            await _rest(operator, figures)
        begin = time.monotonic()
        await client.request("DELETE", path(DEPLOYMENT, NAME), body={"propagationPolicy": "Background"})
        await _until("all is gone", _empty(client))
        figures.gone = time.monotonic() - begin
        await _clear(client)
    finally:
        if operator.running:
            operator.stop()
        await client.aclose()
    return figures


async def _furnish(client: Client, directory: Path, count: int) -> None:
    await install(client)
    await apply(client, NAMESPACE, {"metadata": {"name": NAME}})
    spec: dict[str, Any] = {"kind": "simulated", "allowedNamespaces": {"from": "All"}}
    spec |= {"endpoint": f"file://{directory}/world-{count}", "capacity": {"nodes": count + 10}}
    await apply(client, TESTBED, {"metadata": {"name": NAME}, "spec": spec})
    source = {"inline": "# simulate: roles=node\n{ roles = { node = {}; }; }"}
    spec = {"source": source, "packageSource": {"name": "simulated"}, "flavours": [FLAVOUR]}
    await apply(client, COMPOSITION, {"metadata": {"name": NAME, "namespace": NAME}, "spec": spec})


async def _fill(client: Client, operator: OperatorProcess, figures: Figures) -> None:
    """Apply, and wait until all are Ready: the time of the last one as a watch sees it."""
    before, (cpu, _) = _writes(operator), operator.usage()
    lease = await _renewals(client)
    version = (await client.list(DEPLOYMENT, namespace=NAME)).resource_version
    begin = time.monotonic()
    watching = asyncio.create_task(_all_ready(client, version, figures.count))
    gate = asyncio.Semaphore(SIDE_BY_SIDE)

    async def make(index: int) -> None:
        async with gate:
            await client.create(DEPLOYMENT, _deployment(index))

    try:
        await asyncio.gather(*(make(index) for index in range(figures.count)))
        figures.applied = time.monotonic() - begin
        figures.ready = await watching - begin
    finally:
        watching.cancel()
    await asyncio.sleep(3.0)  # the last counts and events are written
    figures.cpu = operator.usage()[0] - cpu
    figures.writes = _writes(operator)
    figures.writes.subtract(before)
    events = (await client.list(EVENT, namespace=NAME)).items
    figures.writes["events"] = sum(event.get("count") or 1 for event in events)
    figures.writes["lease"] = await _renewals(client) - lease
    figures.rss, figures.peak = operator.usage()[1], peak(operator.pid)


async def _rest(operator: OperatorProcess, figures: Figures) -> None:
    """A restart, a while with no news, and a resync with no news."""
    begin = time.monotonic()
    await asyncio.to_thread(operator.start)
    await _until("the restarted operator has looked at everything", _looked_at(operator, 2 * figures.count))
    figures.restart = time.monotonic() - begin
    await asyncio.sleep(3.0)
    figures.restart_writes = sum(_writes(operator).values())
    cpu, since = operator.usage()[0], time.monotonic()
    await asyncio.sleep(10.0)
    idle = (operator.usage()[0] - cpu) / (time.monotonic() - since)
    before, cpu = _writes(operator), operator.usage()[0]
    await _until("a resync", _resynced(operator))
    await asyncio.sleep(SPREAD + 2.0)
    figures.idle_cpu = idle
    # All that was spent meanwhile: the idle rate right after a restart is no measure of what to take off.
    figures.resync_cpu = operator.usage()[0] - cpu
    after = _writes(operator)
    after.subtract(before)
    figures.resync_writes = sum(after.values())
    figures.rest_rss = peak(operator.pid)


async def _all_ready(client: Client, version: str, count: int) -> float:
    """When so many deployments had become Ready (monotonic time)."""
    ready: set[str] = set()
    async for event in watch(client, path(DEPLOYMENT, NAME), version):
        obj = event["object"]
        held = condition(obj, "Ready", "True")
        if held is not None and held.get("observedGeneration") == obj["metadata"]["generation"]:
            ready.add(obj["metadata"]["name"])
            if len(ready) == count:
                return time.monotonic()
    raise AssertionError(f"the watch ended with {len(ready)} of {count} Ready")


async def watch(client: Client, target: str, version: str) -> Any:
    """The events of a watch, parsed, until its limit."""
    url = f"{client.server}{target}?watch=true&resourceVersion={version}&timeoutSeconds={int(GIVE_UP)}"
    async with client._connections().get(url, timeout=aiohttp.ClientTimeout(total=GIVE_UP)) as answer:
        rest_of = b""
        async for chunk in answer.content.iter_any():
            *lines, rest_of = (rest_of + chunk).split(b"\n")
            for line in lines:
                yield orjson.loads(line)


def _deployment(index: int) -> dict[str, Any]:
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.kind,
        "metadata": {"name": f"d{index:04}", "namespace": NAME},
        "spec": {
            "compositionRef": {"name": NAME},
            "flavour": FLAVOUR,
            "roles": [{"name": "node"}],
            "testbedRef": {"name": NAME},
        },
    }


def _writes(operator: OperatorProcess) -> Counter[str]:
    """The operator's writes so far, by kind and verb."""
    prefix = "nxc_api_writes_total"
    found: Counter[str] = Counter()
    for sample, value in operator.metrics().items():
        if sample.startswith(prefix + "{"):
            kind, verb = (
                part.partition("=")[2].strip('"') for part in sample[len(prefix) + 1 : -1].split(",")
            )
            found[f"{kind} {verb}"] = int(value)
    return found


async def _renewals(client: Client) -> int:
    """A number that grows by one with each renewal of the operator's Lease."""
    lease = await client.get(LEASE, "nxc-system", "nxc-controller")
    renewed = lease["spec"]["renewTime"]
    return int(time.mktime(time.strptime(renewed[:19], "%Y-%m-%dT%H:%M:%S")) / 2)


def _built(client: Client) -> Any:
    async def check() -> bool:
        return condition(await client.get(COMPOSITION, NAME, NAME), "Ready", "True") is not None

    return check


def _empty(client: Client) -> Any:
    async def check() -> bool:
        found = [
            (await client.request("GET", path(kind, NAME), query={"limit": "1"}))
            for kind in (DEPLOYMENT, NODE)
        ]
        return not any(page["items"] for page in found)

    return check


def _looked_at(operator: OperatorProcess, count: int) -> Any:
    async def check() -> bool:
        return operator.total("controller_runtime_reconcile_total") >= count

    return check


def _resynced(operator: OperatorProcess) -> Any:
    async def check() -> bool:
        return operator.total("nxc_resyncs_total") >= 1

    return check


async def _until(what: str, check: Any) -> None:
    deadline = time.monotonic() + GIVE_UP
    while not await check():
        assert time.monotonic() < deadline, f"not within {GIVE_UP:.0f} s: {what}"
        await asyncio.sleep(0.25)


async def _clear(client: Client) -> None:
    for kind, namespace, name in ((TESTBED, "", NAME), (NAMESPACE, "", NAME)):
        try:
            await client.request("DELETE", path(kind, namespace, name))
        except NotFound:
            continue
    await _until("namespace and testbed are gone", _nothing(client))


def _nothing(client: Client) -> Any:
    async def check() -> bool:
        for kind in (NAMESPACE, TESTBED):
            try:
                await client.get(kind, "", NAME)
            except NotFound:
                continue
            return False
        return True

    return check
