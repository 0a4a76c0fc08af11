from __future__ import annotations

from pathlib import Path

import pytest

from controller.model.errors import UserError
from controller.plugin.distribution import looks_like_one, parse

LISTINGS = Path(__file__).parents[2] / "compositions" / "listings"


def test_listing_2_nodes_by_number():
    text = (LISTINGS / "distribution-count.yaml").read_text()
    assert list(parse(text, "x").roles) == [{"name": "server", "count": 1}, {"name": "agent", "count": 2}]


def test_listing_3_nodes_by_name():
    text = (LISTINGS / "distribution-hosts.yaml").read_text()
    assert list(parse(text, "x").roles) == [
        {"name": "server", "hostnames": ["head"]},
        {"name": "agent", "hostnames": ["alice", "bob"]},
    ]


def test_json_numbers_as_text_and_nothing_at_all():
    roles = parse('{"a": "3", "b": [], "c": 0}', "nodes.json").roles
    assert [role.get("count") for role in roles] == [3, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: [", "nodes.yaml:1: "),
        ("server: 1\nagent: !DefaultRole\n", "nodes.yaml:2: !DefaultRole of role 'agent' has no counterpart"),
        ("server: 1\n\nAgent_1: 2\n", "nodes.yaml:3: the role 'Agent_1' must be a DNS label"),
        ("server: -1", "nodes.yaml:1: role 'server' must have a number of nodes"),
        ("server: {count: 1}", "nodes.yaml:1: role 'server' must have a number of nodes"),
        ("server: 100000", "nodes.yaml:1: role 'server' has 100000 nodes, and may have 1000"),
        ("server: 1\nserver: 2", "nodes.yaml:2: the role 'server' stands there twice"),
        ("a: [x]\nb:\n- x\n", "nodes.yaml:3: the host 'x' stands there twice: in 'a' and in 'b'"),
        ("a: [X_y]", "nodes.yaml:1: role 'a': 'X_y' is no host name"),
        ("- a", "nodes.yaml:1: must give nodes by role"),
        ("", "nodes.yaml:1: must give nodes by role"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(text: str, message: str):
    with pytest.raises(UserError) as caught:
        parse(text, "nodes.yaml")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("server: 1\nagent: [a, b]", True),
        ("server: !DefaultRole", True),
        ("services: {web: {image: x}}", False),
        ("apiVersion: v1\nkind: Pod", False),
        ("- 1", False),
        ("", False),
    ],
)
def test_other_yaml_is_left_alone(text: str, is_one: bool):
    assert looks_like_one(text, "x.yaml") is is_one
