"""The API server of a scenario: the local control plane's core, behind a bad network."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from controller.kube.api import ApiError, Conflict, Listing, Unreachable, refusal
from controller.local.core import errors
from controller.local.core.api import MERGE_PATCH, ApiCore
from controller.local.core.request import Preconditions, Request
from controller.local.core.storage import Change
from controller.local.core.watch import Watch
from controller.model.kinds import CRD, LEASE, Kind
from controller.model.meta import Object
from controller.shipped import crds
from tests.scenarios.clock import EPOCH, Life
from tests.scenarios.trace import Trace
from tests.scenarios.weather import Dice

T = TypeVar("T")


@lru_cache(1)
def _installed() -> tuple[tuple[dict[str, Any], ...], int]:
    """The objects of a fresh server with our CRDs, and its resource version. Made once a process."""
    numbers = iter(range(1, 1000))
    core = ApiCore(
        clock=lambda: EPOCH, new_uid=lambda: str(uuid.UUID(int=next(numbers))), new_suffix=lambda: "aaaaa"
    )
    core.bootstrap()
    for definition in crds():
        core.handle(_request("create", CRD, body=definition))
    core.settle()
    objects = [obj for _, kept in core.storage.collections() for obj in kept.objects.values()]
    return tuple(objects), core.resource_version


def _request(verb: Any, kind: Kind, namespace: str = "", name: str = "", **rest: Any) -> Request:
    return Request(verb, kind.group, kind.version, kind.plural, namespace, name, **rest)


class Cluster:
    """A control plane with our CRDs. Its own controllers (garbage, namespaces) work in the background."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], datetime],
        rng: random.Random,
        trace: Trace,
        *,
        judge: Callable[[str, Change], None],
        called: Callable[[str], None],
    ) -> None:
        """`judge` hears of every change, with the name of who made it, before it is stored; `called` of every
        call of an operator."""
        self.called = called
        self.hearers: list[Callable[[Kind, str | None, Any], None]] = []
        """Who is told of events."""
        self.unguarded: Callable[[str], None] = lambda what: None
        """Hears of a status that is written without the resource version it was decided on."""
        self._loop, self._random, self.trace, self.judge = loop, rng, trace, judge
        self._background: asyncio.TimerHandle | None = None
        self._context = copy_context()
        self.writer = "server"
        """Who is writing just now."""
        self.faults: list[tuple[str, str, ApiError]] = []
        """Errors to come, each once: part of the call's label, "before" or "after" the effect, the error."""
        self.core = ApiCore(
            clock=clock,
            new_uid=lambda: str(uuid.UUID(int=rng.getrandbits(128))),
            new_suffix=lambda: "".join(rng.choices("bcdfghjklmnpqrstvwxz2456789", k=5)),
            journal=self,
        )
        self.core.load(*_installed())

    def append(self, changes: Sequence[Change]) -> None:
        """The core's journal: called before a change is stored."""
        for change in changes:
            self.judge(self.writer, change)

    def do(self, writer: str, verb: Any, kind: Kind, namespace: str = "", name: str = "", **rest: Any) -> Any:
        """One call, at once and without faults. Raises `controller.kube.api.ApiError`."""
        before, self.writer = self.writer, writer
        try:
            found = self.core.handle(_request(verb, kind, namespace, name, **rest)).object
        except errors.ApiError as error:
            raise refusal(error.code, error.status(), retry_after=error.retry_after) from None
        finally:
            self.writer = before
        if verb not in ("get", "list"):
            self._work_later()
        return found

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """Every object of a kind, as it stands now."""
        resource = self.core.registry.find(kind.group, kind.version, kind.plural)
        assert resource is not None
        return list(self.core.storage.collection(resource.storage).objects.values())

    def watch(self, kind: Kind, resource_version: str) -> Watch:
        """Open a watch on a kind in all namespaces."""
        return self.core.watch(_request("watch", kind, resource_version=resource_version))

    def _work_later(self) -> None:
        if self._background is None:
            delay = self._random.expovariate(10.0)
            self._background = self._loop.call_later(delay, self._work, context=self._context)

    def _work(self) -> None:
        self._background = None
        before, self.writer = self.writer, "server"
        try:
            more = self.core.step()
        finally:
            self.writer = before
        if more:
            self._work_later()


class SimApi:
    """`controller.kube.api.Api` for one process, over a bad network."""

    def __init__(self, cluster: Cluster, life: Life, dice: Dice) -> None:
        self._cluster, self._life, self._dice = cluster, life, dice

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found: Object = await self._call("get", kind, namespace, name)
        return found

    async def list(self, kind: Kind, *, namespace: str = "") -> Listing:
        found = await self._call("list", kind, namespace)
        return Listing(tuple(found["items"]), found["metadata"]["resourceVersion"])

    async def create(self, kind: Kind, obj: Object) -> Object:
        made: Object = await self._call("create", kind, obj["metadata"].get("namespace") or "", body=obj)
        return made

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        *,
        subresource: str = "",
    ) -> Object:
        if subresource == "status" and "resourceVersion" not in patch.get("metadata", {}):
            self._cluster.unguarded(f"{self._life.name} writes the status of {kind.kind} {namespace}/{name}")
        patched: Object = await self._call(
            "patch", kind, namespace, name, body=patch, patch_type=MERGE_PATCH, subresource=subresource
        )
        return patched

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        await self._call("delete", kind, namespace, name, preconditions=Preconditions(uid=uid))

    async def _call(self, verb: str, kind: Kind, namespace: str, name: str = "", **rest: Any) -> Any:
        if self._life.dead:
            raise asyncio.CancelledError
        dice, weather, trace = self._dice, self._dice.weather, self._cluster.trace
        await dice.half_a_call()
        writes = verb not in ("get", "list")
        name_of_new = rest["body"]["metadata"].get("name", "") if verb == "create" else ""
        label = f"{verb} {kind.kind} {namespace}/{name or name_of_new}"
        if asyncio.get_running_loop().time() < self._life.cut_off_until:
            raise Unreachable("no route to host (simulated)")
        if dice.falls(weather.refused):
            trace(self._life.name, "{}: refused", label)
            raise self._refused()
        if writes and verb != "create" and dice.falls(weather.conflict):
            raise Conflict(409, "Conflict", "the object has been modified (simulated)")
        self._cluster.called(label)
        self._asked_for(label, "before")
        await self._maybe_die(label, "before")
        try:
            found = self._cluster.do(self._life.name, verb, kind, namespace, name, **rest)
        except ApiError as error:
            if writes:
                trace(self._life.name, "{}: {} {}", label, error.code, error.reason)
            await dice.half_a_call()
            raise
        if writes:
            trace.count("api writes")
            if kind is not LEASE:
                trace(self._life.name, "{}", label)
        self._asked_for(label, "after")
        await self._maybe_die(label, "after")
        await dice.half_a_call()
        if dice.falls(weather.unanswered):
            trace(self._life.name, "{}: done, but unanswered", label)
            raise Unreachable("the connection was cut (simulated)")
        return found

    def _asked_for(self, label: str, when: str) -> None:
        for fault in self._cluster.faults:
            if fault[0] in label and fault[1] == when:
                self._cluster.faults.remove(fault)
                raise fault[2]

    async def _maybe_die(self, label: str, when: str) -> None:
        if self._dice.falls(self._dice.weather.crash):
            self._cluster.trace(self._life.name, "dies {} {}", when, label)
            self._life.kill()
            await asyncio.get_running_loop().create_future()

    def _refused(self) -> ApiError:
        match self._dice.random.randrange(4):
            case 0:
                return ApiError(429, "TooManyRequests", "too many requests (simulated)", retry_after=1.0)
            case 1:
                return ApiError(500, "InternalError", "etcd is ill (simulated)")
            case 2:
                return ApiError(503, "ServiceUnavailable", "not ready (simulated)")
            case _:
                return Unreachable("connection refused (simulated)")
