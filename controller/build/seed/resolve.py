"""From apt's metadata and a selection to a lock: which packages, which versions, who needs whom. Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.build.seed.control import Relation, Version, relations
from controller.build.seed.lock import Locked


class ResolveError(ValueError):
    """The metadata cannot satisfy the selection; the message says which package and why."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the lock is made of: nix/seed/packages/selection.toml, which explains each field."""

    release: str
    architecture: str
    bootstrap: str
    roots: tuple[str, ...]
    exclude: Mapping[str, str]
    without: Mapping[str, Mapping[str, str]]
    extra: Mapping[str, Mapping[str, str]]
    provider: Mapping[str, str]


def selection(text: str) -> Selection:
    """Parse a selection. Raises `ResolveError` naming a field that is missing or not known."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ResolveError(f"the selection is not TOML: {error}") from error
    if unknown := set(data) - set(Selection.__dataclass_fields__):
        raise ResolveError(f"the selection has unknown fields: {', '.join(sorted(unknown))}")
    try:
        return Selection(
            release=str(data["release"]),
            architecture=str(data["architecture"]),
            bootstrap=str(data["bootstrap"]),
            roots=tuple(data["roots"]),
            exclude=dict(data.get("exclude", {})),
            without={name: dict(of) for name, of in data.get("without", {}).items()},
            extra={name: dict(of) for name, of in data.get("extra", {}).items()},
            provider=dict(data.get("provider", {})),
        )
    except KeyError as error:
        raise ResolveError(f"the selection lacks {error}") from error


@dataclass(frozen=True, slots=True)
class Candidate:
    """One version of a package that a mirror offers."""

    name: str
    version: Version
    file: str
    sha256: str
    size: int
    depends: tuple[tuple[Relation, ...], ...]
    provides: tuple[Relation, ...]


def candidate(stanza: Mapping[str, str]) -> Candidate:
    """A stanza of a Packages index. Raises `ResolveError` where it lacks what a lock needs."""
    try:
        depends = relations(stanza.get("Pre-Depends", "")) + relations(stanza.get("Depends", ""))
        return Candidate(
            name=stanza["Package"],
            version=Version(stanza["Version"]),
            file=stanza["Filename"],
            sha256=stanza["SHA256"].lower(),
            size=int(stanza["Size"]),
            depends=tuple(depends),
            provides=tuple(group[0] for group in relations(stanza.get("Provides", ""))),
        )
    except (KeyError, ValueError) as error:
        raise ResolveError(f"apt's entry for {stanza.get('Package', '?')} cannot be used: {error}") from error


class Index:
    """The newest candidate of each name, and who provides which virtual package."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._newest: dict[str, Candidate] = {}
        for one in candidates:
            known = self._newest.get(one.name)
            # Of two entries for one version (main and security both have it) the smaller path: any fixed rule does.
            if known is None or (known.version, one.file) < (one.version, known.file):
                self._newest[one.name] = one
        self._providers: dict[str, list[Candidate]] = {}
        for name in sorted(self._newest):
            for provided in self._newest[name].provides:
                self._providers.setdefault(provided.name, []).append(self._newest[name])

    def newest(self, name: str) -> Candidate | None:
        """The newest real package of this name."""
        return self._newest.get(name)

    def satisfying(self, relation: Relation) -> list[Candidate]:
        """Who satisfies it: the real package alone if it does, else the providers by name."""
        real = self._newest.get(relation.name)
        if real is not None and relation.holds(real.version):
            return [real]
        found = []
        for provider in self._providers.get(relation.name, ()):
            for provided in provider.provides:
                # Policy 7.5: an unversioned Provides satisfies no versioned relation.
                if provided.name == relation.name and (
                    not relation.operator or (provided.operator == "=" and relation.holds(provided.version))
                ):
                    found.append(provider)
                    break
        return found


def resolve(chosen: Selection, index: Index) -> dict[str, Locked]:
    """The packages that the roots need, transitively. Raises `ResolveError`: unknown root, unmet need, a cycle."""
    packages: dict[str, Locked] = {}
    waiting = sorted(chosen.roots, reverse=True)
    while waiting:
        name = waiting.pop()
        if name in packages:
            continue
        one = index.newest(name)
        if one is None:
            raise ResolveError(f"no package {name} in apt's metadata for {chosen.release}")
        needs = _needs(one, chosen, index)
        packages[name] = Locked(name, one.version.text, one.file, one.sha256, one.size, tuple(needs))
        waiting += needs
    _acyclic(packages)
    return packages


def _needs(one: Candidate, chosen: Selection, index: Index) -> list[str]:
    without = chosen.without.get(one.name, {})
    needs = set(chosen.extra.get(one.name, ()))
    for group in one.depends:
        # An alternative that is left out on purpose settles its group: `debconf | cdebconf` wants neither.
        if any(relation.name in chosen.exclude or relation.name in without for relation in group):
            continue
        found = next(filter(None, (_pick(relation, chosen, index) for relation in group)), None)
        if found is None:
            wanted = " | ".join(map(str, group))
            raise ResolveError(f"{one.name} {one.version} needs {wanted}, which apt's metadata does not have")
        if found != one.name:
            needs.add(found)
    return sorted(needs)


def _pick(relation: Relation, chosen: Selection, index: Index) -> str | None:
    names = [one.name for one in index.satisfying(relation)]
    preferred = chosen.provider.get(relation.name)
    if preferred in names:
        return preferred
    return names[0] if names else None


def _acyclic(packages: Mapping[str, Locked]) -> None:
    """Derivations cannot refer to each other in a circle; Debian's packages may."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise ResolveError(
                f"a circle: {circle}; break it in [exclude] or [without.PACKAGE] of the selection"
            )
        if name not in done:
            for dependency in packages[name].depends:
                visit(dependency, (*path, name))
            done.add(name)

    for name in sorted(packages):
        visit(name, ())
