"""What a virtual machine boots and is told, from an order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.flavours.api import Briefing
from controller.flavours.record import Stage
from controller.flavours.vm_plan import (
    HIGHEST,
    RESTARTS,
    RESTARTS_WITHIN,
    End,
    Identity,
    address_of,
    document,
    last_words,
    management_card,
    network_card,
    plan_machine,
    started_again,
)
from controller.flavours.vm_record import VmRecord
from controller.model.deployment import Resources
from controller.model.errors import Blame, TestbedError, UserError
from controller.model.information import Host
from controller.model.kinds import NODE, Key
from controller.model.machine import MachineKey, Order
from controller.model.manifest import Manifest, Ports, RoleSystem

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
HOSTS = (
    Host("client", "alice", "local-300"),
    Host("client", "bob", ""),
    Host("server", "server", "local-2", ("server1", "alice")),
)
BRIEFING = Briefing("web", "lab", HOSTS, ("ssh-ed25519 KEY",))
IDENTITY = Identity("uid-1", "server", "server", "local-2", "TOKEN")
MANIFEST = Manifest(
    flavour="vm-ramdisk",
    system="x86_64-linux",
    roles={
        "server": RoleSystem("/nix/store/s", "/nix/store/s/init", ("check",), Ports((80,), (53,))),
        "client": RoleSystem(
            "/nix/store/c", "/nix/store/c/init", kernel="/k2", kernel_version="2", initrd=("/i2",)
        ),
    },
    closure=frozenset(),
    kernel="/k",
    kernel_version="1",
    initrd=("/i", "/j"),
    kernel_parameters=("console=ttyS0",),
)


def order(role: str = "server", parameters: Sequence[str] = ()) -> Order:
    return Order(
        key=MachineKey("inst", "uid-1", 2),
        owner=Key(NODE, "lab", f"web.{role}"),
        deployment="uid-d",
        digest="sha256:d",
        machine="local-2",
        role=role,
        host=role,
        image="sha256:i",
        resources=Resources(512 << 20, 2),
        kernel_parameters=tuple(parameters),
        information="sha256:n",
    )


def plan(role: str = "server", parameters: Sequence[str] = (), manifest: Manifest = MANIFEST) -> VmRecord:
    told = document(BRIEFING, IDENTITY)
    return plan_machine(order(role, parameters), manifest, told, "TOKEN", user=61184, now=NOW)


@given(st.sets(st.integers(1, HIGHEST), min_size=2, max_size=50))
def test_every_machine_has_addresses_of_its_own(numbers: set[int]) -> None:
    machines = [f"local-{number}" for number in numbers]
    network = ip_network("10.1.0.0/16")
    found = [address_of(machine) for machine in machines]
    assert len(set(found)) == len(machines)
    for address in found:
        assert ip_address(address) in network
        assert ip_address(address) not in (network.network_address, network.broadcast_address)
    cards = [card(machine).mac for machine in machines for card in (management_card, network_card)]
    assert len(set(cards)) == 2 * len(machines)


@pytest.mark.parametrize("machine", ["local", "local-", "local-0", "local-x", "local-65534", "local-²", ""])
def test_a_machine_without_a_number_has_no_address(machine: str) -> None:
    with pytest.raises(TestbedError, match="does not end in a number"):
        address_of(machine)


def test_a_node_is_told_of_every_host_that_has_a_machine() -> None:
    told = document(BRIEFING, IDENTITY)
    assert {name: host.address for name, host in told.hosts.items()} == {
        "alice": "10.1.1.44",
        "server": "10.1.0.2",
    }
    assert told.hosts["server"].aliases == ("server1",)  # `alice` is a host's own name
    assert told.report == "http://10.0.2.100/v1/report/TOKEN"
    assert [card.address for card in told.interfaces] == ["10.0.2.15/24", "10.1.0.2/16"]


def test_the_document_holds_no_private_key() -> None:
    assert b"PRIVATE" not in document(BRIEFING, IDENTITY).canonical()


def test_a_role_boots_its_own_kernel_where_it_has_one() -> None:
    server, client = plan("server").boots, plan("client").boots
    assert (server.kernel, server.initrd, server.kernel_version) == ("/k", ("/i", "/j"), "1")
    assert (client.kernel, client.initrd, client.kernel_version) == ("/k2", ("/i2",), "2")
    assert (server.readiness, server.ports) == (("check",), (80,))


def test_the_command_line_is_image_then_user_then_ours() -> None:
    words = plan(parameters=("user=1",)).command_line.split(" ")
    assert words[:4] == ["console=ttyS0", "init=/nix/store/s/init", "panic=-1", "user=1"]
    assert words[4].startswith("nxc.info=")


def test_a_role_that_the_image_lacks_is_named() -> None:
    with pytest.raises(UserError, match=r"no role 'database' \(it has server, client\)"):
        plan("database")


def test_an_image_that_cannot_be_booted_says_so() -> None:
    bare = Manifest("docker", "x86_64-linux", {"server": RoleSystem("/s", "/s/init")}, frozenset())
    with pytest.raises(UserError, match="no kernel and initrd"):
        plan(manifest=bare)


def test_a_record_survives_its_file() -> None:
    record = plan()
    assert record.stage is Stage.ORDERED
    assert VmRecord.from_dict(json.loads(json.dumps(record.to_dict()))) == record


@pytest.mark.parametrize(
    ("console", "emulator", "status", "why", "blame"),
    [
        (
            "Kernel panic - not syncing: no init\nRebooting",
            "",
            0,
            "its kernel panicked: not syncing: no init",
            Blame.USER,
        ),
        ("Out of memory: Killed process 1\n", "", 0, "its memory is too small", Blame.USER),
        ("Initramfs unpacking failed: write error\nKernel panic - x", "", 0, "kernel panicked", Blame.USER),
        ("reboot: Power down", "", 0, "shut down by itself", Blame.USER),
        ("reboot: Power down", "", None, "shut down by itself", Blame.USER),
        ("login:", "", 0, "without a word", Blame.USER),
        ("login:", "", -9, "ended by signal 9", Blame.TESTBED),
        (
            "",
            "qemu: cannot set up guest memory\n",
            1,
            "QEMU ended with 1: qemu: cannot set up",
            Blame.TESTBED,
        ),
        ("", "", 1, "it said nothing", Blame.TESTBED),
        ("login:", "", None, "QEMU ended", Blame.TESTBED),
    ],
)
def test_the_end_of_a_machine_is_told_with_blame(
    console: str, emulator: str, status: int | None, why: str, blame: Blame
) -> None:
    end = last_words(console, emulator, status)
    assert why in end.why
    assert end.blame is blame
    assert not end.restart


@pytest.mark.parametrize("status", [0, None])
@pytest.mark.parametrize(
    "before", ["", "Kernel panic - of a stand-in's log\n", "Out of memory: Killed process 70\n"]
)
def test_a_machine_that_restarts_itself_asks_to_be_started_again(before: str, status: int | None) -> None:
    assert last_words(before + "[   9.1] reboot: Restarting system\n", "", status).restart


@pytest.mark.parametrize(("console", "status"), [("", -9), ("\nKernel panic - not syncing", 0), ("", 1)])
def test_one_that_is_killed_or_panics_meanwhile_does_not(console: str, status: int) -> None:
    assert not last_words("reboot: Restarting system" + console, "", status).restart


def test_restarts_are_counted_and_a_loop_ends() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    record: VmRecord | End = VmRecord.lost(MachineKey("inst", "node", 1), "", now)
    for _ in range(RESTARTS):
        assert isinstance(record, VmRecord)
        record = started_again(replace(record, information="pushed"), "told", reported=True, now=now)
    assert isinstance(record, VmRecord)
    assert record.stage is Stage.ORDERED
    assert record.information == "told"
    assert VmRecord.from_dict(record.to_dict()) == record
    end = started_again(record, "told", reported=True, now=now)
    assert isinstance(end, End)
    assert "more than 10 times within 10 minutes" in end.why
    assert isinstance(started_again(record, "told", reported=True, now=now + RESTARTS_WITHIN), VmRecord)


def test_a_machine_that_restarts_before_it_ever_reports_ends_sooner() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    record: VmRecord | End = VmRecord.lost(MachineKey("inst", "node", 1), "", now)
    for reported in (False, True, False, False, False):
        assert isinstance(record, VmRecord)
        record = started_again(record, "told", reported=reported, now=now)
    assert isinstance(record, VmRecord)
    end = started_again(record, "told", reported=False, now=now)
    assert isinstance(end, End)
    assert "4 times in a row without ever reporting" in end.why
    assert end.blame is Blame.USER
