from __future__ import annotations

import json
from pathlib import Path

import yaml

from controller.driver.target import Target
from controller.plugin.inventory import ansible, enoslib

NODES = [
    Target("lab", "web", "web-server", "server", "127.0.0.1", 2201, "ssh-ed25519 A"),
    Target("lab", "web", "client", "alice", "127.0.0.1", 2202, "ssh-ed25519 B"),
    Target("lab", "web", "client", "bob", "127.0.0.1", 2203, "ssh-ed25519 C"),
]


def test_ansible_has_a_group_a_role_and_goes_by_the_configuration():
    groups = yaml.safe_load(ansible(NODES, user="root", config_file=Path("/k/config")))["all"]["children"]
    assert {name: sorted(group["hosts"]) for name, group in groups.items()} == {
        "web_server": ["server"],
        "client": ["alice", "bob"],
    }
    assert groups["client"]["hosts"]["bob"] == {
        "ansible_host": "bob.web",
        "ansible_user": "root",
        "ansible_ssh_common_args": "-F '/k/config'",
        "nxc_role": "client",
    }


def test_enoslib_has_its_hosts_by_role():
    roles = json.loads(enoslib(NODES, user="root", identity=Path("/k/key"), config_file=Path("/k/config")))
    assert list(roles) == ["web-server", "client"]
    host = roles["client"][0]
    assert (host["address"], host["port"], host["alias"], host["user"], host["keyfile"]) == (
        "127.0.0.1",
        2202,
        "alice",
        "root",
        "/k/key",
    )
