"""Test scripts of deployments (`spec.test: {run: OnReady}`), as small stories in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

from controller.model.kinds import COMPOSITION, DEPLOYMENT, NODE
from controller.plan.trial import RUNS
from tests.scenarios.stage import TEXT, Script, Stage

ALONE = [{"name": "server"}, {"name": "client", "count": 0}]
ON_READY = {"run": "OnReady"}


def perform(script: Script) -> Stage:
    stage = Stage(script)
    result = stage.perform()
    assert not result.violations, "\n".join([*stage.told, *map(str, result.violations)])
    return stage


def scripted(script: str, text: str = TEXT) -> str:
    """A composition with a test script (see `nxc_simulators.sandbox`)."""
    return f"# simulate: test={script}\n{text}"


def tested(stage: Stage) -> tuple[str, str]:
    found = stage.condition(DEPLOYMENT, "web", "Tested")
    return found.get("status", ""), found.get("reason", "")


def test(stage: Stage) -> dict[str, Any]:
    obj = stage.get(DEPLOYMENT, "web")
    assert obj is not None
    return dict(obj["status"].get("test") or {})


def played(stage: Stage) -> int:
    return len(stage.scripts.played)


def begin(stage: Stage, script: str, **spec: Any) -> None:
    stage.testbed()
    stage.composition(text=scripted(script))
    stage.deployment(roles=ALONE, test=ON_READY, **spec)


async def until(stage: Stage, status: str, reason: str, *, within: float = 600.0) -> None:
    await stage.until(
        f"Tested is {status} ({reason})", lambda: tested(stage) == (status, reason), within=within
    )


async def until_at_work(stage: Stage) -> None:
    await stage.until("the script is at work", lambda: bool(stage.scripts.running))


def test_a_script_that_passes_is_run_once_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:20")
        await until(stage, "Unknown", "Running")
        await until(stage, "True", "Passed")
        await asyncio.sleep(2000.0)
        assert played(stage) == 1
        assert test(stage)["state"] == "Passed"
        assert any("TestPassed" in line for line in stage.told)

    perform(story)


def test_a_script_that_fails_is_not_run_again_and_tells_line_log_and_blame() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "fail:20")
        await until(stage, "False", "Failed")
        await asyncio.sleep(2000.0)
        assert played(stage) == 1
        found = test(stage)
        assert (found["line"], found["blame"], found["log"]) == (1, "User", "the log\n")

    perform(story)


def test_one_that_cannot_be_run_to_its_end_is_tried_a_few_times() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "break:5")
        await until(stage, "False", "BrokenByTestbed")
        await asyncio.sleep(2000.0)
        assert played(stage) == RUNS
        assert test(stage)["run"] == RUNS

    perform(story)


def test_a_changed_image_waits_until_the_script_has_ended_and_is_then_tested_anew() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:200")
        await until_at_work(stage)
        stage.edit(COMPOSITION, "site", source={"inline": scripted("fail:3", "# better\n" + TEXT)})
        await stage.until("the next image is built", lambda: image(stage) != test(stage)["image"])
        await asyncio.sleep(100.0)
        assert stage.scripts.running
        assert booted(stage) == {test(stage)["image"]}
        waits = stage.condition(DEPLOYMENT, "web", "Reconciling")["message"]
        assert "to come when the test script has ended (spec.test.run: Never ends it)" in waits
        await until(stage, "False", "Failed")
        assert booted(stage) == {image(stage)} == {test(stage)["image"]}
        assert played(stage) == 2

    perform(story)


def image(stage: Stage) -> str:
    obj = stage.get(DEPLOYMENT, "web")
    assert obj is not None
    return str(obj["status"].get("image"))


def booted(stage: Stage) -> set[str]:
    return {node["spec"]["image"] for node in stage.cluster.all(NODE)}


def test_never_ends_a_script_and_on_ready_runs_it_on_a_deployment_that_is_ready_already() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:200")
        await until_at_work(stage)
        stage.edit(DEPLOYMENT, "web", test={"run": "Never"})
        await stage.until("nothing is said of it", lambda: tested(stage) == ("", "") and not test(stage))
        assert not stage.scripts.running
        stage.edit(DEPLOYMENT, "web", test=ON_READY)
        await until(stage, "True", "Passed")
        assert played(stage) == 2

    perform(story)


def test_deletion_ends_the_script_before_the_nodes_go() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "hang")
        await until_at_work(stage)
        stage.delete(DEPLOYMENT, "web")
        await stage.until_gone(DEPLOYMENT, "web")
        assert not stage.scripts.running

    perform(story)


def test_the_end_of_the_lease_ends_the_script_and_says_so() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "hang", lease={"duration": "60s"})
        await until_at_work(stage)
        await until(stage, "False", "Stopped")
        assert not stage.scripts.running

    perform(story)


def test_a_controller_that_dies_meanwhile_runs_it_again() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:100")
        await until_at_work(stage)
        stage.kill_operators()
        assert not stage.scripts.running
        await until(stage, "True", "Passed")
        assert (played(stage), test(stage)["run"]) == (2, 2)

    perform(story)


def test_a_controller_that_always_dies_meanwhile_gives_up_and_takes_the_blame() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:100")
        for _ in range(RUNS):
            await until_at_work(stage)
            stage.kill_operators()
        await until(stage, "False", "BrokenByController")
        await asyncio.sleep(1000.0)
        assert played(stage) == RUNS

    perform(story)


def test_while_suspended_a_script_that_runs_runs_on_and_none_is_started() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:100")
        await until_at_work(stage)
        stage.edit(DEPLOYMENT, "web", suspend=True)
        await until(stage, "True", "Passed")
        stage.edit(DEPLOYMENT, "web", test={"run": "Never"})
        await asyncio.sleep(10.0)
        stage.edit(DEPLOYMENT, "web", test=ON_READY)
        await asyncio.sleep(1000.0)
        assert played(stage) == 1
        stage.edit(DEPLOYMENT, "web", suspend=False)
        await until(stage, "True", "Passed")
        assert played(stage) == 2

    perform(story)


def test_a_node_that_is_deleted_meanwhile_is_made_again_and_no_second_test_comes_of_it() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:100")
        await until_at_work(stage)
        stage.delete(NODE, "web.server")
        await asyncio.sleep(60.0)
        assert stage.scripts.running
        assert len(stage.cluster.all(NODE)) == 1
        await until(stage, "True", "Passed")
        stage.delete(NODE, "web.server")
        await asyncio.sleep(60.0)
        await until(stage, "True", "Passed")
        assert played(stage) == 1

    perform(story)


def test_more_nodes_are_tested_anew() -> None:
    async def story(stage: Stage) -> None:
        begin(stage, "pass:10")
        await until(stage, "True", "Passed")
        stage.edit(DEPLOYMENT, "web", roles=[{"name": "server"}, {"name": "client"}])
        await stage.until("it is tested anew", lambda: played(stage) == 2)
        await until(stage, "True", "Passed")

    perform(story)


def test_a_composition_without_a_script_says_what_to_do() -> None:
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition()
        stage.deployment(roles=ALONE, test=ON_READY)
        await until(stage, "False", "NoTestScript")
        stage.edit(COMPOSITION, "site", source={"inline": scripted("pass:5", "# tested\n" + TEXT)})
        await until(stage, "True", "Passed")

    perform(story)


def test_scripts_wait_for_their_turn_and_an_update_does_not_wait_for_one_that_has_not_begun() -> None:
    async def story(stage: Stage) -> None:
        stage.testbed()
        stage.composition("other", scripted("pass:250"))
        for name in ("one", "two"):
            stage.deployment(name, roles=ALONE, test=ON_READY, compositionRef={"name": "other"})
        await stage.until("two are at work", lambda: len(stage.scripts.running) == 2)
        stage.composition(text=scripted("pass:5"))
        stage.deployment(roles=ALONE, test=ON_READY)
        await until(stage, "Unknown", "Waiting")
        first = booted_of(stage, "web.server")
        stage.edit(COMPOSITION, "site", source={"inline": scripted("pass:7", "# better\n" + TEXT)})
        await stage.until("it is updated", lambda: booted_of(stage, "web.server") != first)
        assert len(stage.scripts.running) == 2
        await until(stage, "True", "Passed")

    perform(story)


def booted_of(stage: Stage, name: str) -> str:
    obj = stage.get(NODE, name)
    return str(obj["spec"]["image"]) if obj is not None else ""
