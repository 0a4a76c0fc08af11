from __future__ import annotations

import asyncio
import itertools
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.kube.api import AlreadyExists, Conflict, NotFound, Unreachable
from controller.runtime.leader import Leadership, LeaseTimes, Observation, may_take, observe


def lease(holder: str, version: str = "1", duration: int = 15) -> dict[str, Any]:
    return {
        "metadata": {"resourceVersion": version},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": duration},
    }


def test_a_lease_is_free_when_nobody_holds_it_or_we_do():
    assert may_take(Observation(lease(""), 0), "me", 1)
    assert may_take(Observation(lease("me"), 0), "me", 1)
    assert not may_take(Observation(lease("other"), 0), "me", 14)


def test_it_expires_by_our_own_clock_since_it_was_last_seen_to_change():
    seen = observe(None, lease("other", "1"), 100)
    assert observe(seen, lease("other", "1"), 200) is seen
    assert may_take(seen, "me", 115.1)
    renewed = observe(seen, lease("other", "2"), 114)
    assert not may_take(renewed, "me", 120)


class Server:
    """One lease, with resource versions."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.versions = itertools.count(1)
        self.down = False

    def _check(self) -> None:
        if self.down:
            raise Unreachable("down")

    async def get(self, kind: Any, namespace: str, name: str) -> Any:
        self._check()
        if self.lease is None:
            raise NotFound(404, "NotFound", "no lease")
        return self.lease

    async def create(self, kind: Any, obj: Any) -> Any:
        self._check()
        if self.lease is not None:
            raise AlreadyExists(409, "AlreadyExists", "there")
        self.lease = {
            **obj,
            "metadata": {**obj["metadata"], "resourceVersion": str(next(self.versions))},
        }
        return self.lease

    async def patch(self, kind: Any, namespace: str, name: str, patch: Any, *, subresource: str = "") -> Any:
        self._check()
        assert self.lease is not None
        if patch["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "changed")
        spec = {**self.lease["spec"], **patch["spec"]}
        self.lease = {
            **self.lease,
            "metadata": {**self.lease["metadata"], "resourceVersion": str(next(self.versions))},
            "spec": spec,
        }
        return self.lease


def candidate(server: Any, name: str) -> Leadership:
    return Leadership(
        server,
        namespace="nxc-system",
        name="nxc-controller",
        identity=name,
        clock=lambda: datetime.now(UTC),
        rng=random.Random(1),
        times=LeaseTimes(duration=1.0, deadline=0.3, retry=0.05),
    )


async def until(condition: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
def server() -> Server:
    return Server()


async def forever() -> None:
    await asyncio.Event().wait()


async def test_one_of_two_leads_and_the_other_takes_over_when_it_stops(server):
    first, second = candidate(server, "a"), candidate(server, "b")
    one = asyncio.ensure_future(first.run(forever))
    await until(lambda: first.leading)
    two = asyncio.ensure_future(second.run(forever))
    await asyncio.sleep(0.2)
    assert not second.leading
    one.cancel()
    await asyncio.wait({one})
    await until(lambda: second.leading, 0.5)  # released, so there is no waiting for it to expire
    assert server.lease["spec"]["leaseTransitions"] == 1
    two.cancel()
    await asyncio.wait({two})


async def test_a_leader_that_cannot_renew_stops_its_work_before_the_lease_ends(server):
    working = []

    async def work() -> None:
        working.append("started")
        try:
            await forever()
        finally:
            working.append("stopped")

    leader = candidate(server, "a")
    task = asyncio.ensure_future(leader.run(work))
    await until(lambda: working == ["started"])
    server.down = True
    lost = asyncio.get_running_loop().time()
    await until(lambda: working == ["started", "stopped"])
    assert asyncio.get_running_loop().time() - lost < 0.9
    server.down = False
    await until(lambda: working == ["started", "stopped", "started"])
    task.cancel()
    await asyncio.wait({task})


async def test_a_lease_taken_by_another_ends_our_work(server):
    leader = candidate(server, "a")
    task = asyncio.ensure_future(leader.run(forever))
    await until(lambda: leader.leading)
    server.lease = {
        "metadata": {"resourceVersion": str(next(server.versions))},
        "spec": {"holderIdentity": "thief", "leaseDurationSeconds": 60},
    }
    await until(lambda: not leader.leading)
    task.cancel()
    await asyncio.wait({task})
    assert server.lease["spec"]["holderIdentity"] == "thief"


async def test_work_that_fails_ends_the_leadership_with_its_error(server):
    async def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await candidate(server, "a").run(broken)
    assert server.lease["spec"]["holderIdentity"] == ""
