from __future__ import annotations

from typing import Any

import pytest

from controller.model.kinds import DEPLOYMENT, NODE, Key
from controller.plan.admission import Admitted, Holding, Need, Waiting
from controller.reconcile.ledgers import Ledgers
from controller.runtime.store import Store
from tests.unit.plan.make import make_testbed

A, B = Key(DEPLOYMENT, "lab", "a"), Key(DEPLOYMENT, "lab", "b")
BED = make_testbed(capacity={"nodes": 2})


def deployment(name: str, machines: list[str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "lab", "uid": name, "resourceVersion": "1"},
        "spec": {"compositionRef": {"name": "c"}, "flavour": "simulated"},
        "status": {"reservation": {"testbed": "local", "machines": machines, "memoryBytes": 10}},
    }


def orphan(host: str, machine: str) -> dict[str, Any]:
    return {
        "metadata": {"name": f"gone.{host}", "namespace": "lab", "uid": host, "resourceVersion": "1"},
        "spec": {"deployment": "gone", "host": host, "machine": machine, "testbed": "local"},
    }


@pytest.fixture
def woken() -> list[str]:
    return []


def make(store: Store, woken: list[str]) -> Ledgers:
    made = Ledgers(store, lambda key, delay: woken.append(key.name))
    woken.clear()
    return made


def test_a_new_term_starts_from_what_is_on_record(woken):
    store = Store()
    store.put(DEPLOYMENT, deployment("a", ["local-2"]))
    ledgers = make(store, woken)
    answer = ledgers.request(B, BED, ("1", "b"), Need(1, 0))
    assert answer == Admitted(Holding(("local-1",), 0))


def test_the_machines_of_orphans_are_nobody_else_s(woken):
    store = Store()
    store.put(NODE, orphan("x", "local-1"))
    ledgers = make(store, woken)
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Waiting)
    ledgers.hold_orphans(Key(DEPLOYMENT, "lab", "gone"), [])
    assert "b" in woken
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Admitted)


def test_who_leaves_wakes_who_waits(woken):
    ledgers = make(Store(), woken)
    ledgers.request(A, BED, ("1", "a"), Need(2, 0))
    ledgers.request(B, BED, ("2", "b"), Need(1, 0))
    woken.clear()
    ledgers.forget(A)
    assert woken == ["b", "local"]


def test_more_capacity_wakes_who_waits(woken):
    ledgers = make(Store(), woken)
    ledgers.request(A, BED, ("1", "a"), Need(2, 0))
    ledgers.request(B, BED, ("2", "b"), Need(1, 0))
    woken.clear()
    ledgers.set_capacity(make_testbed(capacity={"nodes": 3}))
    assert "b" in woken


def test_the_machines_of_orphans_stay_theirs_while_a_deployment_of_their_name_is_not_let_in(woken):
    store = Store()
    store.put(NODE, orphan("x", "local-1"))
    store.put(DEPLOYMENT, {**deployment("gone", []), "status": {}})
    ledgers = make(store, woken)
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Waiting)


def test_one_that_waits_counts_its_orphans_anew_when_they_go(woken):
    store = Store()
    for number in (1, 2):
        store.put(NODE, orphan(f"x{number}", f"local-{number}"))
    gone = Key(DEPLOYMENT, "lab", "gone")
    ledgers = make(store, woken)
    big = make_testbed(capacity={"nodes": 3})
    ledgers.request(A, big, ("1", "a"), Need(1, 0))
    assert isinstance(ledgers.request(gone, big, ("2", "gone"), Need(3, 0)), Waiting)
    ledgers.recount_orphans(gone, store.nodes_of(gone)[:1])
    assert ledgers.of("local").nodes == 2
    ledgers.recount_orphans(gone, [])
    assert ledgers.of("local").nodes == 1
    assert ledgers.of("local").waiting == (gone,)
