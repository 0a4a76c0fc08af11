from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from controller.model.deployment import Role
from controller.plan.assignment import assign, duplicate_host

NAMES = st.text("abcdefgh", min_size=1, max_size=3)
ROLES = st.lists(
    st.tuples(NAMES, st.integers(1, 5)), min_size=1, max_size=5, unique_by=lambda item: item[0]
).map(lambda items: tuple(Role(name, tuple(f"{name}-{i}" for i in range(count))) for name, count in items))
MACHINES = st.sets(st.integers(1, 40), max_size=25).map(lambda numbers: [f"node-{n}" for n in numbers])


def test_machines_are_given_in_natural_order_to_roles_by_name():
    roles = (Role("server", ("server",)), Role("client", ("client1", "client2")))
    assert assign(roles, ["n10", "n9", "n1"], {}).machines == {
        "client1": "n1",
        "client2": "n9",
        "server": "n10",
    }


@given(ROLES, MACHINES, st.randoms(use_true_random=False))
def test_the_map_does_not_depend_on_the_order_of_the_input(
    roles: tuple[Role, ...], machines: list[str], rng: random.Random
):
    shuffled_roles, shuffled_machines = list(roles), list(machines)
    rng.shuffle(shuffled_roles)
    rng.shuffle(shuffled_machines)
    assert assign(roles, machines, {}) == assign(shuffled_roles, shuffled_machines, {})


@given(ROLES, MACHINES)
def test_every_host_is_placed_or_said_to_be_unplaced_and_no_machine_twice(
    roles: tuple[Role, ...], machines: list[str]
):
    result = assign(roles, machines, {})
    hosts = [host for role in roles for host in role.hosts]
    assert set(result.machines) | set(result.unplaced) == set(hosts)
    assert len(set(result.machines.values())) == len(result.machines) == min(len(hosts), len(machines))


@given(ROLES, ROLES, MACHINES, MACHINES)
def test_a_change_moves_nothing_that_is_still_wanted(
    before: tuple[Role, ...], after: tuple[Role, ...], machines: list[str], later: list[str]
):
    current = assign(before, machines, {}).machines
    changed = assign(after, later, current).machines
    wanted = {host for role in after for host in role.hosts}
    for host, name in current.items():
        if host in wanted and name in later:
            assert changed[host] == name


@given(ROLES, MACHINES)
def test_assigning_again_changes_nothing(roles: tuple[Role, ...], machines: list[str]):
    once = assign(roles, machines, {})
    assert assign(roles, machines, once.machines) == once


def test_a_host_name_twice_is_found():
    roles = (Role("a", ("x", "y")), Role("b", ("y",)))
    assert duplicate_host(roles) == "y"


def test_an_alias_may_not_be_the_host_of_another_role():
    roles = (Role("server", ("server",), ("server1",)), Role("other", ("server1",)))
    assert duplicate_host(roles) == "server1"


def test_distinct_hosts_pass():
    assert duplicate_host((Role.single("server"), Role("client", ("client1", "client2")))) is None
