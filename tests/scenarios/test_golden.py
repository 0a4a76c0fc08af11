"""Stories written by hand. What happens is in golden/*.txt, to be read; `pytest --update-golden` writes it anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE, REQUESTED_AT
from tests.scenarios.stage import TEXT, Script, Stage

GOLDEN = Path(__file__).parent / "golden"
PAIR = [{"name": "server"}, {"name": "client", "count": 2}]
ALONE = [{"name": "server"}, {"name": "client", "count": 0}]


async def a_deployment_comes_and_goes(stage: Stage) -> None:
    stage.testbed(capacity={"nodes": 4})
    stage.composition()
    stage.deployment(roles=PAIR)
    await stage.until_ready()
    stage.delete(DEPLOYMENT, "web")
    await stage.until_gone(DEPLOYMENT, "web")


async def a_node_fails_twice_and_then_works(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=ALONE, kernelParameters=["sim.fail=die", "sim.fail-attempts=2"])
    await stage.until_ready()


async def a_node_gives_up_and_is_asked_again(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    parameters = ["sim.fail=die", "sim.fail-attempts=2"]
    stage.deployment(roles=ALONE, retry={"attempts": 2}, kernelParameters=parameters)
    await stage.until("it gives up", lambda: bool(stage.condition(DEPLOYMENT, "web", "Stalled")))
    stage.say("you annotate DeployedNode web.server: look at it again")
    stage.patch(NODE, "web.server", {"metadata": {"annotations": {REQUESTED_AT: "now"}}})
    await stage.until_ready()


async def a_deployment_grows_and_shrinks(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=ALONE)
    await stage.until_ready()
    stage.edit(DEPLOYMENT, "web", roles=PAIR)
    await stage.until_ready()
    stage.edit(DEPLOYMENT, "web", roles=ALONE)
    await stage.until("the clients are gone", lambda: len(stage.cluster.all(NODE)) == 1)
    await stage.until_ready()


async def an_update_rolls_from_node_to_node(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=PAIR, update={"policy": "RollingUpdate", "maxUnavailable": 1})
    await stage.until_ready()
    stage.edit(COMPOSITION, "site", source={"inline": "# better\n" + TEXT})
    await asyncio.sleep(5.0)
    await stage.until_ready()


async def a_lease_ends(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=ALONE, lease={"duration": "7m"})
    await stage.until_ready()
    await stage.until(
        "it has expired", lambda: stage.condition(DEPLOYMENT, "web", "Expired").get("status") == "True"
    )
    await stage.until("no node is left", lambda: not stage.cluster.all(NODE))
    await asyncio.sleep(60.0)
    stage.delete(DEPLOYMENT, "web")
    await stage.until_gone(DEPLOYMENT, "web")


async def the_second_waits_for_the_first(stage: Stage) -> None:
    stage.testbed(capacity={"nodes": 3})
    stage.composition()
    stage.deployment("one", roles=PAIR)
    await stage.until_ready("one")
    stage.deployment("two", roles=ALONE)
    await asyncio.sleep(10.0)
    stage.delete(DEPLOYMENT, "one")
    await stage.until_ready("two")


async def the_same_composition_in_another_flavour(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=PAIR)
    await stage.until_ready()
    stage.edit(DEPLOYMENT, "web", flavour="simulated-fast")
    await asyncio.sleep(5.0)
    await stage.until_ready()


async def a_composition_that_does_not_build(stage: Stage) -> None:
    stage.testbed()
    stage.composition(text="# simulate: evaluation-fails\n" + TEXT)
    stage.deployment(roles=ALONE)
    await stage.until("it says so", lambda: bool(stage.condition(DEPLOYMENT, "web", "Stalled")))
    stage.edit(COMPOSITION, "site", source={"inline": TEXT})
    await stage.until_ready()


async def the_operator_dies_while_machines_boot(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=PAIR)
    await stage.until("a machine was ordered", lambda: bool(stage.world.records()))
    stage.say("the operator is killed, and started again")
    stage.kill_operators()
    await stage.until_ready()


async def a_machine_vanishes_and_is_replaced(stage: Stage) -> None:
    stage.testbed()
    stage.composition()
    stage.deployment(roles=ALONE)
    await stage.until_ready()
    stage.world.cut(stage.world.records()[0].order.key, "somebody tripped over the cable")
    await asyncio.sleep(1.0)
    await stage.until_ready()


STORIES: dict[str, Script] = {
    script.__name__: script
    for script in (
        a_deployment_comes_and_goes,
        a_node_fails_twice_and_then_works,
        a_node_gives_up_and_is_asked_again,
        a_deployment_grows_and_shrinks,
        an_update_rolls_from_node_to_node,
        a_lease_ends,
        the_second_waits_for_the_first,
        the_same_composition_in_another_flavour,
        a_composition_that_does_not_build,
        the_operator_dies_while_machines_boot,
        a_machine_vanishes_and_is_replaced,
    )
}


@pytest.mark.parametrize("name", STORIES)
def test_the_story_goes_as_it_is_written(name: str, request: pytest.FixtureRequest) -> None:
    stage = Stage(STORIES[name])
    result = stage.perform()
    assert not result.violations, "\n".join([*stage.told, *map(str, result.violations)])
    told = f"{name.replace('_', ' ').capitalize()}\n\n" + "\n".join(stage.told) + "\n"
    golden = GOLDEN / f"{name.replace('_', '-')}.txt"
    if request.config.getoption("--update-golden"):
        golden.write_text(told)
    assert told == golden.read_text(), f"if this is as it should be: pytest --update-golden {__file__}"
