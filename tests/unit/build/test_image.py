from __future__ import annotations

from pathlib import Path

import pytest

from controller.build.image import physical, read_manifest, resolve
from controller.model.errors import UserError

A, B, OTHER = (f"/nix/store/{letter * 32}-x" for letter in "abc")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with three paths in it, and something beside it."""
    for path in (A, B, OTHER):
        physical(tmp_path, path).mkdir(parents=True)
        (physical(tmp_path, path) / "file").write_text(path)
    (tmp_path / "secret").write_text("secret")
    return tmp_path


def link(root: Path, path: str, target: str) -> str:
    physical(root, path).symlink_to(target)
    return path


def test_a_file_is_found(root: Path):
    assert resolve(root, f"{A}/file", {A}) == f"{A}/file"


def test_links_are_followed_inside_the_closure(root: Path):
    link(root, f"{A}/dir", B)
    link(root, f"{A}/near", "dir/file")
    assert resolve(root, f"{A}/near", {A, B}) == f"{B}/file"
    assert resolve(root, link(root, f"{A}/far", f"../{B.rpartition('/')[2]}/file"), {A, B}) == f"{B}/file"


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../../secret", "../../../../../../etc/passwd", f"{OTHER}/file", "/nix/var/x", "loop"],
)
def test_links_that_lead_elsewhere_are_refused(root: Path, target: str):
    path = link(root, f"{A}/loop", target)
    with pytest.raises(UserError) as caught:
        resolve(root, path, {A, B})
    assert caught.value.reason == "ForgedManifest"


def test_an_output_that_is_a_link_out_of_the_store_is_refused(root: Path):
    path = f"/nix/store/{'d' * 32}-image"
    link(root, path, str(root))
    with pytest.raises(UserError, match="outside of the store"):
        read_manifest(root, path)


def test_a_folder_and_nothing_are_no_files(root: Path):
    physical(root, f"{A}/folder").mkdir()
    for path, what in ((f"{A}/folder", "no regular file"), (f"{A}/none", "is not there")):
        with pytest.raises(UserError, match=what):
            resolve(root, path, {A})


def test_a_manifest_is_read_as_it_stands(root: Path):
    (physical(root, A) / "manifest.json").write_bytes(b"{}")
    assert read_manifest(root, A) == b"{}"
