"""One Nix, with one store, for all tests of a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.compositions.evaluation import Evaluated, Nix


@pytest.fixture(scope="session")
def nix(tmp_path_factory: pytest.TempPathFactory) -> Nix:
    return Nix.installed(tmp_path_factory.mktemp("nix"))


Compose = Callable[..., Evaluated]


@pytest.fixture
def compose(nix: Nix, tmp_path: Path) -> Compose:
    """Evaluates a text, or several files by name, on the fake package source."""

    def evaluate(source: str | Mapping[str, str], **request: Any) -> Evaluated:
        files = {"composition.nix": source} if isinstance(source, str) else source
        for name, text in files.items():
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return nix.compose(tmp_path / "source", **request)

    return evaluate
