"""docs/limits.md says what happens; docs/seed-options.md has the options that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.nix.evaluation import SEED, evaluate, message, role

DOCS = Path(__file__).parents[2] / "docs"
TOPLEVEL = "config.system.build.toplevel.drvPath"


def rows(heading: str) -> list[tuple[str, str]]:
    """The table below a heading of limits.md: what a role says, and what it hears."""
    text = (DOCS / "limits.md").read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^\| `(.*)` \| (.*) \|$", text, re.MULTILINE)
    assert found
    return [(said, heard) for said, heard in found]


@pytest.mark.parametrize(("said", "heard"), rows("Refused at evaluation"))
def test_what_is_refused(said: str, heard: str) -> None:
    assert heard in message(role(f"{{ pkgs, ... }}: {{ {said} }}", TOPLEVEL))


@pytest.mark.parametrize(("said", "heard"), rows("Accepted, with a warning"))
def test_what_is_warned_about(said: str, heard: str) -> None:
    warnings = evaluate(role(f"{{ {said} }}", TOPLEVEL))[1]
    assert any(heard in warning for warning in warnings)


def test_options_are_listed() -> None:
    current, _ = evaluate(f"import {SEED}/documentation.nix")
    assert (DOCS / "seed-options.md").read_text() == current, (
        "nix/seed/documentation.nix says how to write it"
    )


def test_every_option_says_what_it_is() -> None:
    bare, _ = evaluate(
        f"""
        let
          source = import {SEED} {{ }};
          role = source.evalRole {{ name = "role"; pkgs = source.pkgs [ ]; modules = [ ]; }};
          all = source.lib.optionAttrSetToDocList role.options;
          shown = builtins.filter (option: option.visible == true) all;
        in map (option: option.name) (builtins.filter (option: option.description == "") shown)"""
    )
    assert bare == []
