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


def orphan(host: str, machine: str, testbed: str = "local") -> dict[str, Any]:
    return {
        "metadata": {"name": f"gone.{host}", "namespace": "lab", "uid": host, "resourceVersion": "1"},
        "spec": {"deployment": "gone", "host": host, "machine": machine, "testbed": testbed},
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
    ledgers.hold_orphans(A, [])
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
    ledgers.recount(gone, store.nodes_of(gone)[:1])
    assert ledgers.of("local").nodes == 2
    ledgers.recount(gone, [])
    assert ledgers.of("local").nodes == 1
    assert ledgers.of("local").waiting == (gone,)


def test_orphans_keep_their_machines_where_they_stand_while_their_name_is_let_in_elsewhere(woken):
    store = Store()
    store.put(NODE, orphan("x", "local-1"))
    gone, elsewhere = (
        Key(DEPLOYMENT, "lab", "gone"),
        make_testbed(meta={"name": "attic"}, capacity={"nodes": 1}),
    )
    ledgers = make(store, woken)
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Waiting)
    assert isinstance(ledgers.request(gone, elsewhere, ("2", "gone"), Need(1, 0)), Admitted)
    ledgers.hold(gone, "attic", Holding(("attic-1",), 0))
    ledgers.recount(gone, store.nodes_of(gone))
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Waiting)
    woken.clear()
    ledgers.recount(gone, [])
    assert "b" in woken
    assert isinstance(ledgers.request(B, BED, ("1", "b"), Need(2, 0)), Admitted)
    assert ledgers.of("attic").nodes == 1


def test_orphans_keep_their_machines_while_their_name_waits_elsewhere(woken):
    store = Store()
    store.put(NODE, orphan("x", "local-1"))
    gone, full = Key(DEPLOYMENT, "lab", "gone"), make_testbed(meta={"name": "attic"}, capacity={"nodes": 1})
    ledgers = make(store, woken)
    ledgers.hold(A, "attic", Holding(("attic-1",), 0))
    assert isinstance(ledgers.request(gone, full, ("2", "gone"), Need(1, 0)), Waiting)
    ledgers.recount(gone, store.nodes_of(gone))
    assert ledgers.of("local").nodes == 1
    assert ledgers.of("attic").waiting == (gone,)


def test_orphans_on_two_testbeds_are_counted_on_both(woken):
    store = Store()
    store.put(NODE, orphan("x", "local-1"))
    store.put(NODE, orphan("y", "attic-1", "attic"))
    gone = Key(DEPLOYMENT, "lab", "gone")
    ledgers = make(store, woken)
    assert [ledgers.of(name).holding(gone).machines for name in ("attic", "local")] == [
        ("attic-1",),
        ("local-1",),
    ]
    ledgers.hold_orphans(gone, store.nodes_of(gone)[:1])
    assert [ledgers.of(name).holding(gone).machines for name in ("attic", "local")] == [(), ("local-1",)]


def test_a_grant_that_may_be_on_record_is_kept_until_it_is_known_that_it_is_not(woken):
    attic = make_testbed(meta={"name": "attic"}, capacity={"nodes": 2})
    ledgers = make(Store(), woken)
    ledgers.request(A, BED, ("1", "a"), Need(1, 0))  # the answer to writing it down was lost
    ledgers.request(A, attic, ("1", "a"), Need(1, 0))
    assert ledgers.of("local").nodes == 1
    ledgers.hold(A, "attic", Holding(("attic-1",), 0))  # this was written down, so that one was not
    ledgers.recount(A, [])
    assert (ledgers.of("local").nodes, ledgers.of("attic").nodes) == (0, 1)
