from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.model.errors import TestbedError
from controller.model.machine import MachineKey, Phase
from nxc_simulators.policy import FAILURES, Policy
from nxc_simulators.shelf import Shelf
from nxc_simulators.world import Network, World
from tests.unit.simulators.make import Clock, order

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVEN = Policy(stage=1.0, spread=0.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(now=clock, policy=EVEN)


def boot(world: World, *args: object, **changes: object) -> None:
    world.boot(order(*args, **changes), "simulated", NOW)  # type: ignore[arg-type]


def test_a_machine_goes_through_its_stages_as_time_goes_by(world: World, clock: Clock):
    boot(world)
    seen = []
    for _ in range(5):
        (machine,) = world.machines("n1", "simulated")
        seen.append((machine.phase, bool(machine.information), machine.reachable.ok, machine.healthy.ok))
        clock.now += 1.0
    assert seen == [
        (Phase.STARTING, False, None, None),
        (Phase.RUNNING, False, None, None),
        (Phase.RUNNING, True, False, None),
        (Phase.RUNNING, True, True, None),
        (Phase.RUNNING, True, True, True),
    ]


def test_an_order_that_is_repeated_makes_one_machine(world: World):
    boot(world)
    boot(world)
    assert len(world.machines("n1", "simulated")) == 1
    assert world.breaches == []


def test_a_key_booted_for_something_else_is_a_breach(world: World):
    boot(world)
    boot(world, digest="sha256:b")
    assert "booted with sha256:a and again with sha256:b" in world.breaches[0]


def test_a_key_booted_after_its_release_is_a_breach(world: World):
    boot(world)
    assert world.release("n1")
    boot(world)
    assert "booted, released, and booted again" in world.breaches[0]


def test_a_second_machine_beside_the_first_is_a_breach(world: World):
    boot(world)
    boot(world, "n1", 2)
    assert "while i1/n1/1 is there" in world.breaches[0]


def test_a_machine_that_carries_another_node_refuses(world: World):
    boot(world, machine="local-1")
    with pytest.raises(TestbedError, match=r"still carries web\.n1"):
        boot(world, "n2", machine="local-1")


def test_a_boot_without_the_network_is_a_breach(world: World):
    world.needs_network.add("simulated")
    boot(world)
    assert "before the network of deployment d1 was made" in world.breaches[0]
    world.breaches.clear()
    world.prepare(Network("i1", "simulated", "d1"))
    boot(world, "n2")
    assert world.breaches == []


def test_a_release_that_takes_time_is_true_only_at_its_end(clock: Clock):
    world = World(now=clock, policy=Policy(stage=1.0, ending=5.0))
    boot(world)
    assert not world.release("n1")
    assert world.machines("n1", "simulated")[0].phase is Phase.GONE
    clock.now += 4.9
    assert not world.release("n1")
    clock.now += 0.1
    assert world.release("n1")
    assert world.machines("n1", "simulated") == []


def test_a_network_goes_only_after_its_machines(world: World):
    network = Network("i1", "simulated", "d1")
    world.prepare(network)
    boot(world)
    assert not world.dismantle(network)
    world.release("n1")
    assert world.dismantle(network)
    assert world.inventory("i1", "simulated").networks == ()


def test_a_machine_that_ended_is_reported_as_gone_until_it_is_released(world: World, clock: Clock):
    boot(world)
    clock.now += 10
    world.cut(MachineKey("i1", "n1", 1), "power cut")
    clock.now += 1000
    (machine,) = world.machines("n1", "simulated")
    assert (machine.phase, machine.ended) == (Phase.GONE, "power cut")


def test_pushed_information_replaces_what_the_machine_fetched(world: World, clock: Clock):
    boot(world)
    with pytest.raises(TestbedError, match="does not answer"):
        world.inform(MachineKey("i1", "n1", 1), "sha256:new")
    clock.now += 10
    world.inform(MachineKey("i1", "n1", 1), "sha256:new")
    assert world.machines("n1", "simulated")[0].information == "sha256:new"


@pytest.mark.parametrize("how", FAILURES)
def test_a_failure_that_is_asked_for_keeps_the_machine_from_being_healthy(
    world: World, clock: Clock, how: str
):
    asked = order(kernel_parameters=(f"sim.fail={how}", "quiet"))
    if how == "boot":
        with pytest.raises(TestbedError, match="refuses"):
            world.boot(asked, "simulated", NOW)
        return
    world.boot(asked, "simulated", NOW)
    clock.now += 3600
    (machine,) = world.machines("n1", "simulated")
    well = (
        machine.phase is Phase.RUNNING and machine.verified.ok and machine.reachable.ok and machine.healthy.ok
    )
    assert not well


def test_only_the_first_attempts_fail_where_that_is_asked_for(world: World, clock: Clock):
    for attempt, phase in ((1, Phase.GONE), (2, Phase.RUNNING)):
        boot(world, "n1", attempt, kernel_parameters=("sim.fail=die", "sim.fail-attempts=1"))
        clock.now += 60
        assert world.machines("n1", "simulated")[0].phase is phase
        world.release("n1")


def test_what_is_asked_for_other_hosts_does_not_matter(world: World, clock: Clock):
    boot(world, kernel_parameters=("sim.fail=start", "sim.hosts=n2,n3"))
    clock.now += 60
    assert world.machines("n1", "simulated")[0].healthy.ok


def test_an_unknown_failure_is_refused_by_name(world: World):
    with pytest.raises(ValueError, match=r"sim\.fail=explode: not one of boot, start"):
        boot(world, kernel_parameters=("sim.fail=explode",))


def test_a_world_on_disk_outlives_its_process(tmp_path: Path, clock: Clock):
    path = tmp_path / "world.sqlite"

    def live_and_die() -> None:
        world = World(now=clock, policy=EVEN, shelf=Shelf(path))
        world.prepare(Network("i1", "simulated", "d1"))
        boot(world)
        os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=live_and_die)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    clock.now += 10
    world = World(now=clock, policy=EVEN, shelf=Shelf(path))
    assert world.machines("n1", "simulated")[0].healthy.ok
    assert world.networks() == (Network("i1", "simulated", "d1"),)
    boot(world, digest="sha256:b")
    assert "booted with sha256:a" in world.breaches[0]


def test_two_processes_see_each_other_s_deeds(tmp_path: Path, clock: Clock):
    one, two = (World(now=clock, policy=EVEN, shelf=Shelf(tmp_path / "w.sqlite")) for _ in range(2))
    woken = []
    two.listeners.append(lambda record: woken.append(record.order.owner.name))
    boot(one)
    assert len(two.machines("n1", "simulated")) == 1
    assert woken == ["web.n1"]
    assert two.release("n1")
    assert one.machines("n1", "simulated") == []
    one.set_outage("the switch is down")
    two.refresh()
    assert two.outage == "the switch is down"
