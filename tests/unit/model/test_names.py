from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controller.model.names import digest, host_aliases, host_names, natural


def test_one_node_is_called_by_its_role_and_several_are_numbered():
    assert host_names("server", 1) == ("server",)
    assert host_aliases("server", 1) == ("server1",)
    assert host_names("agent", 3) == ("agent1", "agent2", "agent3")
    assert host_aliases("agent", 3) == ()


def test_numbers_in_names_sort_by_value():
    assert sorted(["node-10", "node-2", "gpu1", "node-2a"], key=natural) == [
        "gpu1",
        "node-2",
        "node-2a",
        "node-10",
    ]


@given(st.lists(st.text("a0129-", max_size=6), unique=True))
def test_the_order_is_total(names: list[str]):
    assert len({natural(name) for name in names}) == len(names)


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
