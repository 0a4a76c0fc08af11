"""Fixtures of the conformance suite: kubectl against a control plane that has our four kinds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.shipped import folder
from tests.local.kubectl.runner import Kubectl

CRDS = "crd/compositions.nxc.dev crd/deployments.nxc.dev crd/deployednodes.nxc.dev crd/testbeds.nxc.dev"


@pytest.fixture(scope="session")
def nxc(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """kubectl as the administrator in a namespace of this run, the CRDs of this checkout installed."""
    home = tmp_path_factory.mktemp("home")
    kubeconfig = home / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_bytes(Path(control_plane.kubeconfig).read_bytes())
    namespace = f"conformance-{secrets.token_hex(3)}"
    k = Kubectl(str(kubeconfig), home, namespace)
    k(f"apply -f {folder('crds')}")
    k(f"wait --for=condition=Established --timeout=30s {CRDS}")
    k.until("get nxc", lambda output: output.code == 0, 30)
    k(f"create namespace {namespace}")
    k(f"config set-context --current --namespace={namespace}")
    yield k
    k(f"delete namespace {namespace} --wait=false")
