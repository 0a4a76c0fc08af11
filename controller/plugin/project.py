"""A project of nixos-compose, as it lies in a folder: nxc.json, the composition with the files that it names, the
flake, setup.toml, and deployment files. It is read, and nothing of it is run."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.model.errors import UserError
from controller.plugin import distribution, expression
from controller.plugin.distribution import Distribution

SIZE_LIMIT = 1_000_000
"""Bytes of all files together: what a ConfigMap holds is limited to 1 MiB with everything."""
SETUP = "setup.toml"
FLAKE = "flake.nix"
_FLAKE_MEANS = ("overlays", "extraConfigurations", "flavours")
"""Arguments of `nxc.lib.compose` that only the flake has."""
_INPUT = re.compile(r"([A-Za-z_][\w-]*)\s*(?:\.\s*|=\s*{\s*)url\s*=\s*\"([^\"]+)\"")
_SKIPPED = re.compile(r"\..*|result.*|.*~|build|deploy|artifact|nxc")
"""Of a folder that the composition names whole: what nixos-compose and Nix leave behind there."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader should know of the move: `what` became of `where`, a file with line or a field."""

    kind: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.what}"


def lost(where: str, what: str) -> Note:
    """Something that has no counterpart, or needs a hand."""
    return Note("not carried over", where, what)


def changed(where: str, what: str) -> Note:
    """Something that is another here."""
    return Note("changed", where, what)


@dataclass(frozen=True, slots=True)
class Project:
    """What was found. `entry` is the file that evaluation starts from, of `files` by their paths; `compositions` has
    the names of several in one file."""

    root: Path
    entry: str
    files: Mapping[str, bytes]
    settings: Mapping[str, Any] = field(default_factory=dict)
    setup: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    compositions: tuple[str, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    notes: tuple[Note, ...] = ()


def read(root: Path, *, deployments: Sequence[Path] = ()) -> Project:
    """Read the project in a folder; `deployments`: deployment files to use, instead of those that are found there.

    Raises `UserError` with file and line where something cannot be understood.
    """
    if not root.is_dir():
        raise UserError("BadProject", f"there is no folder {root}")
    settings = _settings(root)
    composition = _composition(root, settings)
    notes: list[Note] = []
    flake = (root / FLAKE).is_file()
    entry = FLAKE if flake and _flake_matters(_text(root / FLAKE, FLAKE)) else composition
    files = dict(_followed(root, (entry, composition), notes))
    setup = _setup(root)
    if setup:
        files[posixpath.join(posixpath.dirname(entry), SETUP)] = (root / SETUP).read_bytes()
    if (size := sum(map(len, files.values()))) > SIZE_LIMIT:
        largest = max(files, key=lambda name: len(files[name]))
        raise UserError(
            "BadProject",
            f"{root}: its files have {size:,} bytes, most of them in {largest}, and a ConfigMap holds "
            f"{SIZE_LIMIT:,}: keep the project in git, and name it with --git URL",
        )
    names = expression.attributes(_decoded(files[composition], composition)) or ()
    return Project(
        root,
        entry,
        dict(sorted(files.items())),
        settings,
        setup,
        _inputs(_text(root / FLAKE, FLAKE)) if flake else {},
        () if not names or {"roles", "nodes"} & set(names) else tuple(sorted(names)),
        tuple(_distributions(root, deployments)),
        tuple(notes),
    )


def _settings(root: Path) -> Mapping[str, Any]:
    file = root / "nxc.json"
    if not file.is_file():
        return {}
    try:
        settings = json.loads(_text(file, "nxc.json"))
    except json.JSONDecodeError as error:
        raise UserError("BadProject", f"nxc.json:{error.lineno}: {error.msg}") from None
    if not isinstance(settings, dict):
        raise UserError(
            "BadProject", 'nxc.json:1: must be an object, such as {"composition": "composition.nix"}'
        )
    return settings


def _composition(root: Path, settings: Mapping[str, Any]) -> str:
    named = settings.get("composition")
    if named is None:
        found = [name for name in ("composition.nix", "compositions.nix") if (root / name).is_file()]
        if not found:
            raise UserError(
                "BadProject",
                f"{root} is no project of nixos-compose: it has neither nxc.json nor composition.nix",
            )
        return found[0]
    if not isinstance(named, str) or not (root / named).is_file() or _path(".", named) is None:
        raise UserError("BadProject", f"nxc.json:1: composition: there is no file {named!r} in {root}")
    return posixpath.normpath(named)


def _flake_matters(text: str) -> bool:
    code = expression.blanked(text)
    return any(re.search(rf"\b{word}\b", code) for word in _FLAKE_MEANS) and "compose" in code


def _inputs(text: str) -> dict[str, str]:
    code = expression.blanked(text)
    found = [match for match in _INPUT.finditer(text) if code[match.start()] != " "]
    return {match[1]: match[2] for match in found}


def _setup(root: Path) -> Mapping[str, Any]:
    if not (root / SETUP).is_file():
        return {}
    try:
        return tomllib.loads(_text(root / SETUP, SETUP))
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise UserError("BadProject", f"{SETUP}:{line[1] if line else 1}: {error}") from None


def _followed(root: Path, begin: Sequence[str], notes: list[Note]) -> Iterator[tuple[str, bytes]]:
    """The files that evaluation reads, from these on; with notes on those that it would not find."""
    todo, seen = list(dict.fromkeys(begin)), set(begin)
    while todo:
        name = todo.pop(0)
        data = (root / name).read_bytes()
        yield name, data
        if not name.endswith(".nix"):
            continue
        for reference in expression.references(_decoded(data, name)):
            where = f"{name}:{reference.line}"
            path = _path(posixpath.dirname(name), reference.path)
            if path is None:
                notes.append(lost(where, f"{reference.path} lies outside of the project: copy it into it"))
                continue
            if (root / path / "default.nix").is_file() and path != ".":
                path = f"{path}/default.nix"
            found = [path] if (root / path).is_file() else list(_below(root, path))
            if not found and not (root / path).is_dir():
                notes.append(lost(where, f"there is no file {reference.path}"))
            for file in found:
                if file not in seen:
                    seen.add(file)
                    todo.append(file)


def _below(root: Path, folder: str) -> Iterator[str]:
    for file in sorted((root / folder).rglob("*")):
        name = file.relative_to(root).as_posix()
        inside = file.relative_to(root / folder).parts
        if file.is_file() and not any(_SKIPPED.fullmatch(part) for part in inside):
            yield name


def _path(folder: str, reference: str) -> str | None:
    """A path literal relative to the project; `None` where it leads out of it."""
    path = posixpath.normpath(posixpath.join(folder, reference))
    return None if path.startswith("/") or path.split("/")[0] == ".." else path


def _distributions(root: Path, given: Sequence[Path]) -> Iterator[Distribution]:
    if given:
        for file in given:
            if not file.is_file():
                raise UserError("BadProject", f"--deployment: there is no file {file}")
            yield distribution.parse(_text(file, str(file)), str(file))
        return
    for file in sorted([*root.glob("*.yaml"), *root.glob("*.yml")]):
        text = _text(file, file.name)
        if distribution.looks_like_one(text, file.name):
            yield distribution.parse(text, file.name)


def _text(file: Path, name: str) -> str:
    try:
        return _decoded(file.read_bytes(), name)
    except OSError as error:
        raise UserError("BadProject", f"{name}: {error.strerror}") from None


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError("BadProject", f"{name}:{line}: is no text in UTF-8") from None
