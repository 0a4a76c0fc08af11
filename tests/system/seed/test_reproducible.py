"""The same composition on two stores that know nothing of each other: the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nix.conftest import _remove
from tests.nix.seed_store import SeedStore
from tests.system.seed.conftest import expression
from tests.system.seed.machine import Image

pytestmark = pytest.mark.slow


@pytest.fixture
def fresh_store(seed_store: SeedStore, seed_cache: Path, tmp_path: Path) -> Iterator[SeedStore]:
    """An empty store with the same packages to take; `seed_store` comes first because it skips where Nix cannot run."""
    (tmp_path / "store").mkdir()
    yield SeedStore(tmp_path / "store", seed_cache)
    _remove(tmp_path / "store")


def digests(image: Image) -> dict[str, str]:
    files = [image.manifest["kernel"], *image.manifest["initrd"]]
    return {file: hashlib.sha256(image.physical(file).read_bytes()).hexdigest() for file in files}


def test_two_fresh_stores_give_the_same_bytes(seed_store: SeedStore, fresh_store: SeedStore) -> None:
    one = Image.of(seed_store.build(expression("supervision")))
    other = Image.of(fresh_store.build(expression("supervision")))
    assert one.manifest == other.manifest
    assert digests(one) == digests(other)
    assert set(one.manifest["sizes"]) == set(digests(one))
    assert all(size == one.physical(file).stat().st_size for file, size in one.manifest["sizes"].items())
