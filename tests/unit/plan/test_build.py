from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.plan.build import Waiting, retry_after, turns

NAMESPACES = "abcd"
names = st.sampled_from(NAMESPACES)
counts = st.dictionaries(names, st.integers(0, 5))
crowds = st.lists(st.frozensets(names, min_size=1), max_size=30).map(
    lambda groups: [Waiting(f"w{n}", n, group) for n, group in enumerate(groups)]
)


@given(crowds, counts, counts)
def test_everybody_gets_one_turn(waiting: list[Waiting], running: dict[str, int], served: dict[str, int]):
    order = turns(waiting, running, served)
    assert sorted(str(turn.work) for turn in order) == sorted(str(item.work) for item in waiting)
    wanted = {item.work: item.namespaces for item in waiting}
    assert all(turn.namespace in wanted[turn.work] for turn in order)


@given(st.lists(names, max_size=40), counts)
def test_within_a_namespace_who_came_first_is_first(of: list[str], running: dict[str, int]):
    waiting = [Waiting(n, n, frozenset({name})) for n, name in enumerate(of)]
    order = turns(reversed(waiting), running, {})
    for name in NAMESPACES:
        mine = [turn.work for turn in order if turn.namespace == name]
        assert mine == sorted(mine, key=lambda work: int(str(work)))


@given(st.lists(names, min_size=1, max_size=40), counts)
def test_a_namespace_waits_at_most_one_round_for_its_turn(of: list[str], served: dict[str, int]):
    waiting = [Waiting(n, n, frozenset({name})) for n, name in enumerate(of)]
    order = turns(waiting, {}, served)
    for name in set(of):
        places = [place for place, turn in enumerate(order) if turn.namespace == name]
        for count, place in enumerate(places, 1):
            assert place < count * len(NAMESPACES)


@given(crowds, counts)
def test_a_second_requester_never_makes_work_later(waiting: list[Waiting], running: dict[str, int]):
    if not waiting:
        return
    before = [turn.work for turn in turns(waiting, running, {})]
    shared = Waiting(waiting[0].work, waiting[0].arrival, waiting[0].namespaces | {"d"})
    after = [turn.work for turn in turns([shared, *waiting[1:]], running, {})]
    assert after.index(shared.work) <= before.index(shared.work)


def test_a_crowd_does_not_keep_a_single_one_waiting():
    crowd = [Waiting(n, n, frozenset({"crowd"})) for n in range(100)]
    order = turns([*crowd, Waiting("mine", 1000, frozenset({"me"}))], {"crowd": 1}, {"crowd": 7})
    assert order[0].work == "mine"


def test_who_was_served_last_waits_for_the_others():
    waiting = [Waiting(n, n, frozenset({name})) for n, name in enumerate("abc")]
    order = turns(waiting, {}, {"a": 3, "b": 1, "c": 2})
    assert [turn.namespace for turn in order] == ["b", "c", "a"]


def test_retries_become_rarer_up_to_a_limit():
    assert [retry_after(n) for n in (1, 2, 3, 100)] == [10.0, 20.0, 40.0, 600.0]
