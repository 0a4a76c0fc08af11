"""Evaluates expressions with Nix, without a store: nothing is built, nothing is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SEED = HERE.parents[1] / "nix" / "seed"
SECONDS = 120

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class EvaluationError(Exception):
    """What Nix says, without colours and its own context."""


def evaluate(expression: str, program: str = "nix-instantiate") -> tuple[Any, list[str]]:
    """The value, through JSON, and the messages of builtins.trace."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: nix-bin)")
    done = subprocess.run(
        [found, "--store", "dummy://", "--eval", "--strict", "--json", "--expr", expression],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "NIX_CONFIG": "substituters ="},
    )
    said = _COLOUR.sub("", done.stderr)
    if done.returncode:
        raise EvaluationError(said[said.rindex("error: ") :] if "error: " in said else said)
    return json.loads(done.stdout), re.findall(r"^trace: (.*)$", said, re.MULTILINE)


def role(configuration: str, attribute: str, name: str = "server") -> str:
    """The expression of `attribute` of a role with this configuration, which is written as in a composition.

    For configurations that are not in a file, the file of messages is «string»."""
    return f"""
      let
        source = import {SEED} {{ }};
        pkgs = source.pkgs [ ];
        role = source.evalRole {{
          name = "{name}";
          inherit pkgs;
          modules = [ {{ _file = "composition.nix"; imports = [ ({configuration}) ]; }} ];
        }};
        inherit (role) config options;
        inherit (config.system) build;
        inherit (source) lib;
      in
      {attribute}
    """


@cache
def value_of(configuration: str, attribute: str) -> Any:
    """What `attribute` is for a role; two tests that ask the same cost one process."""
    return evaluate(role(configuration, attribute))[0]


def message(expression: str) -> str:
    """The error of an expression that fails."""
    with pytest.raises(EvaluationError) as caught:
        evaluate(expression)
    return str(caught.value)


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def etc(configuration: str, name: str) -> dict[str, Any]:
    (found,) = [
        entry
        for entry in value_of(configuration, "{ inherit (build) etc; }")["etc"]
        if entry["target"] == name
    ]
    assert isinstance(found, dict)
    return found
