"""What the containers of one deployment share: when docker compose is run for whom, and what is put on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from controller.flavours import docker_project
from controller.flavours.docker_project import Deck, DockerProject
from controller.model.errors import NxcError
from controller.testbeds import files
from controller.testbeds.compose import Compose, Outcome
from controller.testbeds.engine import Engine

HOSTS = ("client1", "client2", "server")


class Yard:
    """An engine that has everything, and a docker compose that starts whatever it is told to."""

    def __init__(self) -> None:
        self.ordered: list[str] = []
        self.runs: list[Sequence[str]] = []
        self.made: list[str] = []

    async def has_image(self, name: str) -> bool:
        return True

    async def networks(self) -> list[dict[str, Any]]:
        return []

    async def create_network(self, name: str, subnet: str, bridge: str, labels: Mapping[str, str]) -> None:
        self.made.append(bridge)

    async def up(self, file: Path, project: str, services: Sequence[str]) -> Outcome:
        self.runs.append(services)
        return Outcome(0, "")

    async def compose(self) -> Compose:
        return cast("Compose", self)

    def services(self) -> dict[str, dict[str, Any]]:
        return {host: {"volumes": []} for host in self.ordered}

    async def starting(self, hosts: Sequence[str]) -> None:
        assert set(hosts) <= set(self.ordered)

    async def waiting(self, hosts: list[str]) -> list[str]:
        return []

    async def failed(self, host: str, error: NxcError) -> None:
        raise AssertionError(f"{host}: {error}")

    def order(self, project: DockerProject, host: str) -> None:
        self.ordered.append(host)
        project.start(host, HOSTS)


@pytest.fixture
def yard() -> Yard:
    return Yard()


@pytest.fixture
async def project(yard: Yard, tmp_path: Path) -> AsyncIterator[DockerProject]:
    (tmp_path / "home").mkdir()
    made = DockerProject(
        *(Deck("uid", "10.208.4.0/22"), tmp_path / "home", cast("Engine", yard), yard.compose, {}),
        services=yard.services,
        starting=yard.starting,
        waiting=yard.waiting,
        failed=yard.failed,
    )
    yield made
    await made.aclose()


async def runs(yard: Yard, count: int) -> list[Sequence[str]]:
    async with asyncio.timeout(10):
        while len(yard.runs) < count:
            await asyncio.sleep(0.01)
    return yard.runs


async def test_all_hosts_that_are_ordered_one_after_the_other_start_with_one_run(
    yard: Yard, project: DockerProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_project, "GATHER", 8.0)  # the last order ends it, not the clock
    monkeypatch.setattr(docker_project, "GATHER_MOST", 9.0)
    for host in HOSTS:
        yard.order(project, host)
        await asyncio.sleep(0.02)
    assert await runs(yard, 1) == [list(HOSTS)]


async def test_a_host_whose_order_does_not_come_holds_up_the_others_for_a_moment_only(
    yard: Yard, project: DockerProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_project, "GATHER", 0.02)
    yard.order(project, "server")
    assert await runs(yard, 1) == [["server"]]
    yard.order(project, "client1")
    assert await runs(yard, 2) == [["server"], ["client1"]]


async def test_the_deck_is_written_when_it_has_changed(
    project: DockerProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(files, "write_record", lambda home, record: written.append(record))
    project.deck.place(["m1", "m2"], [])
    await asyncio.gather(*(project.save() for _ in range(5)))
    project.deck.place(["m1"], [])
    await project.save()
    assert [record["numbers"] for record in written] == [{"m1": 2, "m2": 3}, {"m1": 2}]
