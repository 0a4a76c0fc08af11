"""Fixtures that every suite shares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class ControlPlane:
    """A Kubernetes API server to test against: `local` is the project's own, `real` somebody else's."""

    name: str
    kubeconfig: Path


@pytest.fixture(scope="session", params=[pytest.param("real", marks=pytest.mark.real)])
def control_plane(request: pytest.FixtureRequest) -> ControlPlane:
    kubeconfig = os.environ.get("NXC_TEST_KUBECONFIG")
    if not kubeconfig:
        pytest.skip("NXC_TEST_KUBECONFIG names no kubeconfig of a real control plane")
    return ControlPlane("real", Path(kubeconfig))
