"""Hashes of strings must not differ from run to run, or sets would be walked in another order."""

from __future__ import annotations

import os
import sys


def fix_hashes() -> None:
    """Start this program again with fixed hashes, unless it has them."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", _module(), *sys.argv[1:]])


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    assert spec is not None
    return spec.name
