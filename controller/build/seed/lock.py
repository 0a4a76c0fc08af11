"""The lock: which file of Debian each package of the seed is, byte for byte.

Written by `nxc-controller seed update`, read by Nix (nix/seed/packages) and by whoever fetches. A lock comes
from a file that an administrator or this program wrote, and is checked all the same: its names become paths.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any

VERSION = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[A-Za-z0-9+._~-]+(/[A-Za-z0-9+._~-]+)*\.deb")


class LockError(ValueError):
    """The text is no lock; the message names the package and the field."""


@dataclass(frozen=True, slots=True)
class Locked:
    """One package: `file` is its place below a mirror's base URL, `size` is in bytes."""

    name: str
    version: str
    file: str
    sha256: str
    size: int
    depends: tuple[str, ...] = ()

    @property
    def store_name(self) -> str:
        """Its name in a pool and in the store, which know neither `~` nor `%`; nix/seed maps the same way."""
        return PurePosixPath(self.file).name.replace("+", "-").replace("~", "-")


@dataclass(frozen=True, slots=True)
class Lock:
    """All packages, and which of them Nix starts from."""

    release: str
    bootstrap: str
    bootstrap_nar: str  # sha256 (hex) of the NAR of the tree that `deb.bootstrap_tree` makes of it
    packages: Mapping[str, Locked]

    @property
    def digest(self) -> str:
        """What names this lock: sha256 of its text."""
        return "sha256:" + sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """The JSON of the lock, one line a package so that a diff reads well."""
        rows = ",\n".join(
            f"    {json.dumps(name)}: "
            + json.dumps(
                {
                    "version": one.version,
                    "file": one.file,
                    "sha256": one.sha256,
                    "size": one.size,
                    "depends": list(one.depends),
                }
            )
            for name, one in sorted(self.packages.items())
        )
        bootstrap = json.dumps({"package": self.bootstrap, "narSha256": self.bootstrap_nar})
        return (
            f'{{\n  "version": {VERSION},\n  "release": {json.dumps(self.release)},\n'
            f'  "bootstrap": {bootstrap},\n  "packages": {{\n{rows}\n  }}\n}}\n'
        )


def parse(text: str) -> Lock:
    """The lock in this JSON. Raises `LockError`."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise LockError(f"the lock is not JSON: {error}") from error
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise LockError(
            f"the lock is not of version {VERSION}; make it anew with: nxc-controller seed update"
        )
    bootstrap, packages = data.get("bootstrap"), data.get("packages")
    if not isinstance(bootstrap, dict) or not isinstance(packages, dict):
        raise LockError("the lock lacks `bootstrap` or `packages`")
    locked = {name: _locked(name, row) for name, row in packages.items()}
    for one in locked.values():
        for dependency in one.depends:
            if dependency not in locked:
                raise LockError(f"{one.name} depends on {dependency}, which the lock lacks")
    lock = Lock(
        release=_string("bootstrap", data, "release"),
        bootstrap=_string("bootstrap", bootstrap, "package"),
        bootstrap_nar=_string("bootstrap", bootstrap, "narSha256", _SHA256),
        packages=locked,
    )
    if lock.bootstrap not in locked:
        raise LockError(f"the bootstrap package {lock.bootstrap} is not in the lock")
    return lock


def differences(old: Lock, new: Lock) -> list[str]:
    """What changed, a line a package, in the words of a status: `curl 7.88.1-10 -> 7.88.1-11`."""
    lines = []
    for name in sorted({*old.packages, *new.packages}):
        before, after = old.packages.get(name), new.packages.get(name)
        if before == after:
            continue
        if before is None and after is not None:
            lines.append(f"{name} {after.version} is new")
        elif after is None and before is not None:
            lines.append(f"{name} {before.version} is gone")
        elif before is not None and after is not None:
            if before.version != after.version:
                lines.append(f"{name} {before.version} -> {after.version}")
            elif before.sha256 != after.sha256:
                lines.append(f"{name} {before.version}: other bytes under the same version")
            else:
                lines.append(f"{name} {before.version}: other dependencies or another place")
    return lines


def _locked(name: str, row: Any) -> Locked:
    if not _NAME.fullmatch(name):
        raise LockError(f"{name!r} is not a name of a Debian package")
    if not isinstance(row, dict):
        raise LockError(f"{name}: not an object")
    size, depends = row.get("size"), row.get("depends")
    if not isinstance(size, int) or size <= 0:
        raise LockError(f"{name}: size is not a number of bytes")
    if not isinstance(depends, list) or not all(isinstance(d, str) for d in depends):
        raise LockError(f"{name}: depends is not a list of names")
    return Locked(
        name=name,
        version=_string(name, row, "version"),
        file=_string(name, row, "file", _FILE),
        sha256=_string(name, row, "sha256", _SHA256),
        size=size,
        depends=tuple(depends),
    )


def _string(where: str, row: Mapping[str, Any], field: str, pattern: re.Pattern[str] | None = None) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not value or ".." in value.split("/"):
        raise LockError(f"{where}: {field} is not a text")
    if pattern is not None and not pattern.fullmatch(value):
        raise LockError(f"{where}: {field} is not of the form {pattern.pattern}: {value!r}")
    return value
