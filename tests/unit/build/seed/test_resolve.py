from __future__ import annotations

import pytest

from controller.build.seed.control import stanzas
from controller.build.seed.resolve import (
    Index,
    ResolveError,
    Selection,
    candidate,
    resolve,
    selection,
)
from controller.shipped import folder

SHA = "ab" * 32


def index(text: str) -> Index:
    """A short form: `name version; Field: value; …` a line."""
    candidates = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        head, *fields = line.split(";")
        name, version = head.split()
        stanza = f"Package: {name}\nVersion: {version}\nFilename: pool/{name}_{version}.deb\nSHA256: {SHA}\nSize: 7\n"
        (parsed,) = stanzas((stanza + "\n".join(field.strip() for field in fields)).splitlines())
        candidates.append(candidate(parsed))
    return Index(candidates)


def chosen(*roots: str, **more: object) -> Selection:
    fields = {"exclude": {}, "without": {}, "extra": {}, "provider": {}, **more}
    return Selection("bookworm", "amd64", roots[0], roots, **fields)  # type: ignore[arg-type]


def test_a_root_brings_what_it_depends_on_and_nothing_else() -> None:
    packages = resolve(
        chosen("curl"),
        index("curl 7; Depends: libcurl; Recommends: ca\nlibcurl 7; Pre-Depends: libc6\nlibc6 2\nca 1\njq 1"),
    )
    assert sorted(packages) == ["curl", "libc6", "libcurl"]
    assert packages["curl"].depends == ("libcurl",)
    assert packages["libcurl"].depends == ("libc6",)
    assert (packages["curl"].file, packages["curl"].size) == ("pool/curl_7.deb", 7)


def test_the_newest_version_is_taken_whatever_the_order() -> None:
    for text in ("curl 7.9\ncurl 7.10", "curl 7.10\ncurl 7.9"):
        assert resolve(chosen("curl"), index(text))["curl"].version == "7.10"


def test_of_alternatives_the_first_that_is_there_is_taken() -> None:
    found = resolve(chosen("x"), index("x 1; Depends: gone | a (>= 2) | b | c\na 1\nb 1\nc 1"))
    assert found["x"].depends == ("b",)


def test_a_virtual_package_is_the_provider_that_was_chosen_or_the_first_by_name() -> None:
    text = "x 1; Depends: awk\nmawk 1; Provides: awk\ngawk 1; Provides: awk"
    assert resolve(chosen("x"), index(text))["x"].depends == ("gawk",)
    assert resolve(chosen("x", provider={"awk": "mawk"}), index(text))["x"].depends == ("mawk",)


def test_a_versioned_relation_is_satisfied_only_by_a_versioned_provider() -> None:
    text = "x 1; Depends: api (>= 2)\na 1; Provides: api\nb 1; Provides: api (= 1)\nc 1; Provides: api (= 3)"
    assert resolve(chosen("x"), index(text))["x"].depends == ("c",)


def test_what_is_left_out_takes_its_alternatives_with_it() -> None:
    text = "x 1; Depends: debconf | cdebconf, libc6, perl\ncdebconf 1\nlibc6 1\nperl 1\ny 1; Depends: perl"
    found = resolve(
        chosen("x", "y", exclude={"debconf": "asks"}, without={"x": {"perl": "not needed"}}), index(text)
    )
    assert found["x"].depends == ("libc6",)
    assert found["y"].depends == ("perl",)


def test_what_debian_does_not_declare_can_be_added() -> None:
    found = resolve(chosen("tmux", extra={"tmux": {"terminfo": "why"}}), index("tmux 3\nterminfo 1"))
    assert found["tmux"].depends == ("terminfo",)


@pytest.mark.parametrize(
    ("roots", "text", "says"),
    [
        ("ngnix", "nginx 1", "no package ngnix in apt's metadata for bookworm"),
        ("x", "x 1; Depends: y (>= 2) | z\ny 1", r"x 1 needs y \(>= 2\) \| z, which"),
        ("a", "a 1; Depends: b\nb 1; Depends: c\nc 1; Depends: b", "a circle: b -> c -> b; break it in"),
    ],
)
def test_what_cannot_be_resolved_says_why(roots: str, text: str, says: str) -> None:
    with pytest.raises(ResolveError, match=says):
        resolve(chosen(roots), index(text))


def test_an_entry_that_lacks_a_field_names_the_package() -> None:
    with pytest.raises(ResolveError, match="entry for x cannot be used: 'SHA256'"):
        candidate({"Package": "x", "Version": "1", "Filename": "f"})


def test_the_shipped_selection_is_one_and_gives_a_reason_for_all_that_it_leaves_out() -> None:
    shipped = selection((folder("nix") / "seed" / "packages" / "selection.toml").read_text())
    assert shipped.bootstrap in shipped.roots
    reasons = [*shipped.exclude.values()]
    reasons += [
        reason for of in (shipped.without, shipped.extra) for one in of.values() for reason in one.values()
    ]
    assert all(reasons)
    assert not set(shipped.roots) & set(shipped.exclude)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("release = ", "not TOML"),
        ("release = 'x'", "lacks 'architecture'"),
        ("packages = []", "unknown fields: packages"),
    ],
)
def test_a_selection_that_is_none_says_why(text: str, says: str) -> None:
    with pytest.raises(ResolveError, match=says):
        selection(text)
