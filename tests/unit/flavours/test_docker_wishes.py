"""What a role may have of its host, and what is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.flavours.docker_wishes import Grants, Port, Source, Volume, granted, ports, volume
from controller.model.errors import UserError
from controller.model.manifest import Privileges

NOTHING = Grants()
LAB = Grants(trusted=True, host_paths=frozenset({"/srv/data"}), addresses=("192.0.2.7", "0.0.0.0"))


def test_volumes_and_folders_are_the_deployments_own() -> None:
    assert volume("server", "data:/srv/data", NOTHING) == Volume(Source.VOLUME, "data", "/srv/data")
    assert volume("server", "./shared:/srv:ro", NOTHING) == Volume(Source.FOLDER, "shared", "/srv", True)
    assert volume("server", "./x:/tmp/shared:rw", NOTHING) == Volume(Source.FOLDER, "x", "/tmp/shared")


def test_a_path_of_the_host_is_had_where_the_testbed_lists_it_and_only_that_one() -> None:
    assert volume("server", "/srv/data:/data", LAB) == Volume(Source.HOST, "/srv/data", "/data")
    for path in ("/srv/data/sub", "/srv", "/srv/data/", "/srv//data", "/srv/data/.."):
        with pytest.raises(UserError, match="allowedHostPaths"):
            volume("server", f"{path}:/data", LAB)


@pytest.mark.parametrize(
    "text",
    [
        "/:/host", "/var/run/docker.sock:/s", "data", "/srv/data", "data:srv", "data:/", "data:/nix/store",
        "data:/nix/store/x", "data:/proc", "data:/etc", "data:/run/nxc-door", "data:/run/nxc-door/x", "data:/dev/shm",
        "data:/srv/../etc", "data:/srv:shared", "data:/srv:ro,z", "data:/srv:ro:x", "../x:/srv", "./../x:/srv",
        "./a/b:/srv", ".:/srv", "./:/srv", "~/x:/srv", "${KUBECONFIG}:/srv", "data:/srv/${HOME}", "data:/s\nx: y",
        "a b:/srv", "-v:/srv", ":/srv", "data:", "",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(UserError) as caught:
        volume("server", text, NOTHING)
    assert caught.value.reason == "VolumeRefused"
    assert f"extraVolumes of role 'server': {text!r}" in caught.value.message


@given(st.text(max_size=60))
def test_no_text_mounts_more_of_the_host_than_was_granted(text: str) -> None:
    try:
        found = volume("r", text, LAB)
    except UserError:
        return
    assert found.source is not Source.HOST or found.name == "/srv/data"
    assert "/" not in found.name or found.source is Source.HOST
    assert found.target.startswith("/")
    assert ".." not in found.target.split("/")


def test_ports_are_published_on_loopback() -> None:
    assert ports("server", ["8080:80", "53:53/udp", "443"], NOTHING) == (
        Port("127.0.0.1", 8080, 80),
        Port("127.0.0.1", 53, 53, "udp"),
        Port("127.0.0.1", None, 443),
    )
    assert ports("server", ["127.0.0.2:8080:80"], NOTHING) == (Port("127.0.0.2", 8080, 80),)
    assert ports("server", ["[::1]:8080:80"], NOTHING) == (Port("::1", 8080, 80),)
    assert ports("server", ["127.0.0.1::80"], NOTHING) == (Port("127.0.0.1", None, 80),)


def test_other_addresses_are_the_testbeds_to_give() -> None:
    with pytest.raises(UserError, match=r"publishAddresses does not list 0\.0\.0\.0"):
        ports("server", ["0.0.0.0:80:80"], NOTHING)
    assert ports("server", ["0.0.0.0:80:80", "81:81"], LAB) == (
        Port("0.0.0.0", 80, 80),
        Port("192.0.2.7", 81, 81),
    )


def test_ranges_are_taken_apart() -> None:
    assert [(port.host, port.container) for port in ports("r", ["3000-3002:80-82"], NOTHING)] == [
        (3000, 80),
        (3001, 81),
        (3002, 82),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "0:80", "80:0", "65536", "a:80", "80:b", "80/sctp", "80-70", "1-3:1-2", "1-9999", "::80:80", "eth0:80:80",
     "80:80:80:80", "8080:80/", "${PORT}:80", "80 :80"],
)  # fmt: skip
def test_what_is_no_port_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(UserError) as caught:
        ports("server", [text], NOTHING)
    assert caught.value.reason == "PortRefused"
    assert repr(text) in caught.value.message


def test_privileges_take_the_role_and_the_testbed() -> None:
    wanted = Privileges(privileged=True, capabilities=("NET_ADMIN",), host_namespaces=("pid",))
    with pytest.raises(UserError) as caught:
        granted("server", wanted, NOTHING)
    assert caught.value.reason == "PrivilegeRefused"
    for word in ("server", "privileged", "NET_ADMIN", "pid", "spec.trusted"):
        assert word in caught.value.message
    granted("server", wanted, LAB)
    granted("server", Privileges(), NOTHING)
