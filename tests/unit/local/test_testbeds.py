"""The capacity of this machine follows from its memory, and is never more than that carries."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.local.testbeds import (
    LIMITS,
    QEMU,
    RESERVED,
    capacity,
    docker_testbeds,
    host_memory,
    local_testbed,
)
from controller.model.deployment import DEFAULT_MEMORY
from controller.model.quantity import parse_quantity

GIB = 1 << 30


@given(memory=st.integers(GIB, 4096 * GIB), overhead=st.sampled_from([0, QEMU]))
def test_all_nodes_together_fit_into_the_memory(memory: int, overhead: int) -> None:
    found = capacity(memory, overhead)
    used = parse_quantity(found["memory"]) + found["nodes"] * overhead
    assert used <= max(memory - RESERVED, memory // 2)
    assert found["nodes"] * DEFAULT_MEMORY <= parse_quantity(found["memory"])


def test_twice_the_memory_carries_twice_the_nodes() -> None:
    small, large = capacity(17 * GIB, QEMU), capacity(33 * GIB, QEMU)
    assert large["nodes"] == pytest.approx(2 * small["nodes"], abs=1)
    assert small == {"nodes": 46, "memory": "11968Mi"}


@pytest.mark.parametrize("file", LIMITS)
def test_a_container_has_what_its_control_group_may_use(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(f"{GIB // 4}\n")
    assert host_memory(tmp_path) == GIB // 4
    (tmp_path / file).write_text("max\n")
    assert host_memory(tmp_path) == host_memory(tmp_path / "nowhere")


def test_the_testbed_says_what_its_capacity_is_of() -> None:
    assert "96Mi a node for QEMU" in local_testbed()["metadata"]["annotations"]["nxc.dev/capacity-of"]


def test_a_testbed_for_docker_is_there_where_an_engine_is(tmp_path: Path) -> None:
    assert docker_testbeds(f"unix://{tmp_path}/docker.sock") == []
    (tmp_path / "docker.sock").touch()
    (found,) = docker_testbeds(f"unix://{tmp_path}/docker.sock")
    assert found["spec"]["endpoint"] == f"unix://{tmp_path}/docker.sock"
    assert docker_testbeds("tcp://127.0.0.1:2375") == []
