"""The Testbeds of this machine, with as many nodes as its memory carries."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from controller.model.deployment import DEFAULT_MEMORY
from controller.model.quantity import format_bytes

RESERVED = 1 << 30
"""Bytes that are left to the host itself, or half of all where that is less."""
QEMU = 96 << 20
"""Bytes that a machine takes beyond its own memory: QEMU and the code it has translated (docs/virtual-machines.md)."""
DOCKER_HOST = "unix:///var/run/docker.sock"
"""Where a Docker engine is unless the environment says otherwise."""
LIMITS = ("memory.max", "memory/memory.limit_in_bytes")
"""Files of control groups, version 2 and 1; in a container, of its own."""


def local_testbed() -> dict[str, Any]:
    """The Testbed `local`: this machine, open to every namespace, with what memory it can spare."""
    return _testbed("local", {}, QEMU)


def docker_testbeds(endpoint: str) -> list[dict[str, Any]]:
    """The Testbed `docker`, where this machine has a Docker engine. `endpoint`: DOCKER_HOST, or nothing."""
    socket = (endpoint or DOCKER_HOST).removeprefix("unix://")
    if not socket.startswith("/") or not os.path.exists(socket):
        return []
    return [_testbed("docker", {"endpoint": f"unix://{socket}"}, 0)]


def host_memory(groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory that this machine has, or this container may use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in LIMITS:
        with suppress(OSError, ValueError):  # there is none, or it says `max`
            memory = min(memory, int((groups / name).read_text()))
    return memory


def capacity(memory: int, overhead: int) -> dict[str, Any]:
    """`spec.capacity` for so many bytes: nodes of the default size, and what they have of memory together.

    Each node takes `overhead` besides; so whatever sizes are asked for, the host has the memory.
    """
    spare = max(memory - RESERVED, memory // 2)
    nodes = max(1, spare // (DEFAULT_MEMORY + overhead))
    return {"nodes": nodes, "memory": f"{max(spare - nodes * overhead, DEFAULT_MEMORY) >> 20}Mi"}


def _testbed(kind: str, more: dict[str, Any], overhead: int) -> dict[str, Any]:
    memory = host_memory()
    told = (
        f"{format_bytes(memory)} of memory, without {format_bytes(min(RESERVED, memory // 2))} for the host"
    )
    if overhead:
        told += f" and {format_bytes(overhead)} a node for QEMU"
    return {
        "apiVersion": "nxc.dev/v1alpha1",
        "kind": "Testbed",
        "metadata": {"name": kind, "annotations": {"nxc.dev/capacity-of": told}},
        "spec": {
            "kind": kind,
            "host": os.uname().nodename,
            **more,
            "allowedNamespaces": {"from": "All"},
            "capacity": capacity(memory, overhead),
            "default": True,
        },
    }
