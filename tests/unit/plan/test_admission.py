from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from controller.model.kinds import DEPLOYMENT, Key
from controller.model.testbed import Capacity
from controller.plan.admission import Admitted, Holding, Impossible, Ledger, Need, Waiting


def key(name: str) -> Key:
    return Key(DEPLOYMENT, "lab", name)


def order(number: int) -> tuple[str, str]:
    return (f"2026-01-01T00:00:{number:02}Z", f"uid-{number}")


def ask(ledger: Ledger, number: int, nodes: int, memory: int = 0, machines: tuple[str, ...] = ()):
    return ledger.request(key(f"d{number}"), order(number), Need(nodes, memory, machines))


def test_what_fits_is_admitted_with_the_lowest_machines():
    ledger = Ledger("local", Capacity(nodes=4))
    assert ask(ledger, 1, 2) == Admitted(Holding(("local-1", "local-2"), 0))
    assert ask(ledger, 2, 2) == Admitted(Holding(("local-3", "local-4"), 0))


def test_what_does_not_fit_waits_and_says_for_what():
    ledger = Ledger("local", Capacity(nodes=4))
    ask(ledger, 1, 3)
    assert ask(ledger, 2, 2) == Waiting(1, "needs 2 more nodes, and 1 of 4 are free on testbed local")


def test_memory_is_capacity_too():
    ledger = Ledger("local", Capacity(nodes=4, memory=2**30))
    ask(ledger, 1, 1, 2**29)
    answer = ask(ledger, 2, 1, 2**30)
    assert isinstance(answer, Waiting)
    assert "1Gi more memory, and 512Mi of 1Gi are free" in answer.message


def test_what_could_never_fit_is_told_so_and_does_not_queue():
    ledger = Ledger("local", Capacity(nodes=4))
    assert isinstance(ask(ledger, 1, 5), Impossible)
    assert ledger.waiting == ()


def test_the_queue_is_first_come_first_served_though_a_later_one_would_fit():
    ledger = Ledger("local", Capacity(nodes=4))
    ask(ledger, 1, 3)
    assert isinstance(ask(ledger, 2, 4), Waiting)
    assert ask(ledger, 3, 1) == Waiting(2, "1 ahead in the queue of testbed local, the first lab/d2")
    ledger.hold(key("d1"), Holding())
    assert ledger.head() == key("d2")
    assert isinstance(ask(ledger, 2, 4), Admitted)


def test_an_older_deployment_that_comes_late_goes_ahead():
    ledger = Ledger("local", Capacity(nodes=1))
    ask(ledger, 5, 1)
    ask(ledger, 7, 1)
    answer = ask(ledger, 6, 1)
    assert isinstance(answer, Waiting)
    assert answer.position == 1


def test_named_machines_are_given_when_free_and_waited_for_when_not():
    ledger = Ledger("local", Capacity(nodes=3))
    assert ask(ledger, 1, 1, machines=("local-2",)) == Admitted(Holding(("local-2",), 0))
    assert ask(ledger, 2, 1, machines=("local-2",)) == Waiting(1, "machine local-2 is held by lab/d1")
    assert isinstance(ask(ledger, 3, 1, machines=("elsewhere",)), Impossible)
    assert isinstance(ask(ledger, 4, 1, machines=("local-4",)), Impossible)


def test_a_deployment_that_grows_keeps_what_it_has():
    ledger = Ledger("local", Capacity(nodes=4))
    ask(ledger, 1, 2)
    assert ask(ledger, 1, 3) == Admitted(Holding(("local-1", "local-2", "local-3"), 0))
    assert isinstance(ask(ledger, 1, 5), Impossible)
    assert ledger.holding(key("d1")).machines == ("local-1", "local-2", "local-3")


class Crowd(RuleBasedStateMachine):
    """Any sequence of requests, shrinking and leaving."""

    numbers = st.integers(1, 8)

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger("local", Capacity(nodes=6, memory=600))
        self.needs: dict[int, Need] = {}

    @rule(number=numbers, nodes=st.integers(1, 7), memory=st.integers(0, 700))
    def request(self, number: int, nodes: int, memory: int) -> None:
        need = Need(nodes, memory)
        answer = self.ledger.request(key(f"d{number}"), order(number), need)
        self.needs.pop(number, None)
        if isinstance(answer, Admitted):
            assert len(answer.holding.machines) >= nodes
        elif isinstance(answer, Waiting):
            self.needs[number] = need
            assert self.ledger.waiting[answer.position - 1] == key(f"d{number}")
        else:
            assert nodes > 6 or memory > 600

    @rule(number=numbers)
    def leave(self, number: int) -> None:
        self.ledger.withdraw(key(f"d{number}"))
        self.ledger.hold(key(f"d{number}"), Holding())
        self.needs.pop(number, None)

    @rule(number=numbers)
    def shrink(self, number: int) -> None:
        held = self.ledger.holding(key(f"d{number}"))
        self.ledger.hold(key(f"d{number}"), Holding(held.machines[:1], min(held.memory, 10)))

    @invariant()
    def capacity_holds(self) -> None:
        held = [self.ledger.holding(key(f"d{n}")) for n in range(1, 9)]
        machines = [name for holding in held for name in holding.machines]
        assert len(machines) == len(set(machines)) == self.ledger.nodes <= 6
        assert sum(holding.memory for holding in held) == self.ledger.memory <= 600

    @invariant()
    def the_queue_is_in_order_and_complete(self) -> None:
        expected = [key(f"d{n}") for n in sorted(self.needs)]
        assert list(self.ledger.waiting) == expected

    @invariant()
    def nobody_starves(self) -> None:
        """When everybody who holds something has left, the head of the queue is admitted."""
        head = self.ledger.head()
        if head is None:
            return
        number = int(head.name[1:])
        probe = Ledger("local", self.ledger.capacity)
        assert isinstance(probe.request(head, order(number), self.needs[number]), Admitted)


TestCrowd = Crowd.TestCase
TestCrowd.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
