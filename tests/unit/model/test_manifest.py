"""The manifest of a build is read as if an enemy had written it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model.errors import UserError
from controller.model.manifest import Manifest, Ports


def store(name: str, letter: str = "a") -> str:
    return f"/nix/store/{letter * 32}-{name}"


KERNEL, SERVER, CLIENT, LAYER = (
    store("linux-6.1", "b"),
    store("role-server", "c"),
    store("role-client", "d"),
    store("layer", "f"),
)
CLOSURE = frozenset({KERNEL, SERVER, CLIENT, LAYER})


def document(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "version": 1,
        "flavour": "vm-ramdisk",
        "system": "x86_64-linux",
        "packageSource": "seed",
        "composition": "",
        "roles": {
            "server": {
                "toplevel": SERVER,
                "init": f"{SERVER}/init",
                "readiness": ["curl -f localhost"],
                "openPorts": {"tcp": [80, 443], "udp": []},
            },
            "client": {"toplevel": CLIENT, "init": f"{CLIENT}/init"},
        },
        "kernel": f"{KERNEL}/bzImage",
        "kernelVersion": "6.1.0-50-cloud-amd64",
        "initrd": [f"{LAYER}/layer.cpio.zst"],
        "kernelParameters": ["console=ttyS0", 'dyndbg="file x +p"'],
        "closure": sorted(CLOSURE),
        "sizes": {f"{KERNEL}/bzImage": 14_000_000, f"{LAYER}/layer.cpio.zst": 6_000_000},
        "testScript": "server.wait_for_unit('nginx')",
        "rolesDistribution": {"server": 1, "client": ["alice", "bob"]},
        "dockerPorts": {"server": ["8080:80"]},
        "extraVolumes": {},
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def parse(value: Any) -> Manifest:
    return Manifest.parse(json.dumps(value).encode(), CLOSURE)


def test_a_manifest_is_read_into_typed_fields() -> None:
    manifest = parse(document())
    assert manifest.roles["server"].ports == Ports((80, 443), ())
    assert manifest.roles["client"].readiness == ()
    assert manifest.initrd == (f"{LAYER}/layer.cpio.zst",)
    assert manifest.roles_distribution == {"server": 1, "client": ("alice", "bob")}
    assert manifest.files() == (f"{KERNEL}/bzImage", f"{LAYER}/layer.cpio.zst")
    assert manifest.size == 20_000_000


def test_a_role_may_have_a_kernel_of_its_own() -> None:
    other = document()
    other["roles"]["server"] |= {"kernel": f"{KERNEL}/other", "initrd": [f"{LAYER}/other.cpio"]}
    assert parse(other).files()[-2:] == (f"{KERNEL}/other", f"{LAYER}/other.cpio")


def test_what_does_not_apply_to_a_flavour_may_be_absent() -> None:
    manifest = parse(document(flavour="docker", kernel=..., initrd=..., sizes=..., kernelParameters=...))
    assert manifest.kernel == ""
    assert manifest.files() == ()


def test_a_role_of_containers_has_a_closure_of_its_own_and_says_what_it_wants_of_its_host() -> None:
    whole = document(closures={"client": [CLIENT, LAYER, CLIENT]})
    wishes = {"privileged": True, "capabilities": ["SYS_TIME", "NET_ADMIN"], "hostNamespaces": ["pid"]}
    whole["roles"]["server"]["container"] = wishes
    roles = parse(whole).roles
    assert roles["client"].closure == (CLIENT, LAYER)
    assert roles["client"].privileges.wanted == ()
    assert roles["server"].privileges.wanted == (
        "privileged", "capability NET_ADMIN", "capability SYS_TIME", "the host's pid namespace"
    )  # fmt: skip


def container(**wishes: Any) -> dict[str, Any]:
    return document(roles={"s": {"toplevel": SERVER, "init": SERVER, "container": wishes}})


FORGED = {
    "a role's closure that is not the build's": (document(closures={"client": [store("x", "g")]}), "closure"),
    "the host's whole store as a closure": (document(closures={"client": ["/nix/store"]}), "closure"),
    "the closure of no role": (document(closures={"ghost": []}), "ghost"),
    "limitations without end": (document(limitations=["x"] * 65), "limitations"),
    "a limitation without end": (document(limitations=["x" * 513]), "limitations[0]"),
    "a capability that is more than one word": (
        container(capabilities=["ALL, SYS_ADMIN"]),
        "capabilities[0]",
    ),
    "a namespace of somebody's container": (container(hostNamespaces=["container:db"]), "hostNamespaces[0]"),
    "a privilege that only looks like none": (container(privileged=0), "container.privileged"),
    "a device of the host": (container(devices=["/dev/sda"]), "devices"),
    "a file of the host": (document(kernel="/etc/shadow"), "kernel"),
    "a store path of somebody else": (document(kernel=f"{store('other', 'g')}/bzImage"), "does not belong"),
    "a way out of the store path": (document(kernel=f"{KERNEL}/../../../etc/shadow"), "no plain path"),
    "the store itself": (document(kernel="/nix/store"), "kernel"),
    "a hidden second line": (document(kernel=f"{KERNEL}/bzImage\n/etc"), "kernel"),
    "a closure that is not the build's": (document(closure=[store("x", "g")]), "closure"),
    "an initrd with a comma, which QEMU would split": (document(initrd=[f"{LAYER}/a,b"]), "initrd[0]"),
    "an option for QEMU": (document(initrd=["-netdev user"]), "initrd[0]"),
    "deployment information of its own": (document(kernelParameters=["nxc.info=e30"]), "controller"),
    "the same behind a space": (document(kernelParameters=["quiet nxc.info=e30"]), "controller"),
    "a line break in a parameter": (document(kernelParameters=["a\nb"]), "kernelParameters[0]"),
    "no roles": (document(roles={}), "roles"),
    "roles missing": (document(roles=...), "roles is missing"),
    "a role's name that is a path": (document(roles={"../x": {}}), "roles"),
    "a role without a system": (document(roles={"server": {}}), "roles.server.toplevel is missing"),
    "an unknown field": (document(exec="rm -rf /"), "exec"),
    "another version": (document(version=2), "version"),
    "a version that only equals": (document(version=True), "version"),
    "a size below zero": (document(sizes={f"{KERNEL}/bzImage": -1}), "sizes"),
    "a port out of range": (
        document(roles={"s": {"toplevel": SERVER, "init": SERVER, "openPorts": {"tcp": [0]}}}),
        "openPorts.tcp[0]",
    ),
    "a distribution of no role": (document(rolesDistribution={"ghost": 1}), "ghost"),
    "a host twice": (document(rolesDistribution={"client": ["a", "a"]}), "twice"),
    "a list for an object": ([], "manifest"),
}


@pytest.mark.parametrize(("value", "named"), FORGED.values(), ids=FORGED)
def test_forgeries_are_refused_and_named(value: Any, named: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(value)
    assert caught.value.reason == "ForgedManifest"
    assert named in caught.value.message


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b" " * (16 * 1024 * 1024 + 1)])
def test_what_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(UserError, match="manifest"):
        Manifest.parse(text, CLOSURE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(CLOSURE)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(field=st.sampled_from(sorted(document())), value=json_values)
def test_any_value_in_any_field_is_read_or_refused_with_blame(field: str, value: Any) -> None:
    try:
        manifest = parse(document(**{field: value}))
    except UserError as error:
        refused: UserError | None = error
    else:
        refused = None
        assert all(path.startswith("/nix/store/") for path in manifest.files())
    assert refused is None or (refused.reason == "ForgedManifest" and len(refused.message) < 1000)


def test_what_the_flavour_cannot_honour_is_read():
    said = "boot.kernelModules (role server): modules are loaded by the host alone"
    assert Manifest.parse(json.dumps(document(limitations=[said])).encode(), CLOSURE).limitations == (said,)
    assert Manifest.parse(json.dumps(document()).encode(), CLOSURE).limitations == ()
