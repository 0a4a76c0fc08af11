"""The operator away: stopped while things happen, and killed at every sort of moment."""

from __future__ import annotations

import asyncio

import pytest

from controller.model.kinds import DEPLOYMENT, NODE
from tests.loop.process import OperatorProcess
from tests.loop.stage import Stage, condition, crew

THREE = crew(server=1, client=2)


async def test_what_happened_while_it_was_down_is_made_up_for(
    stage: Stage, operator: OperatorProcess
) -> None:
    await stage.composition()
    for name in ("scaled", "deleted", "moved", "cut"):
        await stage.deployment(name, roles=THREE)
    for name in ("scaled", "deleted", "moved", "cut"):
        await stage.ready(name, nodes=3)
    assert operator.stop() == 0
    await stage.edit(DEPLOYMENT, "scaled", {"roles": crew(client=4)})
    await stage.delete(DEPLOYMENT, "deleted")
    await stage.edit(DEPLOYMENT, "moved", {"flavour": "simulated-fast"})
    await stage.delete(NODE, "scaled.server")
    for record in stage.machines():
        if record.order.owner.name == "cut.server":
            stage.cut(record, "a power cut")
    await stage.deployment("fresh")
    await asyncio.to_thread(operator.start)
    await stage.gone(DEPLOYMENT, "deleted")
    await stage.ready("scaled", nodes=4)
    await stage.ready("moved", nodes=3)
    await stage.ready("cut", nodes=3)
    await stage.ready("fresh", nodes=1)
    await stage.matches()


async def test_a_restart_touches_nothing(stage: Stage, operator: OperatorProcess) -> None:
    await stage.composition()
    await stage.deployment(roles=THREE)
    await stage.ready(nodes=3)
    await asyncio.sleep(1.5)  # the testbed's count is written
    before = {name: n["metadata"]["resourceVersion"] for name, n in (await stage.nodes()).items()}
    keys = {host: r.order.key for host, r in stage.running().items()}
    assert operator.stop() == 0
    await asyncio.to_thread(operator.start)
    await asyncio.sleep(2.0)
    assert {name: n["metadata"]["resourceVersion"] for name, n in (await stage.nodes()).items()} == before
    assert {host: r.order.key for host, r in stage.running().items()} == keys


@pytest.mark.slow
async def test_killed_at_any_moment_it_ends_where_it_should(stage: Stage, operator: OperatorProcess) -> None:
    """kill -9 while it reserves, creates, orders, updates, scales and releases; each time started anew."""
    await stage.composition()

    async def killed(*, when: str, check: object, after: float = 0.0) -> None:
        await stage.until(when, check)  # type: ignore[arg-type]
        await asyncio.sleep(after)
        operator.kill()
        await asyncio.to_thread(operator.start)

    async def reserved() -> bool:
        obj = await stage.get(DEPLOYMENT, "web")
        return obj is not None and "reservation" in (obj.get("status") or {})

    async def ordered() -> bool:
        return bool(stage.machines())

    async def one_is_ready() -> bool:
        return any(condition(node, "Ready", "True") for node in (await stage.nodes()).values())

    await stage.deployment(roles=crew(client=8), kernelParameters=["sim.latency=0.3"])
    await killed(when="it has a reservation", check=reserved)
    await killed(when="a machine is ordered", check=ordered, after=0.02)
    await killed(when="a node is ready", check=one_is_ready)
    await stage.ready(nodes=8)
    assert all(n["status"]["attempt"] == 1 for n in (await stage.nodes()).values())

    image = (await stage.get(DEPLOYMENT, "web") or {})["status"]["image"]
    await stage.composition(text="another version")

    async def another_image() -> bool:
        return any(n["spec"]["image"] != image for n in (await stage.nodes()).values())

    await killed(when="a node is told of another image", check=another_image, after=0.1)
    await stage.ready(nodes=8)

    await stage.edit(DEPLOYMENT, "web", {"roles": crew(client=3)})

    async def going() -> bool:
        return len(stage.running()) < 8

    await killed(when="a machine is ended", check=going)
    await stage.ready(nodes=3)
    await stage.matches()

    await stage.delete(DEPLOYMENT, "web")
    await killed(when="a machine is ended", check=going, after=0.05)
    await stage.gone(DEPLOYMENT, "web")
    await stage.nothing_left()
