"""QEMU's command line, from typed fields. Pure: the only place that knows QEMU's syntax.

Source: qemu(1) of 7.2 and later.
"""

from __future__ import annotations

from dataclasses import dataclass

from controller.testbeds.accelerator import Accelerator

MANAGEMENT_ADDRESS = "10.0.2.15"
"""The node's on its management card, behind QEMU's user network 10.0.2.0/24."""
INFORMATION_ADDRESS = "10.0.2.100"
"""Where the node finds the information server; nothing else answers (restrict=on)."""
CONSOLE_LOG, CONSOLE, MONITOR, DOOR = "console.log", "console.sock", "monitor.sock", "information.sock"
"""Files in the machine's private directory, which is QEMU's working directory."""
TRANSLATION_CACHE = 32
"""MiB of translated code with TCG; QEMU's default of up to 1 GiB is far more than a node needs."""


@dataclass(frozen=True, slots=True)
class Emulation:
    """A machine to run. `memory` in bytes; `switch` is the control directory of its VDE switch."""

    name: str
    accelerator: Accelerator
    memory: int
    cpus: int
    kernel: str
    initrd: str
    command_line: str
    management_mac: str
    network_mac: str
    switch: str


def arguments(machine: Emulation, binary: str = "qemu-system-x86_64") -> list[str]:
    """The argument vector, to be run in the machine's private directory.

    The network between nodes goes through a hub of QEMU's, so that it can be connected again to a new switch
    while the card stays in the machine (`reconnect`).
    """
    tcg = machine.accelerator is Accelerator.TCG
    return [
        binary,
        *("-name", f"guest={_escaped(machine.name)}"),
        *("-machine", "q35,usb=off,vmport=off,graphics=off"),
        *("-accel", f"tcg,thread=multi,tb-size={TRANSLATION_CACHE}" if tcg else "kvm"),
        *("-cpu", "qemu64" if tcg else "host"),
        *("-smp", str(machine.cpus)),
        *("-m", f"{max(1, machine.memory >> 20)}M"),
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-kernel", machine.kernel),
        *("-initrd", machine.initrd),
        *("-append", machine.command_line),
        *(
            "-chardev",
            f"socket,id=console,path={CONSOLE},server=on,wait=off,logfile={CONSOLE_LOG},logappend=on",
        ),
        *("-serial", "chardev:console"),
        *("-chardev", f"socket,id=door,path={DOOR},reconnect=1"),
        *("-netdev", _management()),
        *("-device", f"virtio-net-pci,netdev=management,mac={machine.management_mac},romfile="),
        *("-netdev", f"vde,id=switch,sock={_escaped(machine.switch)}"),
        *("-netdev", "hubport,hubid=0,id=uplink,netdev=switch"),
        *("-netdev", "hubport,hubid=0,id=network"),
        *("-device", f"virtio-net-pci,netdev=network,mac={machine.network_mac},romfile="),
        *("-device", "virtio-rng-pci"),
        *("-qmp", f"unix:{MONITOR},server=on,wait=off"),
    ]


def _management() -> str:
    """SSH comes in on a loopback port that the kernel chooses (0); only the information server is let out to."""
    return (
        "user,id=management,ipv6=off,restrict=on"
        f",guestfwd=tcp:{INFORMATION_ADDRESS}:80-chardev:door"
        f",hostfwd=tcp:127.0.0.1:0-{MANAGEMENT_ADDRESS}:22"
    )


def reconnect(switch: str) -> list[tuple[str, dict[str, object]]]:
    """The monitor's commands that connect the network to a switch that was started anew."""
    return [
        ("netdev_del", {"id": "uplink"}),
        ("netdev_del", {"id": "switch"}),
        ("netdev_add", {"type": "vde", "id": "switch", "sock": switch}),
        ("netdev_add", {"type": "hubport", "id": "uplink", "hubid": 0, "netdev": "switch"}),
    ]


def ssh_port(usernet: str) -> int | None:
    """The loopback port of SSH, from the monitor's `info usernet`."""
    for line in usernet.splitlines():
        words = line.split()
        if len(words) >= 6 and words[0] == "TCP[HOST_FORWARD]" and words[5] == "22":
            return int(words[3])
    return None


def _escaped(value: str) -> str:
    """A value in one of QEMU's comma lists."""
    return value.replace(",", ",,")
