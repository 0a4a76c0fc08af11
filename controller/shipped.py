"""The data that ships with the code: the four CRDs, the Nix side and the examples.

In a checkout they stand beside the package (crds/, nix/, examples/); in a wheel inside it (controller/_data/).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `crds`, `nix` or `examples`. Raises `FileNotFoundError` where the installation lacks it."""
    for candidate in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"this installation of nxc-controller lacks its {name}/ folder; install it again")


def crds() -> list[dict[str, Any]]:
    """The four CustomResourceDefinitions (apiextensions.k8s.io/v1), by file name; read anew at each call."""
    return [yaml.safe_load(path.read_text("utf-8")) for path in sorted(folder("crds").glob("*.yaml"))]
