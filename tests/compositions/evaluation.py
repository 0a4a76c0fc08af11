"""Evaluates compositions as the controller does, through nix/entry.nix, on the package source of a test."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
FAKE = f"import {HERE}/fake-source.nix {{ }}"
TIMEOUT = 600
"""Seconds; a whole NixOS takes ten of them on an idle machine."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Refused(Exception):
    """The evaluation failed: the last error of Nix, in one line."""


@dataclass(frozen=True)
class Evaluated:
    """What nix/entry.nix gives (`image` in place of outPath), and the warnings of the way there."""

    value: Mapping[str, Any]
    warnings: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:
        return self.value[key]


@dataclass(frozen=True)
class Nix:
    """A nix-instantiate with a store of its own."""

    program: str
    store: Path

    @classmethod
    def installed(cls, store: Path, program: str = "nix-instantiate") -> Nix:
        found = shutil.which(program)
        if found is None:
            pytest.skip(f"no {program}: install nix-bin")
        return cls(found, store)

    def physical(self, path: str) -> Path:
        """Where a path of the store lies on disk."""
        return self.store / path.removeprefix("/")

    def evaluate(self, expression: str, *options: str) -> tuple[Any, tuple[str, ...]]:
        """The value of a Nix expression, strictly, and what it traced. Raises `Refused`."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.store),
            "NIX_REMOTE": f"local?root={self.store}",
            "NIX_CONFIG": "substituters =\nbuild-users-group =\nsandbox = false\n"
            "allow-import-from-derivation = false\n",
        }
        done = subprocess.run(
            [self.program, "--eval", "--strict", "--json", "--read-write-mode", *options, "-E", expression],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        said = _COLOUR.sub("", done.stderr)
        if done.returncode != 0:
            message = said.rsplit("error: ", 1)[-1]
            raise Refused(" ".join(message.split()) if "nxc: " in message else said)
        warnings = re.findall(r"(?:nxc-warning|evaluation warning): (.*)", said)
        return json.loads(done.stdout), tuple(warnings)

    def compose(
        self,
        source: Path,
        *,
        package_source: str = FAKE,
        entry: str = "composition.nix",
        flavour: str = "vm-ramdisk",
        select: str = "",
        variant: str = "",
        parameters: Mapping[str, str] | None = None,
    ) -> Evaluated:
        """What entry.nix makes of the composition in the folder `source`."""
        request = {
            "source": str(source),
            "entry": entry,
            "select": select,
            "flavour": flavour,
            "setup": {"variant": variant, "parameters": dict(parameters or {})},
        }
        quoted = json.dumps(json.dumps(request)).replace("${", "\\${")
        value, warnings = self.evaluate(
            f"let r = import {REPOSITORY}/nix/entry.nix"
            f" {{ request = builtins.fromJSON {quoted}; packageSource = {package_source}; }};"
            ' in removeAttrs r [ "outPath" ] // { image = r.outPath; }'
        )
        return Evaluated(value, warnings)
