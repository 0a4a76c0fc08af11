"""QEMU's command line, and the little that is read from its monitor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.testbeds.accelerator import Accelerator
from controller.testbeds.qemu import Emulation, arguments, reconnect, ssh_port

MACHINE = Emulation(
    name="lab/web.server",
    accelerator=Accelerator.TCG,
    memory=256 << 20,
    cpus=2,
    kernel="/dev/fd/5",
    initrd="/dev/fd/6",
    command_line="console=ttyS0 nxc.info=e30, -device evil",
    management_mac="52:54:00:4d:00:01",
    network_mac="52:54:00:4e:00:01",
    switch="/run/nxc/1/n-2/ctl",
)


def value(argv: list[str], option: str, containing: str = "") -> str:
    """The value of an option; of several, the one that contains a text."""
    found = [argv[i + 1] for i, word in enumerate(argv) if word == option and containing in argv[i + 1]]
    assert len(found) == 1, f"{option} {containing}: {found}"
    return found[0]


def test_the_guest_reaches_nothing_of_the_host_but_the_information_server() -> None:
    network = value(arguments(MACHINE), "-netdev", "user,")
    assert "restrict=on" in network
    assert "ipv6=off" in network
    assert "guestfwd=tcp:10.0.2.100:80-chardev:door" in network
    assert "cmd:" not in network
    assert "hostfwd=tcp:127.0.0.1:0-10.0.2.15:22" in network


def test_qemu_gives_up_what_it_does_not_need() -> None:
    argv = arguments(MACHINE)
    sandbox = value(argv, "-sandbox")
    assert sandbox.startswith("on,")
    assert "spawn=deny" in sandbox
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} <= set(argv)
    assert value(argv, "-display") == "none"


def test_what_a_user_writes_stays_one_word() -> None:
    argv = arguments(MACHINE)
    assert value(argv, "-append") == MACHINE.command_line
    assert "-device evil" not in argv


def test_commas_in_a_value_begin_no_option() -> None:
    odd = replace(MACHINE, name="a,process=b", switch="/x,y/ctl")
    assert value(arguments(odd), "-name") == "guest=a,,process=b"
    assert value(arguments(odd), "-netdev", "vde") == "vde,id=switch,sock=/x,,y/ctl"


def test_memory_and_processors_are_those_of_the_role() -> None:
    argv = arguments(MACHINE)
    assert (value(argv, "-m"), value(argv, "-smp")) == ("256M", "2")


@pytest.mark.parametrize(
    ("accelerator", "options", "processor"),
    [
        (Accelerator.TCG, "tcg,thread=multi,tb-size=32", "qemu64"),
        (Accelerator.KVM, "kvm", "host"),
    ],
)
def test_kvm_or_emulation(accelerator: Accelerator, options: str, processor: str) -> None:
    argv = arguments(replace(MACHINE, accelerator=accelerator))
    assert (value(argv, "-accel"), value(argv, "-cpu")) == (options, processor)


def test_both_cards_have_their_own_address() -> None:
    argv = arguments(MACHINE)
    assert "mac=52:54:00:4d:00:01" in value(argv, "-device", "netdev=management")
    assert "mac=52:54:00:4e:00:01" in value(argv, "-device", "netdev=network")


def test_a_new_switch_takes_the_place_of_the_old_one() -> None:
    commands = reconnect("/new/ctl")
    assert [name for name, _ in commands] == ["netdev_del", "netdev_del", "netdev_add", "netdev_add"]
    assert commands[2][1]["sock"] == "/new/ctl"


USERNET = (
    "Hub -1 (management):\r\n"
    "  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n"
    "  TCP[CLOSE_WAIT]    -1       10.0.2.15 36930      10.0.2.100    80     0     0\r\n"
    "  TCP[HOST_FORWARD]  12       127.0.0.1 46619       10.0.2.15    22     0     0\r\n"
)


def test_the_port_that_the_kernel_chose_is_found() -> None:
    assert ssh_port(USERNET) == 46619
    assert ssh_port(USERNET.replace("HOST_FORWARD", "ESTABLISHED")) is None
    assert ssh_port("") is None
