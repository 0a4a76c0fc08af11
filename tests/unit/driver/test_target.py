from __future__ import annotations

import pytest

from controller.driver.target import target_of
from controller.model.errors import TestbedError
from controller.model.node import Node, NodeSpec
from tests.unit.plan.make import node

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIlbXsoexQqYcSuZQx7IBBYMEzDGsPvEiBcOxHbnQmHz"


def make(host: str, role: str, *aliases: str, **status: object) -> Node:
    spec = NodeSpec("web", role, host, "m", "local", "vm-ramdisk", "sha256:a", aliases)
    return node(spec, meta={"namespace": "lab"}, **{"address": "127.0.0.1:2201", "hostKey": KEY, **status})


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
