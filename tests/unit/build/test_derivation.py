"""Derivations are read as Nix writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.build.derivation import Output, parse

A = "/nix/store/00000000000000000000000000000000-a"
TEXT = (
    f'Derive([("out","{A}","","")],[("{A}.drv",["out","dev"])],["{A}-source"],"x86_64-linux","{A}/bin/sh",'
    '["-c","echo \\"x\\"\\n"],[("name","a"),("out","' + A + '"),("tab","\\t\\\\")])'
)


def test_what_it_makes_and_needs() -> None:
    read = parse(TEXT)
    assert read.outputs == (Output("out", A),)
    assert not read.outputs[0].fixed
    assert read.inputs == (f"{A}.drv",)
    assert read.builder == f"{A}/bin/sh"
    assert read.environment == {"name": "a", "out": A, "tab": "\t\\"}


@pytest.mark.parametrize(("method", "digest"), [("sha256", "ab"), ("r:sha256", "ab"), ("r:sha256", "")])
def test_outputs_that_may_use_the_network_are_recognised(method: str, digest: str) -> None:
    read = parse(f'Derive([("out","{A}","{method}","{digest}")],[],[],"builtin","builtin:fetchurl",[],[])')
    assert read.outputs[0].fixed


@pytest.mark.parametrize("text", ["", "Derive(", "Derive()", TEXT[:-1], TEXT + ",", "Derive([1],[])"])
def test_what_is_no_derivation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a derivation|unexpected|without an end"):
        parse(text)


@given(st.text(alphabet='Derive([])",\\ab', max_size=60))
def test_anything_else_is_refused_in_the_same_way(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a derivation|unexpected|without an end"):
        parse(text)
