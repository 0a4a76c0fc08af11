"""Archives and store paths are as Nix makes them: the values are Nix's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.build import nar
from controller.model.errors import UserError


def test_paths_are_those_that_nix_computes(tmp_path: Path) -> None:
    """`nix-store --add` and `nix-store --add-fixed sha256` of this tree and of this file, by Nix 2.8."""
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    (tree / "folder" / "b").write_text("b\n")
    (tree / "a").write_text("#!/bin/sh\n")
    (tree / "a").chmod(0o755)
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "empty").touch()
    assert nar.measure(tree, "tree").path == "/nix/store/vx37xmna2k303r0nf3n2v3163yzf99ss-tree"
    assert nar.measure(tree / "a", "a").path == "/nix/store/5yxb36qciin9s2a5lm2yjqrb8q42vxw6-a"
    assert (
        nar.measure_flat(tree / "folder" / "b", "b").path == "/nix/store/rynbzfhk0j14vlmpwi7l6rph4ranfji8-b"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"\x00", "00"),
        (b"\xff", "7z"),
        (hashlib.sha256(b"").digest(), "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"),
    ],
)
def test_base_32_is_nix_s(data: bytes, text: str) -> None:
    assert nar.base32(data) == text


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("/nix/store/00000000000000000000000000000000-x", True),
        ("/nix/store/00000000000000000000000000000000-x.drv", True),
        ("/nix/store/00000000000000000000000000000000-x/bin", False),
        ("/nix/store/00000000000000000000000000000000-x\n", False),
        ("/nix/store/00000000000000000000000000000000-", False),
        ("/nix/store/00000000000000000000000000000000-.x", False),
        ("/nix/store/e0000000000000000000000000000000-x", False),
        ("/nix/store/../../etc/passwd", False),
        ("nix/store/00000000000000000000000000000000-x", False),
    ],
)
def test_only_whole_store_paths_are_store_paths(text: str, yes: bool) -> None:
    assert nar.is_store_path(text) is yes


@pytest.mark.parametrize("name", ["", ".x", "a/b", "a b", "ä", "x" * 212, "a\0"])
def test_names_that_the_store_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in the Nix store"):
        nar.source_path(name, "0" * 64)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "tree" / "up").symlink_to("..")
    assert b"secret" not in b"".join(nar.archive(tmp_path / "tree")).replace(
        str(tmp_path).encode(), b""
    ).replace(b"/secret", b"")


def test_a_source_that_grows_too_large_is_refused_at_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="data is larger than 1000000 bytes"):
        nar.measure(tmp_path, "data", limit=1_000_000)


def test_special_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")
    with pytest.raises(UserError, match="folder/pipe: only files, directories and links"):
        nar.measure(tmp_path, "x")


def test_a_tree_that_changes_while_it_is_copied_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    content = nar.measure(tmp_path, "x")
    (tmp_path / "file").write_text("after!")
    with pytest.raises(ValueError, match="changed while it was copied"):
        b"".join(nar.export(tmp_path, content))


names = st.text("abcé.-_ ", min_size=1, max_size=5).filter(lambda name: name not in (".", ".."))
trees = st.recursive(
    st.binary(max_size=40), lambda inner: st.dictionaries(names, inner, max_size=4), max_leaves=8
)


@given(tree=trees)
def test_two_trees_have_one_path_only_if_they_are_the_same(
    tree: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("trees")
    write(folder / "one", tree)
    write(folder / "two", tree)
    one, two = nar.measure(folder / "one", "x"), nar.measure(folder / "two", "x")
    assert one == two
    write(folder / "three", {"added": tree})
    assert nar.measure(folder / "three", "x").path != one.path
    shutil.rmtree(folder)


def write(path: Path, tree: object) -> None:
    if isinstance(tree, bytes):
        path.write_bytes(tree)
    else:
        assert isinstance(tree, dict)
        path.mkdir()
        for name, inner in tree.items():
            write(path / name, inner)


@pytest.mark.skipif(shutil.which("nix-hash") is None, reason="no nix-hash on the PATH (Debian: nix-bin)")
def test_nix_finds_the_same_digest(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "run").write_bytes(os.urandom(1_234_567))
    (tmp_path / "folder" / "run").chmod(0o700)
    (tmp_path / "B").symlink_to("folder/run")
    (tmp_path / "a").mkdir()
    told = subprocess.run(
        ["nix-hash", "--type", "sha256", str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert nar.measure(tmp_path, "x").sha256 == told.stdout.strip()
