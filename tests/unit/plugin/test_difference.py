from __future__ import annotations

import json

from controller.model.closure import Closure, Kernel
from controller.plugin.difference import Side, compare, render, to_dict


def path(name: str, letter: str = "a") -> str:
    return f"/nix/store/{letter * 32}-{name}"


CURL, NGINX, LINUX = path("curl-8.5.0"), path("nginx-1.24.0", "b"), path("linux-modules-6.1.0", "c")
NEWER, SYSTEM_VM, SYSTEM_BOX = path("curl-8.6.0", "d"), path("system-server", "e"), path("system-server", "f")
INITRD = path("initrd", "g")
VM = Side(
    "vm-ramdisk",
    Closure(
        "vm-ramdisk",
        {CURL: 2048, NGINX: 3 << 20, LINUX: 5 << 20, SYSTEM_VM: 100, INITRD: 1 << 20},
        {"server": frozenset({NGINX, LINUX, SYSTEM_VM}), "client": frozenset({CURL}), "old": frozenset()},
        {"server": Kernel("6.1.0", "/k"), "client": Kernel("6.1.0", "/k")},
        ("console=ttyS0", "quiet"),
        frozenset({INITRD}),
    ),
    ("mitigations=off",),
    {"server": frozenset({"nginx", "sshd", "dhcpcd"}), "client": frozenset({"sshd"})},
)
BOX = Side(
    "docker",
    Closure(
        "docker",
        {NEWER: 4096, NGINX: 3 << 20, SYSTEM_BOX: 120},
        {"server": frozenset({NGINX, SYSTEM_BOX}), "client": frozenset({NEWER})},
    ),
    (),
    {"server": frozenset({"nginx", "sshd"}), "client": frozenset({"sshd"})},
    ("role server: boot.kernelPackages: the kernel is the host's",),
)


TABLES = """\
              ONLY vm-ramdisk    COMMON             ONLY docker
client        1 paths, 2.0 KiB   nothing            1 paths, 4.0 KiB
server        2 paths, 5.0 MiB   1 paths, 3.0 MiB   1 paths, 120 B
all roles     3 paths, 5.0 MiB   1 paths, 3.0 MiB   2 paths, 4.1 KiB
the flavour   1 paths, 1.0 MiB   nothing            nothing
only vm-ramdisk has the roles: old

KERNEL   vm-ramdisk   docker
client   6.1.0        none of its own
server   6.1.0        none of its own
kernel parameters only in vm-ramdisk: console=ttyS0 quiet mitigations=off

PACKAGE         vm-ramdisk        docker
linux-modules   6.1.0 (5.0 MiB)   -
initrd          (1.0 MiB)         -
curl            8.5.0 (2.0 KiB)   8.6.0 (4.0 KiB)
system-server   (100 B)           (120 B)

SERVICES   ONLY vm-ramdisk   ONLY docker
client     none              none
server     dhcpcd            none

docker cannot honour:
  role server: boot.kernelPackages: the kernel is the host's
"""


def test_the_tables():
    assert render(compare(VM, BOX)) == TABLES.rstrip()


def test_for_programs_it_has_every_path():
    found = json.loads(json.dumps(to_dict(compare(VM, BOX))))
    assert found["roles"]["server"]["first"] == {
        "count": 2, "bytes": (5 << 20) + 100, "paths": {LINUX: 5 << 20, SYSTEM_VM: 100},
    }  # fmt: skip
    assert found["roles"]["client"]["common"]["count"] == 0
    assert found["kernels"]["server"] == {
        "first": {"version": "6.1.0", "path": "/k"}, "second": {"version": "", "path": ""},
    }  # fmt: skip
    assert found["packages"][0] == {
        "name": "linux-modules",
        "first": {"versions": ["6.1.0"], "bytes": 5 << 20},
        "second": {"versions": [], "bytes": 0},
    }
    assert found["services"]["server"] == {"first": ["dhcpcd"], "second": []}


def test_what_is_the_same_says_so():
    found = compare(VM, VM)
    assert not found.packages
    assert "6.1.0 (the same)" in render(found)
    assert found.parameters == ((), ())


def test_services_are_compared_only_where_both_were_asked():
    asleep = Side("docker", BOX.closure)
    assert compare(VM, asleep).services == {}
