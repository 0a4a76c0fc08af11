"""The Compose file: the same for the same fields, and nothing in it is taken for more than a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.flavours.docker_file import Project, Service
from controller.flavours.docker_wishes import Port, Source, Volume
from controller.model.manifest import Privileges
from controller.testbeds.engine import BRIDGE_NAME

PROJECT = Project("nxc-1", "10.208.4.0/22", {"nxc.dev/deployment": "1"})
WORD = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufeff"), max_size=40)


def service(**more: Any) -> Service:
    base: dict[str, Any] = {
        "host": "server",
        "aliases": ("server1",),
        "init": "/nix/store/x-system-server/init",
        "environment": {"NXC_INFO": "e30"},
        "labels": {"nxc.dev/node": "n"},
        "address": "10.208.4.2",
        "store": {"/nix/store/x": "/state/nix/store/x"},
        "door": "/run/nxc/door",
        "folders": Path("/state/shared"),
    }
    return Service(**{**base, **more})


def render(*services: Service) -> dict[str, Any]:
    found = yaml.safe_load(PROJECT.render({item.host: item.to_dict() for item in services}))
    assert isinstance(found, dict)
    return found


def test_an_ordinary_container_has_no_privilege_and_one_network_that_leads_nowhere() -> None:
    document = render(service(memory=256 << 20, cpus=2))
    made = document["services"]["server"]
    assert not made.keys() & {"privileged", "cap_add", "pid", "ipc", "network_mode", "ports", "devices"}
    assert made["networks"] == {"nodes": {"aliases": ["server", "server1"], "ipv4_address": "10.208.4.2"}}
    assert document["networks"].keys() == {"nodes"}
    assert document["networks"]["nodes"]["internal"] is True
    assert (made["mem_limit"], made["memswap_limit"], made["cpus"]) == (256 << 20, 256 << 20, 2)
    assert made["restart"] == "no"
    assert all(mount["read_only"] and not mount["bind"]["create_host_path"] for mount in made["volumes"])


def test_published_ports_have_a_network_of_their_own() -> None:
    document = render(service(ports=(Port("127.0.0.1", 8080, 80), Port("127.0.0.1", None, 53, "udp"))))
    assert document["services"]["server"]["ports"] == [
        {"target": 80, "published": "8080", "host_ip": "127.0.0.1", "protocol": "tcp", "mode": "host"},
        {"target": 53, "host_ip": "127.0.0.1", "protocol": "udp", "mode": "host"},
    ]
    assert document["networks"]["edge"]["name"] == "nxc-1-edge"
    assert "edge" in document["services"]["server"]["networks"]


def test_each_network_names_its_interface_on_the_host_so_that_the_wall_stands_before_it() -> None:
    document = render(service(ports=(Port("127.0.0.1", 8080, 80),)))
    names = [network["driver_opts"][BRIDGE_NAME] for network in document["networks"].values()]
    assert names == list(PROJECT.bridges.values())
    other = Project("nxc-2", PROJECT.subnet, PROJECT.labels)
    assert len({*names, *other.bridges.values()}) == 4
    assert all(len(name.encode()) <= 15 for name in names), "IFNAMSIZ"


def test_volumes_are_named_after_their_deployment() -> None:
    volumes = (
        Volume(Source.VOLUME, "data", "/srv/data"),
        Volume(Source.FOLDER, "shared", "/srv/shared", True),
        Volume(Source.HOST, "/srv/lab", "/srv/lab"),
    )
    document = render(service(volumes=volumes))
    assert document["volumes"] == {"data": {"name": "nxc-1_data", "labels": {"nxc.dev/deployment": "1"}}}
    mounts = document["services"]["server"]["volumes"][-3:]
    assert [mount["source"] for mount in mounts] == ["data", "/state/shared/shared", "/srv/lab"]
    assert [mount.get("read_only", False) for mount in mounts] == [False, True, False]


def test_what_role_and_testbed_both_want_is_had() -> None:
    made = render(service(privileges=Privileges(True, ("NET_ADMIN",), ("ipc", "pid"))))["services"]["server"]
    assert (made["privileged"], made["cap_add"], made["pid"]) == (True, ["NET_ADMIN"], "host")
    assert made["ipc"] == "host"
    assert "nodes" in made["networks"]


def test_the_same_fields_give_the_same_bytes_whatever_their_order() -> None:
    one, two = service(), service(host="client", aliases=())
    forth = PROJECT.render({"server": one.to_dict(), "client": two.to_dict()})
    back = PROJECT.render({"client": two.to_dict(), "server": one.to_dict()})
    assert forth == back


@given(init=WORD, value=WORD, label=WORD, folder=WORD)
def test_hostile_words_come_back_as_they_were_and_no_dollar_stands_alone(
    init: str, value: str, label: str, folder: str
) -> None:
    """What Compose makes of a value: YAML, and then `$$` for `$`; a single `$` would be a variable."""
    given_words = (init, value, label, folder)
    hostile = service(
        init=init,
        environment={"NXC_INFO": value},
        labels={"nxc.dev/owner": label},
        volumes=(Volume(Source.FOLDER, folder, "/srv"),),
    )
    made = render(hostile)["services"]["server"]
    got = (
        made["entrypoint"][0],
        made["environment"]["NXC_INFO"],
        made["labels"]["nxc.dev/owner"],
        made["volumes"][-1]["source"].removeprefix("/state/shared/"),
    )
    for text, wanted in zip(got[:3], given_words, strict=False):
        assert "$" not in text.replace("$$", "")
        assert text.replace("$$", "$") == wanted
    assert made.keys() == service(volumes=hostile.volumes).to_dict().keys()


def test_a_variable_in_a_label_is_a_word() -> None:
    text = PROJECT.render({"server": service(labels={"x": "${KUBECONFIG:-'\"}"}).to_dict()})
    assert "$${KUBECONFIG" in text
    assert yaml.safe_load(text)["services"]["server"]["labels"] == {"x": "$${KUBECONFIG:-'\"}"}
