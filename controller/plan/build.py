"""Which build is next: fair between namespaces, first come first served within one."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

W = TypeVar("W", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Waiting(Generic[W]):
    """Work that waits for its turn; wanted by requesters in these namespaces. `arrival` grows with each."""

    work: W
    arrival: int
    namespaces: frozenset[str]


@dataclass(frozen=True, slots=True)
class Turn(Generic[W]):
    """A piece of work that comes next, and the namespace whose turn it takes."""

    work: W
    namespace: str


def turns(
    waiting: Iterable[Waiting[W]], running: Mapping[str, int], served: Mapping[str, int]
) -> tuple[Turn[W], ...]:
    """The order in which works would start, if none came and none ended.

    The turn goes to the namespace with the fewest works running, then to the one that had none for the
    longest (`served`: the number of its last turn), then to who came first. Work that several namespaces
    want starts at the first turn of any of them, and takes that one alone: sharing never makes slower.
    """
    queues: dict[str, deque[Waiting[W]]] = {}
    for item in sorted(waiting, key=lambda item: item.arrival):
        for namespace in item.namespaces:
            queues.setdefault(namespace, deque()).append(item)
    at_work, last = dict(running), dict(served)
    latest = max(last.values(), default=0)
    taken: set[W] = set()
    order: list[Turn[W]] = []
    while queues:
        namespace = min(
            queues, key=lambda name: (at_work.get(name, 0), last.get(name, 0), queues[name][0].arrival, name)
        )
        item = queues[namespace].popleft()
        if not queues[namespace]:
            del queues[namespace]
        if item.work in taken:
            continue
        taken.add(item.work)
        order.append(Turn(item.work, namespace))
        latest += 1
        last[namespace] = latest
        at_work[namespace] = at_work.get(namespace, 0) + 1
    return tuple(order)


def retry_after(failures: int, *, base: float = 10.0, limit: float = 600.0) -> float:
    """Seconds to wait after so many failures in a row that were not the composition's."""
    return min(limit, base * 2.0 ** max(0, min(failures - 1, 30)))
