"""The Testbeds that `up` makes for the machine that it runs on."""

from __future__ import annotations

import socket
from pathlib import Path

from controller.local.bootstrap import docker_testbeds, local_testbed


def test_this_machine_is_a_testbed_and_so_is_its_docker_engine_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        (made,) = docker_testbeds(f"unix://{path}")
    assert made["metadata"]["name"] == "docker"
    assert made["spec"]["kind"] == "docker"
    assert made["spec"]["endpoint"] == f"unix://{path}"
    assert made["spec"]["host"] == local_testbed()["spec"]["host"]
    assert "endpoint" not in local_testbed()["spec"]


def test_without_an_engine_or_with_one_elsewhere_there_is_none() -> None:
    assert docker_testbeds("unix:///nowhere/docker.sock") == []
    assert docker_testbeds("tcp://192.0.2.1:2375") == []
