"""Decisions of the flavour docker: subnets, addresses, and whose fault an end is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.flavours import docker_blame
from controller.flavours.docker_project import POOL, Deck, choose_subnet
from controller.model.errors import Blame, TestbedError
from controller.testbeds.engine import Ending

ROUTES = """Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br-1\t0000D00A\t00000000\t0001\t0\t0\t0\t0000F8FF\t0\t0\t0
"""
"""The default route, and 10.208.0.0/13."""


def test_a_subnet_is_chosen_that_nobody_has() -> None:
    first = choose_subnet("a", [], "")
    assert choose_subnet("a", [], "") == first
    assert choose_subnet("a", [first], "") != first
    assert ipaddress.ip_network(choose_subnet("a", [], ROUTES)).subnet_of(
        ipaddress.ip_network("10.216.0.0/13")
    )
    assert choose_subnet("a", ["2001:db8::/64", "10.99.0.7/24"], "") == first
    with pytest.raises(TestbedError, match=str(POOL)):
        choose_subnet("a", ["10.0.0.0/8"], "")


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=8), max_size=8))
def test_machines_keep_their_addresses_and_no_two_have_one(rounds: list[set[str]]) -> None:
    deck = Deck("d", "10.208.0.0/22")
    running: set[str] = set()
    for machines in rounds:
        before = dict(deck.numbers)
        deck.place(sorted(machines), running)
        assert len(set(deck.numbers.values())) == len(deck.numbers)
        assert all(deck.numbers[name] == before[name] for name in machines | running if name in before)
        assert all(
            ipaddress.ip_address(deck.address(name)) in ipaddress.ip_network(deck.subnet) for name in machines
        )
        running = machines
    assert Deck.from_dict(deck.to_dict()) == deck


def test_a_network_that_is_full_says_so() -> None:
    deck = Deck("d", "10.208.0.0/29")
    deck.place([f"m{at}" for at in range(6)], [])
    assert deck.address("m0") == "10.208.0.2"
    assert deck.address("m4") == "10.208.0.6"
    with pytest.raises(TestbedError, match="no room"):
        deck.address("m5")


@pytest.mark.parametrize(
    ("said", "reason", "blame"),
    [
        ("Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use", "PortInUse",
         Blame.USER),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", "PortInUse", Blame.USER),
        ("listen tcp4 192.0.2.9:80: bind: cannot assign requested address", "AddressNotHere", Blame.TESTBED),
        ('invalid mount config for type "bind": bind source path does not exist: /x', "StoreNotShared", Blame.TESTBED),
        ("write /var/lib/docker/x: no space left on device", "EngineDiskFull", Blame.TESTBED),
        ("Cannot connect to the Docker daemon at unix:///d.sock. Is the docker daemon running?", "EngineAway",
         Blame.TESTBED),
        ("error during connect: Get http://d: EOF", "EngineAway", Blame.TESTBED),
        ("Error response from daemon: No such image: nxc-empty:1", "BaseImageMissing", Blame.TESTBED),
        ("invalid pool request: Pool overlaps with other one on this address space", "NetworkOverlaps", Blame.TESTBED),
        ("network with name nxc-1 already exists", "NetworkNameTaken", Blame.TESTBED),
        ("Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available", "TooManyProcessors", Blame.USER),
        ("something that nobody has seen yet", "EngineRefused", Blame.TESTBED),
    ],
)  # fmt: skip
def test_an_engines_words_carry_blame(said: str, reason: str, blame: Blame) -> None:
    error = docker_blame.refusal(said)
    assert (error.reason, error.blame) == (reason, blame)
    assert said[-100:] in error.message
    assert docker_blame.transient(error) is (reason in ("EngineAway", "BaseImageMissing"))


def test_an_end_is_told_from_another() -> None:
    def ended(code: int, *, memory: bool = False, error: str = "", away: bool = False) -> tuple[str, Blame]:
        return docker_blame.ending(Ending(code, memory, error), while_away=away)

    assert ended(137, memory=True)[1] is Blame.USER
    assert ended(0) == ("the container shut down by itself", Blame.USER)
    assert ended(0, away=True)[1] is Blame.TESTBED
    assert ended(137) == ("its PID 1 was ended by signal 9", Blame.TESTBED)
    assert ended(3)[1] is Blame.USER
    assert "runc" in ended(128, error="runc failed")[0]
