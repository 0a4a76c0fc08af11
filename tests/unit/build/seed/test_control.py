from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.build.seed.control import Relation, Version, relations, stanzas


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        ("1.0", "1.1"),
        ("1.9", "1.10"),
        ("1.0~rc1", "1.0"),
        ("1.0~~", "1.0~"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+b"),
        ("9", "1:0"),
        ("1.0-1", "1.0-2"),
        ("1.0-1", "1.0-1+b1"),
        ("1.0-1+deb12u9", "1.0-1+deb12u10"),
        ("7.0.15-1~deb12u9", "7.0.15-1~deb12u10"),
        ("2:1.0-1-1", "2:1.0-1-2"),
        ("1.0", "1.0-1"),
    ],
)
def test_versions_are_ordered_as_dpkg_orders_them(smaller: str, larger: str) -> None:
    assert Version(smaller) < Version(larger)
    assert Version(larger) > Version(smaller)
    assert Version(smaller) != Version(larger)


def test_versions_that_mean_the_same_are_equal() -> None:
    assert Version("0:1.0-0") == Version("1.0")
    assert Version("1.00") == Version("1.0")


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=60, deadline=None)
@given(
    st.from_regex(r"([0-2]:)?[0-9][0-9a-b.+~]{0,5}(-[0-9a-b+~]{1,3})?", fullmatch=True),
    st.from_regex(r"([0-2]:)?[0-9][0-9a-b.+~]{0,5}(-[0-9a-b+~]{1,3})?", fullmatch=True),
)
def test_dpkg_agrees(one: str, other: str) -> None:
    ended = subprocess.run(["dpkg", "--compare-versions", one, "lt", other])
    assert (Version(one) < Version(other)) == (ended.returncode == 0)


def test_relations_have_groups_alternatives_and_versions() -> None:
    parsed = relations("libc6 (>= 2.34), debconf (>= 0.5) | debconf-2.0, perl:any, x (<<2) [amd64]")
    assert [[str(one) for one in group] for group in parsed] == [
        ["libc6 (>= 2.34)"],
        ["debconf (>= 0.5)", "debconf-2.0"],
        ["perl"],
        ["x (<< 2)"],
    ]
    assert relations("") == []


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("<<", [True, False, False]),
        ("<=", [True, True, False]),
        ("=", [False, True, False]),
        (">=", [False, True, True]),
        (">>", [False, False, True]),
        ("", [True, True, True]),
    ],
)
def test_a_relation_holds_or_not(operator: str, holds: list[bool]) -> None:
    relation = Relation("x", operator, Version("2"))
    assert [relation.holds(Version(text)) for text in ("1", "2", "3")] == holds


@pytest.mark.parametrize("field", ["Upper", "a b", "x (2)", "x (>= )", "${misc:Depends}"])
def test_what_is_no_relation_is_named(field: str) -> None:
    with pytest.raises(ValueError, match="is not a relation"):
        relations(field)


def test_stanzas_are_paragraphs_with_continued_fields() -> None:
    text = "Package: a\nDescription: one\n two\n .\n\n\n# comment\nPackage: b\nEmpty:\n"
    assert list(stanzas(text.splitlines())) == [
        {"Package": "a", "Description": "one\ntwo\n."},
        {"Package": "b", "Empty": ""},
    ]


@pytest.mark.parametrize("text", [" continued", "no colon"])
def test_what_is_no_stanza_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="field"):
        list(stanzas([text]))
