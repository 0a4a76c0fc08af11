from __future__ import annotations

import pytest

from controller.model.errors import UserError
from controller.model.node import Node, NodeSpec
from controller.plugin.choice import choose
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
