"""What an image is made of: the store paths that each role needs, with their sizes, and the kernel.

It is too large for a status (a NixOS has some thousand store paths) and it never changes, so it stands in an
immutable ConfigMap of its own, compressed: 20,000 paths take about 700 kB, and a ConfigMap holds 1 MiB.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model.errors import UserError
from controller.model.manifest import Manifest

KEY = "closure.json.z"
"""Of the ConfigMap's binaryData: JSON, compressed by zlib (RFC 1950)."""
SIZE_LIMIT = 700_000
"""Bytes of it; in base64 and with its surroundings that is less than a ConfigMap may have (1 MiB)."""
READ_LIMIT = 64 * 1024 * 1024
"""Bytes that are unpacked: who may write a ConfigMap may write anything."""
_PATH = re.compile(r"/nix/store/(?P<hash>[0-9a-z]{32})-(?P<name>.+)")
_VERSION = re.compile(r"-(?=[0-9])")


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel that a role boots; nothing where the flavour has none of its own."""

    version: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Closure:
    """`sizes` has bytes by store path; `roles` the store paths that each role needs at run time.

    `added`: those that the flavour brings beside, to boot any role from (a kernel, an initial RAM disk).
    """

    flavour: str
    sizes: Mapping[str, int]
    roles: Mapping[str, frozenset[str]]
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    kernel_parameters: tuple[str, ...] = ()
    added: frozenset[str] = frozenset()

    @classmethod
    def of(cls, manifest: Manifest, sizes: Mapping[str, int]) -> Closure:
        """From a manifest, and the sizes of the store paths in its closure as Nix knows them."""
        roles = {name: frozenset(role.closure or manifest.closure) for name, role in manifest.roles.items()}
        named = frozenset().union(*roles.values())
        added = frozenset("/".join(file.split("/")[:4]) for file in manifest.files()) - named
        kernels = {
            name: Kernel(role.kernel_version or manifest.kernel_version, role.kernel or manifest.kernel)
            for name, role in manifest.roles.items()
        }
        return cls(
            manifest.flavour,
            {path: sizes.get(path, 0) for path in sorted(named | added)},
            roles,
            kernels,
            manifest.kernel_parameters,
            added,
        )

    def packed(self) -> bytes:
        """For a ConfigMap. The same closure gives the same bytes."""
        paths = sorted(self.sizes)
        number = {path: at for at, path in enumerate(paths)}
        document = {
            "version": 1,
            "flavour": self.flavour,
            "paths": [[path.removeprefix("/nix/store/"), self.sizes[path]] for path in paths],
            "roles": {
                name: sorted(number[path] for path in role) for name, role in sorted(self.roles.items())
            },
            "added": sorted(number[path] for path in self.added),
            "kernels": {name: [kernel.version, kernel.path] for name, kernel in sorted(self.kernels.items())},
            "kernelParameters": list(self.kernel_parameters),
        }
        return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)

    @classmethod
    def unpacked(cls, data: bytes) -> Closure:
        """Read what `packed` gave. Raises `UserError` with reason `BadClosure` for anything else."""
        try:
            reader = zlib.decompressobj()
            text = reader.decompress(data, READ_LIMIT)
            if reader.unconsumed_tail:
                raise ValueError(f"more than {READ_LIMIT} bytes")
            document = json.loads(text)
            sizes = {f"/nix/store/{name}": int(size) for name, size in document["paths"]}
            paths = list(sizes)
            return cls(
                str(document["flavour"]),
                sizes,
                {str(name): frozenset(paths[at] for at in role) for name, role in document["roles"].items()},
                {
                    str(name): Kernel(str(version), str(path))
                    for name, (version, path) in document["kernels"].items()
                },
                tuple(str(parameter) for parameter in document["kernelParameters"]),
                frozenset(paths[at] for at in document.get("added", ())),
            )
        except (zlib.error, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UserError("BadClosure", f"{KEY} is not what the controller wrote: {error}") from None

    @classmethod
    def read(cls, obj: Mapping[str, Any]) -> Closure:
        """From a ConfigMap. Raises `UserError` with reason `BadClosure`."""
        try:
            data = base64.b64decode((obj.get("binaryData") or {})[KEY], validate=True)
        except (KeyError, ValueError):
            raise UserError("BadClosure", f"the ConfigMap has no {KEY} in its binaryData") from None
        return cls.unpacked(data)


def config_map_name(composition: str, flavour: str, image: str) -> str:
    """The ConfigMap of an image's closure."""
    return f"{composition[:150].rstrip('-.')}.{flavour}.{image.removeprefix('sha256:')[:16]}"


def package(path: str) -> tuple[str, str]:
    """Name and version of a store path: the version begins at the first hyphen before a digit (Nix' own rule)."""
    found = _PATH.fullmatch(path)
    whole = found["name"] if found is not None else path
    name, _, version = _split(whole)
    return name, version


def _split(whole: str) -> tuple[str, str, str]:
    found = _VERSION.search(whole)
    return (whole, "", "") if found is None else (whole[: found.start()], "-", whole[found.end() :])
