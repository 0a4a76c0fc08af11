"""What differs between two images, and between what runs on their nodes (the paper's Figure 6 as a table). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.model.closure import Closure, Kernel, package
from controller.plugin.status import table

NONE = "none of its own"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what it is called, its closure, and the services that run on its nodes, by role.

    `services` is `None` where nobody looked; `parameters` are the Deployment's own kernel parameters.
    """

    name: str
    closure: Closure
    parameters: tuple[str, ...] = ()
    services: Mapping[str, frozenset[str]] | None = None
    limitations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paths:
    """Store paths with their sizes in bytes."""

    sizes: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(self.sizes.values())

    def to_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"count": len(self.sizes), "bytes": self.size, "paths": dict(sorted(self.sizes.items()))}


@dataclass(frozen=True, slots=True)
class Split:
    """What of two sets of store paths is only in the first, in both, only in the second."""

    first: Paths
    common: Paths
    second: Paths


@dataclass(frozen=True, slots=True)
class Row:
    """A package that differs: its versions, and bytes of the store paths that only one side has."""

    name: str
    versions: tuple[tuple[str, ...], tuple[str, ...]]
    sizes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that `kubectl nxc diff` shows. `roles`: those that both have; `added`: what the flavours bring."""

    names: tuple[str, str]
    roles: Mapping[str, Split]
    whole: Split
    added: Split
    only_roles: tuple[tuple[str, ...], tuple[str, ...]]
    kernels: Mapping[str, tuple[Kernel, Kernel]]
    parameters: tuple[tuple[str, ...], tuple[str, ...]]
    services: Mapping[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)
    limitations: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def packages(self) -> list[Row]:
        """The packages that differ, largest first."""
        found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
        both = (self.whole.first, self.added.first), (self.whole.second, self.added.second)
        for side, parts in enumerate(both):
            for path, size in (item for paths in parts for item in paths.sizes.items()):
                name, version = package(path)
                versions = found.setdefault(name, ({}, {}))[side]
                versions[version] = versions.get(version, 0) + size
        rows = [
            Row(name, (tuple(sorted(a)), tuple(sorted(b))), (sum(a.values()), sum(b.values())))
            for name, (a, b) in found.items()
        ]
        return sorted(rows, key=lambda row: (-max(row.sizes), row.name))


def compare(first: Side, second: Side) -> Difference:
    """Compare two sides."""
    a, b = first.closure, second.closure
    both = sorted(a.roles.keys() & b.roles.keys())
    services = {}
    if first.services is not None and second.services is not None:
        for role in sorted(first.services.keys() & second.services.keys()):
            services[role] = (
                first.services[role] - second.services[role],
                second.services[role] - first.services[role],
            )
    return Difference(
        (first.name, second.name),
        {role: _split(a, a.roles[role], b, b.roles[role]) for role in both},
        _split(a, a.sizes.keys() - a.added, b, b.sizes.keys() - b.added),
        _split(a, a.added, b, b.added),
        (tuple(sorted(a.roles.keys() - b.roles.keys())), tuple(sorted(b.roles.keys() - a.roles.keys()))),
        {role: (a.kernels.get(role, Kernel()), b.kernels.get(role, Kernel())) for role in both},
        _apart((*a.kernel_parameters, *first.parameters), (*b.kernel_parameters, *second.parameters)),
        services,
        (first.limitations, second.limitations),
    )


def render(difference: Difference) -> str:
    """The tables."""
    first, second = difference.names
    lines = table([("", f"ONLY {first}", "COMMON", f"ONLY {second}"), *_rows(difference)])
    for name, roles in zip(difference.names, difference.only_roles, strict=True):
        if roles:
            lines.append(f"only {name} has the roles: {', '.join(roles)}")
    lines += ["", *table([("KERNEL", first, second), *_kernels(difference)])]
    lines += [
        f"kernel parameters only in {name}: {' '.join(parameters)}"
        for name, parameters in zip(difference.names, difference.parameters, strict=True)
        if parameters
    ]
    if packages := difference.packages:
        lines += ["", *table([("PACKAGE", first, second), *map(_package, packages)])]
    if difference.services:
        lines += ["", *table([("SERVICES", f"ONLY {first}", f"ONLY {second}"), *_services(difference)])]
    for name, limitations in zip(difference.names, difference.limitations, strict=True):
        if limitations:
            lines += ["", f"{name} cannot honour:", *(f"  {text}" for text in limitations)]
    return "\n".join(lines)


def to_dict(difference: Difference) -> dict[str, Any]:
    """For programs: `-o json`."""
    first, second = difference.names
    return {
        "first": first,
        "second": second,
        "roles": {role: _to_dict(split) for role, split in difference.roles.items()},
        "whole": _to_dict(difference.whole),
        "added": _to_dict(difference.added),
        "onlyRoles": {"first": list(difference.only_roles[0]), "second": list(difference.only_roles[1])},
        "kernels": {
            role: {
                "first": {"version": a.version, "path": a.path},
                "second": {"version": b.version, "path": b.path},
            }
            for role, (a, b) in difference.kernels.items()
        },
        "kernelParameters": {
            "first": list(difference.parameters[0]),
            "second": list(difference.parameters[1]),
        },
        "packages": [
            {
                "name": row.name,
                "first": {"versions": list(row.versions[0]), "bytes": row.sizes[0]},
                "second": {"versions": list(row.versions[1]), "bytes": row.sizes[1]},
            }
            for row in difference.packages
        ],
        "services": {
            role: {"first": sorted(a), "second": sorted(b)} for role, (a, b) in difference.services.items()
        },
        "limitations": {"first": list(difference.limitations[0]), "second": list(difference.limitations[1])},
    }


def _to_dict(split: Split) -> dict[str, Any]:
    return {
        "first": split.first.to_dict(),
        "common": split.common.to_dict(),
        "second": split.second.to_dict(),
    }


def _split(a: Closure, mine: Iterable[str], b: Closure, theirs: Iterable[str]) -> Split:
    first, second = set(mine), set(theirs)
    return Split(
        Paths({path: a.sizes.get(path, 0) for path in sorted(first - second)}),
        Paths({path: a.sizes.get(path, 0) for path in sorted(first & second)}),
        Paths({path: b.sizes.get(path, 0) for path in sorted(second - first)}),
    )


def _apart(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(dict.fromkeys(text for text in first if text not in second)),
        tuple(dict.fromkeys(text for text in second if text not in first)),
    )


def _rows(difference: Difference) -> Iterable[tuple[str, ...]]:
    added = difference.added
    brings = (
        [("the flavour", added)]
        if any(part.sizes for part in (added.first, added.common, added.second))
        else []
    )
    for role, split in (*difference.roles.items(), ("all roles", difference.whole), *brings):
        yield (role, *(_paths(paths) for paths in (split.first, split.common, split.second)))


def _paths(paths: Paths) -> str:
    return f"{len(paths.sizes)} paths, {_size(paths.size)}" if paths.sizes else "nothing"


def _size(size: int) -> str:
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def _kernels(difference: Difference) -> Iterable[tuple[str, ...]]:
    for role, (a, b) in difference.kernels.items():
        same = " (the same)" if a == b and a.path else ""
        yield (role, _kernel(a), f"{_kernel(b)}{same}")


def _kernel(kernel: Kernel) -> str:
    return kernel.version or kernel.path or NONE


def _package(row: Row) -> tuple[str, ...]:
    cells = []
    for versions, size in zip(row.versions, row.sizes, strict=True):
        told = ", ".join(version for version in versions if version)
        cells.append(f"{told} ({_size(size)})".lstrip() if versions else "-")
    return (row.name, *cells)


def _services(difference: Difference) -> Iterable[tuple[str, ...]]:
    for role, (a, b) in difference.services.items():
        yield (role, *(", ".join(sorted(names)) or "none" for names in (a, b)))
