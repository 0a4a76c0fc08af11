"""Images of the seed, built for the tests, and machines that boot them."""

from __future__ import annotations

import shutil
from pathlib import Path

import asyncssh
import pytest

from tests.nix.conftest import seed_cache, seed_store
from tests.nix.seed_store import NIX, SeedStore
from tests.system.seed.machine import Image

__all__ = ["seed_cache", "seed_store"]

COMPOSITIONS = Path(__file__).parent / "compositions.nix"


def expression(name: str) -> str:
    return f"(import {COMPOSITIONS} {{ nix = {NIX}; }}).{name}"


@pytest.fixture(scope="session")
def qemu() -> str:
    found = shutil.which("qemu-system-x86_64")
    if found is None:
        pytest.skip("no qemu-system-x86_64 on the PATH (Debian: qemu-system-x86)")
    return found


@pytest.fixture(scope="session")
def supervision(qemu: str, seed_store: SeedStore) -> Image:
    """Two roles with services of all kinds."""
    return Image.of(seed_store.build(expression("supervision")))


@pytest.fixture(scope="session")
def daemons(qemu: str, seed_store: SeedStore) -> Image:
    """One role with real daemons."""
    return Image.of(seed_store.build(expression("daemons")))


@pytest.fixture(scope="session")
def nfs(qemu: str, seed_store: SeedStore) -> Image:
    """A server of files and a client."""
    return Image.of(seed_store.build(expression("nfs")))


@pytest.fixture(scope="session")
def client_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture(scope="session")
def public_key(client_key: asyncssh.SSHKey) -> str:
    return client_key.export_public_key().decode().strip()
