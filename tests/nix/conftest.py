"""One store with the seed for all tests of nix/. NXC_TEST_CACHE: a directory to keep it in from run to run."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.model.errors import TestbedError
from tests.nix.seed_store import NixError, SeedStore


def _lacks() -> str:
    """What this machine lacks to build with Nix; empty: nothing."""
    for program in ("nix-instantiate", "nix-store"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: nix-bin)"
    if os.getuid() != 0:
        probe = subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True)
        if probe.returncode:
            return "neither root nor user namespaces, which Nix's sandbox needs"
    return ""


@pytest.fixture(scope="session")
def seed_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where fetched packages are kept: shared by the workers of a run, and by runs if NXC_TEST_CACHE is set."""
    if cache := os.environ.get("NXC_TEST_CACHE"):
        return Path(cache).absolute()
    # One above a worker's own directory
    return tmp_path_factory.getbasetemp().parent / "nxc-seed-cache"


@pytest.fixture(scope="session")
def seed_store(seed_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeedStore]:
    """A chroot store in which the seed's smallest package is built."""
    if lacks := _lacks():
        pytest.skip(lacks)
    kept = "NXC_TEST_CACHE" in os.environ
    directory = seed_cache / "store" if kept else tmp_path_factory.mktemp("store")
    directory.mkdir(parents=True, exist_ok=True)
    store = SeedStore(directory, seed_cache)
    try:
        store.build(store.packages("pkgs.busybox"))
    except TestbedError as error:
        pytest.skip(f"the seed's packages cannot be fetched: {error.message}")
    except NixError as error:
        if "while setting up the build environment" in str(error):
            pytest.skip(f"Nix's sandbox does not work here: {' '.join(str(error).split())[-300:]}")
        raise
    yield store
    if not kept:
        _remove(directory)


def _remove(directory: Path) -> None:
    """A store's directories are not writable, which stops whoever is not root."""
    for folder, _, _ in os.walk(directory):
        os.chmod(folder, stat.S_IRWXU)
    shutil.rmtree(directory)
