from __future__ import annotations

from controller.model.node import NodeSpec
from controller.plugin.status import render, table
from tests.unit.plan.make import deployment, node


def test_the_page_names_each_node_and_why_it_is_not_ready():
    spec = NodeSpec("web", "server", "server", "local-1", "local", "simulated", "sha256:a")
    condition = {"type": "Ready", "status": "False", "reason": "Booting", "message": "Booted: it is starting"}
    waiting = node(spec, conditions=[condition])
    page = render(deployment(status={"nodes": {"desired": 1, "ready": 0}}), [waiting])
    assert page.startswith("lab/web: 0/1 nodes ready, flavour simulated, testbed none")
    assert "server   server   local-1   1" in page
    assert page.rstrip().endswith("Booted: it is starting")


def test_columns_are_aligned():
    assert table([("A", "LONG"), ("value", "b")]) == ["A       LONG", "value   b"]
