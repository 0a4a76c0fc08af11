"""The source of a composition: a few files, as they stood at one moment.

All kinds of sources become a `Tree` in memory, bounded, whose digest depends on nothing but its content.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.model.errors import UserError

ENTRY = "composition.nix"
_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}")


@dataclass(frozen=True, slots=True)
class File:
    """A regular file."""

    data: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link; its target is relative and stays in the tree."""

    target: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Files and links by path, `/` between its parts; none climbs out of the tree."""

    files: Mapping[str, File | Link]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(len(item.data) for item in self.files.values() if isinstance(item, File))

    def digest(self) -> str:
        """`sha256:…` of names, modes and contents."""
        whole = hashlib.sha256()
        for path in sorted(self.files):
            item = self.files[path]
            match item:
                case File():
                    kind, data = b"x" if item.executable else b"f", item.data
                case Link():
                    kind, data = b"l", item.target.encode()
            name = path.encode()
            whole.update(b"%c%d:%s%d:" % (kind, len(name), name, len(data)))
            whole.update(data)
        return f"sha256:{whole.hexdigest()}"

    def write(self, directory: Path) -> None:
        """Write it below a new directory. Blocking."""
        directory.mkdir(mode=0o700, parents=True)
        for path, item in self.files.items():
            place = directory / path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(item, Link):
                place.symlink_to(item.target)
            else:
                place.write_bytes(item.data)
                place.chmod(0o700 if item.executable else 0o600)


@dataclass(frozen=True, slots=True)
class Source:
    """A tree, the file that evaluation starts from, and the revision that it is where it has one."""

    tree: Tree
    entry: str = ENTRY
    revision: str = ""
    version: str = field(default="", compare=False)
    """By which the origin is asked whether there is news (a resource version, a commit)."""


def check(tree: Tree, entry: str, limit: int) -> Tree:
    """The tree itself, if it may be used. Raises `UserError`: too large, no entry, links that leave it."""
    if tree.size > limit:
        raise too_large(tree.size, limit)
    for path, item in tree.files.items():
        parts = path.split("/")
        if not all(parts) or not {".", ".."}.isdisjoint(parts) or "\0" in path:
            raise UserError("SourceInvalid", f"the source has a file with the impossible name {path!r}")
        if above := [one for end in range(1, len(parts)) if (one := "/".join(parts[:end])) in tree.files]:
            raise UserError("SourceInvalid", f"in the source {above[0]!r} is a file and a folder")
        if isinstance(item, Link) and leaves(path, item.target):
            raise UserError(
                "SourceInvalid",
                f"{path} is a link to {item.target!r}, which leads out of the source; copy the file",
            )
    if entry not in tree.files:
        there = sorted(path for path in tree.files if path.endswith(".nix"))[:5]
        has = f"it has {', '.join(there)}" if there else "it has no .nix file at all"
        raise UserError("SourceInvalid", f"spec.source.entry: the source has no file {entry!r} ({has})")
    return tree


def leaves(path: str, target: str) -> bool:
    """Whether a link at `path` leads out of the tree it stands in."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    # After a name, `..` is refused altogether: the name may be a link to somewhere less deep.
    return target.startswith("/") or ".." in parts[climbs:] or climbs > path.count("/")


def too_large(size: int, limit: int) -> UserError:
    """The error for a source of too many bytes."""
    return UserError(
        "SourceTooLarge",
        f"spec.source has {size:,} bytes, and may have {limit:,}: keep data out of the source, or use git.path "
        "to name the folder that matters",
    )


def inline(spec: Mapping[str, Any], limit: int) -> Source:
    """`spec.source.inline`."""
    entry = spec.get("entry") or ENTRY
    return Source(check(Tree({entry: File(spec["inline"].encode())}), entry, limit), entry)


def config_map(
    spec: Mapping[str, Any], found: Mapping[str, Any] | None, namespace: str, limit: int
) -> Source:
    """`spec.source.configMap`, with the ConfigMap as it stands: each key a file, or those of `items` by their paths."""
    name = spec["configMap"]["name"]
    if found is None:
        raise UserError(
            "ConfigMapNotFound",
            f"spec.source.configMap: there is no ConfigMap {name!r} in namespace {namespace!r}; it is looked for again",
        )
    files: dict[str, File | Link] = {}
    for key, text in (found.get("data") or {}).items():
        files[_file(key)] = File(str(text).encode())
    for key, coded in (found.get("binaryData") or {}).items():
        try:
            files[_file(key)] = File(base64.b64decode(coded, validate=True))
        except (binascii.Error, ValueError) as error:
            raise UserError("SourceInvalid", f"ConfigMap {name!r}: binaryData.{key} is no base64") from error
    if items := spec["configMap"].get("items"):
        missing = next((item["key"] for item in items if item["key"] not in files), None)
        if missing is not None:
            raise UserError(
                "SourceInvalid", f"spec.source.configMap.items: ConfigMap {name!r} has no key {missing!r}"
            )
        files = {item["path"]: files[item["key"]] for item in items}
    entry = spec.get("entry") or ENTRY
    version = (found.get("metadata") or {}).get("resourceVersion", "")
    return Source(check(Tree(files), entry, limit), entry, version=version)


def _file(key: str) -> str:
    if _KEY.fullmatch(key) is None or key in (".", ".."):
        raise UserError(
            "SourceInvalid", f"spec.source.configMap: the key {key!r} cannot be the name of a file"
        )
    return key
