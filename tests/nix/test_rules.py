"""The seed's lib against its rules (tests/nix/rules): what NixOS does stands beside each.

With NXC_NIXPKGS, a checkout of nixpkgs, and NXC_NIX, a nix-instantiate that can evaluate it (2.18 or
newer), the same rules are tried with nixpkgs' own lib: the oracle.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.nix.evaluation import HERE, SEED, evaluate

FILES = sorted((HERE / "rules").glob("*.nix"))
RULE = re.compile(r'^ +rule = "(.*)";$', re.MULTILINE)

NIXPKGS = os.environ.get("NXC_NIXPKGS", "")
NIX = os.environ.get("NXC_NIX", "nix-instantiate")


def rules(file: Path) -> list[str]:
    return RULE.findall(file.read_text())


CASES = [(file, rule) for file in FILES for rule in rules(file)]
each_rule = pytest.mark.parametrize(
    ("file", "rule"), CASES, ids=[f"{file.stem}: {rule}" for file, rule in CASES]
)


@cache
def tried(file: Path, lib: str, oracle: bool) -> Mapping[str, Mapping[str, Any]]:
    """All rules of a file, by name, in one process."""
    expression = (
        f"import {HERE}/evaluate.nix {{ lib = import {lib}; file = {file}; oracle = {str(oracle).lower()}; }}"
    )
    found, _ = evaluate(expression, NIX if oracle else "nix-instantiate")
    return {case["rule"]: case for case in found}


def check(case: Mapping[str, Any]) -> None:
    assert case["got"] == case["expect"], f"NixOS: {case['nixos']}"
    assert case["holds"]


@each_rule
def test_rule(file: Path, rule: str) -> None:
    check(tried(file, str(SEED / "lib"), False)[rule.replace('\\"', '"')])


@pytest.mark.skipif(not NIXPKGS, reason="NXC_NIXPKGS names no nixpkgs to ask")
@each_rule
def test_rule_is_nixos(file: Path, rule: str) -> None:
    case = tried(file, f"{NIXPKGS}/lib", True).get(rule.replace('\\"', '"'))
    if case is None:
        pytest.skip("NixOS differs here, as the rule says")
    check(case)


def test_rules_have_names_of_their_own() -> None:
    for file in FILES:
        names = rules(file)
        assert len(names) == len(set(names)) > 5
