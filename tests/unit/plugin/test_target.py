from __future__ import annotations

import pytest

from controller.model.errors import TestbedError, UserError
from controller.model.node import Node, NodeSpec
from controller.plugin.target import choose, target_of
from tests.unit.plan.make import node

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIlbXsoexQqYcSuZQx7IBBYMEzDGsPvEiBcOxHbnQmHz"


def make(host: str, role: str, *aliases: str, **status: object) -> Node:
    spec = NodeSpec("web", role, host, "m", "local", "vm-ramdisk", "sha256:a", aliases)
    return node(spec, meta={"namespace": "lab"}, **{"address": "127.0.0.1:2201", "hostKey": KEY, **status})


NODES = [make("c10", "client"), make("server", "server", "server1"), make("c2", "client")]


def hosts(nodes: list[Node]) -> list[str]:
    return [node.spec.host for node in nodes]


def test_without_names_all_nodes_are_meant_in_natural_order():
    assert hosts(choose(NODES)) == ["c2", "c10", "server"]


@pytest.mark.parametrize("name", ["server", "server1", "web.server"])
def test_a_node_has_several_names(name: str):
    assert hosts(choose(NODES, names=[name])) == ["server"]


def test_roles_and_names_add_up_and_nobody_is_meant_twice():
    assert hosts(choose(NODES, roles=["client"], names=["c2", "server"])) == ["c2", "c10", "server"]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"names": ["alice"]}, "there is no node 'alice'; nodes: c2, c10, server"),
        ({"names": ["client"]}, "'client' means several nodes (c2, c10): name one of them"),
        ({"roles": ["database"]}, "there is no node with the role 'database'; roles: client, server"),
    ],
)
def test_who_is_not_there_is_refused_with_those_who_are(wanted: dict[str, list[str]], says: str):
    with pytest.raises(UserError) as refused:
        choose(NODES, **wanted)
    assert refused.value.message == says


@pytest.mark.parametrize(
    ("address", "parted"),
    [
        ("10.0.0.4", ("10.0.0.4", 22)),
        ("127.0.0.1:22021", ("127.0.0.1", 22021)),
        ("[fd00::4]:2022", ("fd00::4", 2022)),
        ("fd00::4", ("fd00::4", 22)),
        ("paravance-12.rennes:22", ("paravance-12.rennes", 22)),
    ],
)
def test_addresses_with_and_without_ports(address: str, parted: tuple[str, int]):
    target = target_of(make("server", "server", address=address))
    assert (target.address, target.port) == parted


def test_a_node_that_has_not_reported_yet_says_why():
    condition = {"type": "Ready", "status": "False", "reason": "Booting", "message": "Booted: it is starting"}
    with pytest.raises(TestbedError) as refused:
        target_of(make("alice", "client", hostKey="", conditions=[condition]))
    assert refused.value.message == "alice cannot be logged in to: Booted: it is starting"


@pytest.mark.parametrize(
    "status",
    [
        {"address": "-oProxyCommand=evil"},
        {"address": "a b:22"},
        {"address": "127.0.0.1:99999"},
        {"hostKey": f"{KEY}\nother {KEY}"},
        {"hostKey": "no key"},
    ],
)
def test_what_would_reach_ssh_as_something_else_is_refused(status: dict[str, str]):
    with pytest.raises(TestbedError):
        target_of(make("alice", "client", **status))


def test_only_loopback_addresses_are_the_controllers_hosts():
    assert target_of(make("a", "client")).loopback
    assert not target_of(make("a", "client", address="10.0.0.1")).loopback
