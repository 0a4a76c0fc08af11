"""Faults strike as often as asked, the same way each time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from controller.local.core.errors import ApiError
from controller.local.core.watch import Event
from controller.local.faults import Faults, Switches, parse
from controller.local.paths import Target

TARGET = Target("nxc.dev", "v1alpha1", "deployments", "lab", "a")


async def outcomes(faults: Faults, verb: str, times: int = 400) -> list[str]:
    found = []
    for _ in range(times):
        try:
            late = await faults.strike(TARGET, verb)
        except ApiError as error:
            found.append(str(error.code))
        else:
            found.append("late" if late else "ok")
    return found


async def test_without_switches_nothing_happens() -> None:
    assert set(await outcomes(Faults(), "update")) == {"ok"}


async def test_the_same_seed_strikes_the_same_requests() -> None:
    first, second = Faults(), Faults()
    for faults in (first, second):
        faults.set(Switches(seed=7, too_many=0.2, conflict=0.2, unavailable=0.2))
    assert await outcomes(first, "update") == await outcomes(second, "update")


async def test_rates() -> None:
    faults = Faults()
    faults.set(Switches(too_many=0.25))
    counts = Counter(await outcomes(faults, "get"))
    assert 60 < counts["429"] < 140
    faults.set(Switches(conflict=1))
    assert set(await outcomes(faults, "update")) == {"409"}
    assert set(await outcomes(faults, "create")) == {"ok"}
    faults.set(Switches(gone=1))
    assert set(await outcomes(faults, "list")) == {"410"}
    assert set(await outcomes(faults, "watch")) == {"ok"}, "a watch hears of it in its stream"


async def test_some_struck_writes_are_carried_out() -> None:
    faults = Faults()
    faults.set(Switches(unavailable=1))
    assert set(await outcomes(faults, "patch")) == {"late", "500", "503"}
    assert set(await outcomes(faults, "get")) == {"500", "503"}


async def test_other_resources_are_spared() -> None:
    faults = Faults()
    faults.set(Switches(too_many=1, plurals=("leases",)))
    assert set(await outcomes(faults, "get")) == {"ok"}


class Source:
    def __init__(self, count: int) -> None:
        self.on_ready = None
        self.closed = False
        self._events = [Event("ADDED", {"n": n}, n) for n in range(count)]

    def take(self, limit: int = 1000) -> list[Event]:
        taken, self._events = self._events[:limit], self._events[limit:]
        return taken

    def bookmark(self) -> Event:
        return Event("BOOKMARK", {}, 0)

    def close(self) -> None:
        self.closed = True


def test_events_come_twice() -> None:
    faults = Faults()
    faults.set(Switches(double=1))
    watch = faults.bend(Source(2), TARGET)
    assert [event.object["n"] for event in watch.take()] == [0, 0, 1, 1]


def test_a_watch_is_cut_before_an_event() -> None:
    faults = Faults()
    faults.set(Switches(drop=0.1, seed=3))
    source = Source(1000)
    events = faults.bend(source, TARGET).take()
    assert source.closed
    assert [event.object["n"] for event in events] == list(range(len(events)))
    assert len(events) < 200


def test_a_watch_ends_with_410() -> None:
    faults = Faults()
    faults.set(Switches(expire=1))
    source = Source(3)
    [event] = faults.bend(source, TARGET).take()
    assert (event.type, event.object["code"]) == ("ERROR", 410)
    assert source.closed


def test_a_watch_from_a_version_that_is_gone_hears_only_that() -> None:
    faults = Faults()
    faults.set(Switches(gone=1))
    source = Source(3)
    [event] = faults.bend(source, TARGET).take()
    assert (event.type, event.object["code"]) == ("ERROR", 410)
    assert source.closed


def test_switches_are_read_from_json() -> None:
    switches = parse({"seed": 3, "delay": 1, "plurals": ["leases"], "too_many": 0.5})
    assert switches == Switches(seed=3, delay=1.0, plurals=("leases",), too_many=0.5)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "JSON object"),
        ({"storm": 1}, "storm: there is no such fault"),
        ({"delay": "long"}, "delay: must be a number"),
        ({"delay": -1}, "delay: must be a number"),
        ({"drop": True}, "drop: must be a number"),
        ({"plurals": "leases"}, "plurals: must be a list"),
    ],
)
def test_switches_that_are_not_are_refused_by_name(document: Any, says: str) -> None:
    with pytest.raises(ApiError, match=says) as refusal:
        parse(document)
    assert refusal.value.code == 400
