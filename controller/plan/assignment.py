"""Which host runs on which machine.

Deterministic, as the paper promises, and independent of the order of the input: machines are taken in
natural order, roles by name, hosts in the order of their role. On a change, every assignment that is
still wanted stays; only what is new is placed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.model.deployment import Role
from controller.model.names import natural


@dataclass(frozen=True, slots=True)
class Assignment:
    """Machines by host, and the hosts that found none."""

    machines: Mapping[str, str]
    unplaced: tuple[str, ...] = ()


def hosts_in_order(roles: Iterable[Role]) -> list[tuple[Role, str]]:
    """Every host with its role, in the order in which machines are given out."""
    return [(role, host) for role in sorted(roles, key=lambda role: role.name) for host in role.hosts]


def duplicate_host(roles: Iterable[Role]) -> str | None:
    """The first name that two nodes of a deployment would share (aliases included), if any.

    An alias gives way silently to a host of that name in the same role, never to one of another role.
    """
    seen: dict[str, str] = {}
    for role, host in hosts_in_order(roles):
        if host in seen:
            return host
        seen[host] = role.name
    for role in sorted(roles, key=lambda role: role.name):
        for alias in role.aliases:
            if seen.setdefault(alias, role.name) != role.name:
                return alias
    return None


def assign(roles: Iterable[Role], machines: Iterable[str], current: Mapping[str, str]) -> Assignment:
    """Give each host a machine.

    `machines` are the deployment's; `current` is the map in force. A current assignment is kept when its
    host is still wanted and its machine still there. O(n log n).
    """
    hosts = [host for _, host in hosts_in_order(roles)]
    wanted, available = set(hosts), set(machines)
    kept: dict[str, str] = {}
    taken: set[str] = set()
    for host in sorted(current, key=natural):
        machine = current[host]
        if host in wanted and machine in available and machine not in taken:
            kept[host] = machine
            taken.add(machine)
    free = iter(sorted(available - taken, key=natural))
    placed: dict[str, str] = {}
    unplaced: list[str] = []
    for host in hosts:
        found = kept.get(host) or next(free, None)
        if found is None:
            unplaced.append(host)
        else:
            placed[host] = found
    return Assignment(placed, tuple(unplaced))
