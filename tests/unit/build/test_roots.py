"""What keeps things in the store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.build.roots import Roots

A, B = (f"/nix/store/{letter * 32}-image" for letter in "ab")


def links(gcroots: Path) -> dict[str, str]:
    """Every link that Nix' collector would find: it asks for no names."""
    return {
        str(path.relative_to(gcroots)): os.readlink(path) for path in gcroots.rglob("*") if path.is_symlink()
    }


def test_a_name_keeps_one_path_until_it_is_taken_away(tmp_path: Path) -> None:
    roots = Roots(tmp_path)
    roots.add("web", A)
    assert links(tmp_path) == {"nxc/web": A}
    roots.add("web", B)
    assert roots.all() == {"web": B}
    assert links(tmp_path) == {"nxc/web": B}
    roots.remove("web")
    roots.remove("web")
    assert links(tmp_path) == {}


def test_what_just_came_is_kept_for_a_while(tmp_path: Path) -> None:
    roots = Roots(tmp_path, fresh_for=100)
    roots.freshen(A)
    roots.freshen(B)
    old = tmp_path / "nxc-fresh" / Path(A).name
    os.utime(old, (0, 0), follow_symlinks=False)
    roots.expire()
    assert list(links(tmp_path).values()) == [B]
    roots.freshen(B)
    roots.release(B)
    assert links(tmp_path) == {}


def test_killed_while_it_keeps_a_path_it_leaks_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = Roots(tmp_path)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            roots.add("web", A)
        with pytest.raises(KeyboardInterrupt):
            roots.freshen(A)
    assert set(links(tmp_path).values()) == {A}
    Roots(tmp_path)
    assert links(tmp_path) == {}


@pytest.mark.parametrize("name", ["", ".", "..", "../web", ".web", "a/b", "a b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a root"):
        Roots(tmp_path).add(name, A)
    with pytest.raises(ValueError, match="cannot name a root"):
        Roots(tmp_path).remove(name)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "/nix/store/../etc", f"{A}/../x"])
def test_only_paths_of_the_store_are_kept(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is not a path of the store"):
        Roots(tmp_path).add("web", path)
