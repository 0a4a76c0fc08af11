"""Fixtures of the server core's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local.core.cluster import Cluster, widget_definition


@pytest.fixture
def make_cluster() -> Callable[..., Cluster]:
    def make(**options: Any) -> Cluster:
        cluster = Cluster(**options)
        cluster.core.bootstrap()
        cluster.create("customresourcedefinitions", widget_definition())
        cluster.settle()
        return cluster

    return make


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster()
