"""What an administrator sets about builds, and the package sources on offer."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from controller.model.errors import NxcError

SOURCE_LIMIT = 10_000_000
"""Bytes of a composition's source, all its files together."""
PIN_LIMIT = 128
"""Characters of a pin that the schema of the status accepts."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?")


class SourceKind(StrEnum):
    """The kinds of package sources that the builder with Nix knows."""

    SEED = "seed"
    NIXPKGS = "nixpkgs"


FLAVOURS: Mapping[str, frozenset[str]] = {
    SourceKind.SEED: frozenset({"vm-ramdisk", "g5k-ramdisk", "docker"}),
    SourceKind.NIXPKGS: frozenset({"vm-ramdisk", "g5k-ramdisk", "g5k-image", "docker"}),
}
"""What nix/ builds with the package sources of each kind (a test holds this against nix/)."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """What compositions are evaluated against, under a name of the administrator's choice.

    `path`: the directory of a nixpkgs, or another lock file of the seed; `pin` names its revision for
    people and for the content hash. Import from derivation is off unless the administrator allows it.
    """

    name: str
    kind: str
    path: Path | None = None
    pin: str = ""
    import_from_derivation: bool = False


def default_state() -> Path:
    """`$XDG_STATE_HOME/nxc-controller/build` (XDG base directory specification)."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "nxc-controller" / "build"


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Sizes in bytes, times in seconds.

    `trusted`: build also where Nix cannot be isolated. `jobs`: evaluations and builds at a time. Below
    `min_free` bytes of free disk the store is collected until `enough_free` are. `nix_system`: the root of a
    system whose Nix is used instead of this host's.
    """

    state: Path = field(default_factory=default_state)
    trusted: bool = False
    jobs: int = 2
    package_source: str = "seed"
    package_sources: Mapping[str, PackageSource] = field(default_factory=dict)
    source_limit: int = SOURCE_LIMIT
    min_free: int = 2 * 2**30
    enough_free: int = 4 * 2**30
    sweep: float = 60.0
    nix_system: Path | None = None

    def offered(self, kinds: Collection[str]) -> dict[str, str]:
        """The kind of each package source that can be had where builders serve these kinds.

        A kind is a source of its own name, unless it is nothing without a path.
        """
        plain = {kind: kind for kind in kinds if kind != SourceKind.NIXPKGS}
        named = {name: source.kind for name, source in self.package_sources.items()}
        return {name: kind for name, kind in {**plain, **named}.items() if kind in kinds}

    def source(self, name: str) -> PackageSource | None:
        """A package source by its name; `seed` is there unless the administrator took the name."""
        found = self.package_sources.get(name)
        if found is None and name == SourceKind.SEED:
            return PackageSource(name, SourceKind.SEED)
        return found


def read_package_sources(file: Path) -> dict[str, PackageSource]:
    """The administrator's list: YAML, `- {name, kind, path, pin, allowImportFromDerivation}`.

    Raises `NxcError` that names the file, the item and the field.
    """
    try:
        items = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _wrong(file, "", f"cannot be read: {error}") from error
    if not isinstance(items, list):
        raise _wrong(
            file, "", "is not a list of package sources, such as [{name: nixpkgs, kind: nixpkgs, path: /…}]"
        )
    found: dict[str, PackageSource] = {}
    for number, item in enumerate(items):
        source = _package_source(file, f"[{number}]", item)
        if source.name in found:
            raise _wrong(file, f"[{number}].name", f"is {source.name!r}, as another one's")
        found[source.name] = source
    return found


def _package_source(file: Path, where: str, item: Any) -> PackageSource:
    known = {"name": str, "kind": str, "path": str, "pin": str, "allowImportFromDerivation": bool}
    if not isinstance(item, dict):
        raise _wrong(file, where, "is not an object with name and kind")
    for key, value in item.items():
        if key not in known:
            raise _wrong(file, f"{where}.{key}", f"is not known (only: {', '.join(known)})")
        if not isinstance(value, known[key]):
            raise _wrong(file, f"{where}.{key}", f"is {value!r}, not a {known[key].__name__}")
    name, kind = item.get("name", ""), item.get("kind", "")
    if _NAME.fullmatch(name) is None:
        raise _wrong(file, f"{where}.name", f"is {name!r}, not a name in lower case")
    if not kind:
        raise _wrong(file, f"{where}.kind", f"is missing: one of {', '.join(SourceKind)}")
    path = Path(item["path"]) if item.get("path") else None
    if path is not None and not (path.is_absolute() and path.exists()):
        raise _wrong(file, f"{where}.path", f"is {str(path)!r}, which is not absolute or not there")
    if kind == SourceKind.NIXPKGS and path is None:
        raise _wrong(file, f"{where}.path", "is missing: the directory of the nixpkgs")
    if len(item.get("pin", "")) > PIN_LIMIT:
        raise _wrong(file, f"{where}.pin", f"is longer than {PIN_LIMIT} characters")
    return PackageSource(name, kind, path, item.get("pin", ""), item.get("allowImportFromDerivation", False))


def _wrong(file: Path, where: str, what: str) -> NxcError:
    return NxcError("BadPackageSources", " ".join(filter(None, (f"{file}:", where, what))))
