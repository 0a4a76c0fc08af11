"""Requests as Nix expressions: what Nix makes of them is what was meant."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.build.expression import literal
from controller.build.nar import Content

PATH = "/nix/store/00000000000000000000000000000000-source"


def test_values_read_as_nix() -> None:
    request = {"text": 'a"b\\c${d}', "list": [1, -2, True, None], "set": {"x.y": {}}}
    assert literal(request) == (
        '{ "text" = "a\\"b\\\\c\\${d}"; "list" = [ 1 (-2) true null ]; "set" = { "x.y" = {  }; }; }'
    )


def test_paths_of_the_store_become_references_with_their_digest() -> None:
    known = {PATH: Content(PATH, "ab" * 32, 5)}
    assert literal({"source": PATH, "other": f"{PATH}/x"}, known) == (
        f'{{ "source" = (builtins.path {{ path = "{PATH}"; name = "source"; sha256 = "{"ab" * 32}"; }}); '
        f'"other" = "{PATH}/x"; }}'
    )
    assert "recursive = false;" in literal(PATH, {PATH: Content(PATH, "ab" * 32, 5, flat=True)})


@pytest.mark.parametrize("value", ["a\0b", float("nan"), float("inf"), 2**63, object(), {"x": {1, 2}}])
def test_what_nix_does_not_have_is_refused(value: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        literal(value)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
oddities = st.sampled_from(["${", "$${", "''", "\\", "\r\n", '"'])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | texts | oddities,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.skipif(
    shutil.which("nix-instantiate") is None, reason="no nix-instantiate on the PATH (Debian: nix-bin)"
)
@settings(max_examples=8)
@given(st.lists(values, min_size=20, max_size=40))
def test_nix_reads_back_the_same_values(request: list[object]) -> None:
    ended = subprocess.run(
        ["nix-instantiate", "--eval", "--strict", "--json", "-"],
        input=literal(request), env={"PATH": os.environ["PATH"], "NIX_REMOTE": "dummy://", "HOME": "/nonexistent"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == json.loads(json.dumps(request))
