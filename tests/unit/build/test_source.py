from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.build.source import File, Link, Tree, check, config_map, inline, leaves
from controller.build.spool import Spool
from controller.model.errors import UserError

MAIN = {"composition.nix": File(b"{ }")}
names = st.text("ab.", min_size=1, max_size=4)
trees = st.dictionaries(names, st.one_of(st.binary().map(File), names.map(Link)), max_size=4).map(Tree)


@given(trees, trees)
def test_trees_have_one_digest_only_if_they_are_the_same(one: Tree, other: Tree):
    assert (one.digest() == other.digest()) == (dict(one.files) == dict(other.files))


def test_a_name_and_a_content_cannot_be_taken_for_each_other():
    assert Tree({"ab": File(b"c")}).digest() != Tree({"a": File(b"bc")}).digest()
    assert Tree({"a": File(b"x")}).digest() != Tree({"a": Link("x")}).digest()
    assert Tree({"a": File(b"x")}).digest() != Tree({"a": File(b"x", executable=True)}).digest()


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", "b", False),
        ("d/a", "../b", False),
        ("d/a", "./../b/c", False),
        ("a", "../b", True),
        ("d/a", "../../b", True),
        ("a", "/etc/passwd", True),
        ("a", "b/../../..", True),
        ("d/e/a", "f/../../..", True),  # f may be a link to somewhere less deep
        ("d/a", "..", False),
    ],
)
def test_links_may_not_leave_the_source(path: str, target: str, out: bool):
    assert leaves(path, target) is out


@pytest.mark.parametrize(
    ("files", "reason", "message"),
    [
        ({}, "SourceInvalid", "it has no .nix file at all"),
        ({"other.nix": File(b"")}, "SourceInvalid", "it has other.nix"),
        ({**MAIN, "x": Link("/etc/shadow")}, "SourceInvalid", "leads out of the source"),
        ({**MAIN, "x": File(b"1" * 101)}, "SourceTooLarge", "may have 100"),
        ({**MAIN, "../x": File(b"")}, "SourceInvalid", "impossible name"),
        ({**MAIN, "a": Link("b"), "a/x": File(b"")}, "SourceInvalid", "a file and a folder"),
    ],
)
def test_sources_that_may_not_be_used_are_named(files: dict[str, File | Link], reason: str, message: str):
    with pytest.raises(UserError, match=message) as caught:
        check(Tree(files), "composition.nix", 100)
    assert caught.value.reason == reason


def test_an_inline_source_has_the_name_of_its_entry():
    found = inline({"inline": "{ }", "entry": "main.nix"}, 100)
    assert found.tree == Tree({"main.nix": File(b"{ }")})
    assert found.entry == "main.nix"


def test_the_items_of_a_config_map_have_paths_and_the_other_keys_are_left_out():
    items = [
        {"key": "composition.nix", "path": "composition.nix"},
        {"key": "start", "path": "scripts/start.sh"},
    ]
    spec = {"configMap": {"name": "files", "items": items}}
    obj = {"data": {"composition.nix": "{}", "start": "echo", "other": ""}}
    found = config_map(spec, obj, "lab", 100)
    assert found.tree.files == {"composition.nix": File(b"{}"), "scripts/start.sh": File(b"echo")}
    with pytest.raises(UserError, match="ConfigMap 'files' has no key 'start'"):
        config_map(spec, {"data": {"composition.nix": "{}"}}, "lab", 100)


def test_each_key_of_a_config_map_is_a_file():
    obj: dict[str, Any] = {
        "metadata": {"resourceVersion": "7"},
        "data": {"composition.nix": "é"},
        "binaryData": {"key.bin": base64.b64encode(b"\0").decode()},
    }
    found = config_map({"configMap": {"name": "files"}}, obj, "lab", 100)
    assert found.tree.files == {"composition.nix": File("é".encode()), "key.bin": File(b"\0")}
    assert found.version == "7"


@pytest.mark.parametrize("key", ["..", ".", "a/b"])
def test_keys_that_are_no_names_are_refused(key: str):
    with pytest.raises(UserError, match="cannot be the name of a file"):
        config_map({"configMap": {"name": "files"}}, {"data": {key: ""}}, "lab", 100)


def test_a_spool_writes_trees_once_and_forgets_those_that_nobody_wants(tmp_path: Path):
    spool = Spool(tmp_path / "spool")
    spool.clear()
    tree = Tree({**MAIN, "d/run": File(b"#!", executable=True), "d/link": Link("../composition.nix")})
    digest = spool.put(tree)
    place = spool.path(digest)
    assert (place / "d/link").read_bytes() == b"{ }"
    assert (place / "d/run").stat().st_mode & 0o777 == 0o700
    before = place.stat().st_ino
    assert spool.put(tree) == digest
    assert place.stat().st_ino == before
    spool.prune({digest})
    assert place.exists()
    spool.prune(set())
    assert not place.exists()
