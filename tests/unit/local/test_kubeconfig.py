"""The kubeconfig is private, whole, and never in place of somebody else's."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from controller.local import kubeconfig
from controller.local.certificates import Identity
from controller.local.errors import LocalError
from controller.local.kubeconfig import Access

ACCESS = Access("https://127.0.0.1:16443", b"authority", Identity(b"key", b"certificate"), "alice", "lab")


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    kubeconfig.write(tmp_path / "config", ACCESS)
    assert kubeconfig.read(tmp_path / "config") == ACCESS


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config"
    kubeconfig.write(path, ACCESS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_our_own_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.touch()
    kubeconfig.write(path, ACCESS)
    kubeconfig.write(path, Access("https://127.0.0.1:1", b"a", Identity(b"k", b"c"), "bob", "x"))
    assert kubeconfig.read(path).user == "bob"


@pytest.mark.parametrize(
    "content",
    [
        yaml.safe_dump({"clusters": [{"name": "production"}]}),
        yaml.safe_dump({"clusters": [{"name": kubeconfig.NAME}, {"name": "production"}]}),
        "not: [yaml",
        "a letter",
    ],
)
def test_somebody_elses_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(LocalError, match=rf"{path}.*--kubeconfig"):
        kubeconfig.write(path, ACCESS)
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match="cannot be written"):
        kubeconfig.write(tmp_path / "file" / "config", ACCESS)


@pytest.mark.parametrize("content", [None, "", "clusters: []", "users: 3", "not: [yaml"])
def test_reading_what_is_no_kubeconfig_says_so(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LocalError, match=str(path)):
        kubeconfig.read(path)
