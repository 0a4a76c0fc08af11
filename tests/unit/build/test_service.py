from __future__ import annotations

import asyncio
import copy
import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.build.claim import Claim
from controller.model.composition import Image, ImageState
from controller.model.errors import Blame
from controller.model.kinds import Key
from tests.unit.build.stage import BUILD, EVALUATION, GIB, Script, Stage, World

READY, FAILED = ImageState.READY, ImageState.FAILED
Play = Callable[[Script], Stage]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a script on a stage with two places."""

    def run(script: Script, **more: object) -> Stage:
        stage = Stage(tmp_path / "state", **more)  # type: ignore[arg-type]

        async def body() -> None:
            await script(stage)

        stage.play(body)
        return stage

    return run


def test_a_composition_is_evaluated_and_built(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply("{ }")
        await stage.until(READY, web)
        states = [image.state for image in stage.told[web]]
        assert [state for state, _ in itertools.groupby(states)] == [
            *(ImageState.PENDING, ImageState.EVALUATING, ImageState.BUILDING, READY)
        ]
        image = stage.image(web)
        assert image.image.startswith("sha256:")
        assert image.details is not None
        assert image.details["evalSeconds"] == pytest.approx(EVALUATION)
        assert image.details["buildSeconds"] == pytest.approx(BUILD, rel=0.1)
        assert image.details["pin"] == "pin-1"
        assert stage.state(web).roles == ("client", "server")
        found = await stage.service.image(image.image)
        assert found is not None
        assert found.digest == image.image

    play(script)


def test_twenty_compositions_with_one_content_are_built_once(play: Play):
    async def script(stage: Stage) -> None:
        keys = [stage.apply("{ }", namespace=f"team-{n}", name=f"web-{n}") for n in range(20)]
        await stage.until(READY, *keys)
        assert len({stage.image(key).image for key in keys}) == 1

    stage = play(script)
    assert stage.world.evaluations.total() == stage.world.builds.total() == 1


def test_flavours_and_texts_are_different_work(play: Play):
    async def script(stage: Stage) -> None:
        a = stage.apply("{ a }", name="a", flavours=("vm-ramdisk", "docker"))
        b = stage.apply("{ b }", name="b")
        await stage.until(READY, a, b)
        await stage.until(READY, a, flavour="docker")

    assert len(play(script).world.builds) == 3


def test_one_who_leaves_cancels_nothing_and_the_last_one_all(play: Play):
    async def script(stage: Stage) -> None:
        a, b = stage.apply("{ }", namespace="a"), stage.apply("{ }", namespace="b")
        await stage.until(ImageState.BUILDING, a, b)
        stage.delete(a)
        await asyncio.sleep(BUILD / 2)
        assert stage.world.at_work.total() == 1
        stage.delete(b)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stage.world.at_work.total() == 0
        await asyncio.sleep(5)
        assert not stage.world.roots

    assert not play(script).world.valid


def test_who_joins_late_shares_the_build_and_its_end(play: Play):
    async def script(stage: Stage) -> None:
        a = stage.apply("{ }", namespace="a")
        await stage.until(ImageState.BUILDING, a)
        stage.delete(a)
        b = stage.apply("{ }", namespace="b")  # the first is just being cancelled
        await stage.until(READY, b)
        c = stage.apply("{ }", namespace="c")
        await stage.until(READY, c, seconds=1)

    assert max(play(script).world.builds.values()) == 2


def test_a_change_of_the_text_ends_the_build_of_the_old_one(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply("{ hangs }")
        await stage.until(ImageState.BUILDING, web)
        stage.apply("{ good }")
        await stage.until(READY, web)
        assert stage.world.at_work.total() == 0

    play(script)


def test_no_more_are_built_at_a_time_than_allowed_and_the_others_know_their_place(play: Play):
    async def script(stage: Stage) -> None:
        keys = [stage.apply(f"{{ n{n} }}", name=f"web-{n}") for n in range(5)]
        await asyncio.sleep(3)
        places = {stage.image(key).progress for key in keys if stage.image(key).state is ImageState.PENDING}
        assert places == {f"place {n} in the queue" for n in (1, 2, 3)}
        await stage.until(READY, *keys)

    assert play(script).world.most == 2


def test_a_crowd_in_one_namespace_does_not_keep_another_waiting(play: Play):
    async def script(stage: Stage) -> None:
        crowd = [stage.apply(f"{{ n{n} }}", namespace="crowd", name=f"web-{n}") for n in range(10)]
        await asyncio.sleep(1)
        mine = stage.apply("{ mine }", namespace="me")
        await stage.until(READY, mine)
        assert sum(stage.image(key).state is READY for key in crowd) <= 3
        await stage.until(READY, *crowd)

    play(script)


@pytest.mark.parametrize(
    ("text", "reason", "evaluated"),
    [
        ("eval-fails", "EvaluationFailed", False),
        ("many-roles", "TooManyRoles", False),
        ("build-fails", "BuildFailed", True),
        ("forged", "ForgedManifest", True),
    ],
)
def test_a_composition_s_own_failure_is_told_and_not_tried_again(
    play: Play, text: str, reason: str, evaluated: bool
):
    async def script(stage: Stage) -> None:
        web = stage.apply(text)
        await stage.until(FAILED, web)
        await asyncio.sleep(5000)
        image = stage.image(web)
        assert (image.reason, image.evaluated, image.blame) == (reason, evaluated, Blame.USER)
        assert not stage.world.roots
        assert stage.world.evaluations[text] == 1
        stage.apply(text, requested="now")
        await asyncio.sleep(1)
        await stage.until(FAILED, web)
        assert stage.world.evaluations[text] == 2

    play(script)


def test_a_failure_of_ours_is_tried_again_ever_more_rarely(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply("ours=2")
        await stage.until(READY, web)
        failures = [image for image in stage.told[web] if image.state is FAILED]
        assert [image.reason for image in failures] == ["NixFailed"] * 2
        assert "tried again in 10 s" in failures[0].message
        assert "tried again in 20 s" in failures[1].message

    play(script)


def test_a_build_that_hangs_ends_at_its_time_with_the_end_of_its_log(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply("hangs", timeout="2m")
        await stage.until(FAILED, web)
        image = stage.image(web)
        assert image.reason == "BuildTimeout"
        assert "spec.build.timeout (0:02:00)" in image.message
        assert "one\ntwo\n(whole log: " in image.message
        assert stage.loop.time() == pytest.approx(120, abs=2)
        assert stage.world.at_work.total() == 0

    play(script)


def test_a_requester_with_more_time_has_it_tried_longer(play: Play):
    async def script(stage: Stage) -> None:
        a = stage.apply("hangs", namespace="a", timeout="1m")
        await asyncio.sleep(50)
        b = stage.apply("hangs", namespace="b", timeout="3m")
        await asyncio.sleep(60)
        assert stage.image(a).state is ImageState.BUILDING
        await stage.until(FAILED, a, b)
        assert stage.world.builds.total() == 1
        c = stage.apply("hangs", namespace="c", timeout="5m")
        await asyncio.sleep(10)
        assert stage.image(c).state is ImageState.BUILDING

    play(script)


def test_wakes_for_progress_are_a_second_apart(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply("{ }")
        await stage.until(ImageState.BUILDING, web)
        work = next(iter(stage.service._works))
        before = stage.wakes[web]
        for step in range(100):
            work.progress = f"{step}/100 built"
            stage.service._news.stir(work)
            await asyncio.sleep(0.02)
        assert stage.wakes[web] - before <= 4

    play(script)


def test_without_nix_it_is_said_and_found_when_it_is_there(play: Play):
    async def script(stage: Stage) -> None:
        stage.engine.missing = True
        web = stage.apply("{ }")
        await stage.until(FAILED, web)
        assert (stage.image(web).reason, stage.image(web).blame) == ("NixMissing", Blame.CONTROLLER)
        stage.engine.missing = False
        await stage.until(READY, web)

    play(script)


def test_what_is_not_isolated_and_what_the_evaluation_warns_of_is_noted(play: Play):
    async def script(stage: Stage) -> None:
        stage.engine.lacks = ("no user namespaces",)
        web = stage.apply("{ warns }")
        await stage.until(READY, web)
        assert stage.state(web).notes == ("take care", "builds are not isolated: no user namespaces")

    play(script)


@pytest.mark.parametrize(("text", "same"), [("{ }", True), ("{ differs }", False)])
def test_a_second_build_shows_whether_it_is_reproducible(play: Play, text: str, same: bool):
    async def script(stage: Stage) -> None:
        web = stage.apply(text, check=True)
        await stage.until(READY, web)
        assert stage.image(web).details.get("reproducible") is None  # type: ignore[union-attr]
        await asyncio.sleep(60)
        image = stage.image(web)
        assert image.state is READY
        assert image.details["reproducible"] is same  # type: ignore[index]
        assert ("the time in /etc/issue" in image.message) is not same

    play(script)


def test_a_renewed_lock_is_taken_up(play: Play):
    async def script(stage: Stage) -> None:
        stage.engine.renewed = "pin-2"
        web = stage.apply("{ }")
        await stage.until(READY, web)
        assert stage.image(web).details["pin"] == "pin-2"  # type: ignore[index]
        assert stage.state(web).notes == ("the packages are newer ones",)

    assert play(script).world.evaluations.total() == 2


def test_a_renewed_lock_that_cannot_be_read_at_once_is_read_again(play: Play):
    async def script(stage: Stage) -> None:
        stage.engine.renewed, stage.engine.unreadable_after_renewal = "pin-2", 2
        web = stage.apply("{ }")
        await stage.until(ImageState.READY, web)
        assert stage.image(web).details["pin"] == "pin-2"  # type: ignore[index]

    play(script)


# ---------------------------------------------------------------- restarts


def test_after_a_restart_an_image_is_known_without_an_evaluation(tmp_path: Path):
    world, seen = World(), []
    for _ in range(2):
        stage = Stage(tmp_path / "state", world)

        async def script(stage: Stage = stage) -> None:
            web = stage.apply("{ }", check=True)
            await stage.until(READY, web)
            await asyncio.sleep(100)
            seen.append(stage.image(web))

        stage.play(script)
    assert seen[0] == seen[1]
    assert world.evaluations.total() == 1


def test_an_image_that_is_gone_is_built_anew(tmp_path: Path):
    world = World()
    for _ in range(2):
        stage = Stage(tmp_path / "state", world)

        async def script(stage: Stage = stage) -> None:
            await stage.until(READY, stage.apply("{ }"))

        stage.play(script)
        world.valid.clear()
    assert world.builds.total() == 2


def test_killed_at_any_moment_it_comes_back_and_builds_what_is_wanted(tmp_path: Path):
    """The world as it stands at each step of a run is what the next process finds: it must end with the same
    images, and with no root more."""
    whole = Stage(tmp_path / "whole")
    moments: list[tuple[World, dict[Key, dict[str, Image]], Path]] = []

    def remember() -> None:
        place = tmp_path / str(len(moments))
        if whole.settings.state.exists():
            shutil.copytree(whole.settings.state, place)
        world = copy.deepcopy(whole.world)
        world.at_work.clear()  # Nix dies with who started it
        moments.append((world, copy.deepcopy(whole.images), place))

    async def run() -> None:
        await whole.until(READY, *some(whole))
        await asyncio.sleep(5)

    whole.before_each_step(remember)
    whole.play(run)
    assert len(moments) > 100
    for number, (world, images, place) in enumerate(moments):
        stage = Stage(place, world, seed=number)
        stage.images = images

        async def go_on(stage: Stage = stage) -> None:
            keys = some(stage)
            await stage.until(READY, *keys)
            await asyncio.sleep(100)
            assert {stage.image(key).image for key in keys} == stage.in_use()
            assert len(stage.world.roots) == 2
            assert stage.world.roots <= stage.world.valid
            for key in keys:
                stage.delete(key)
            await asyncio.sleep(10)
            assert not stage.world.roots

        stage.play(go_on)
        assert max(world.builds.values()) <= 2, f"at step {number}"
        assert not list((place / "sources").iterdir())


def some(stage: Stage) -> list[Key]:
    """Three compositions, two of which are the same."""
    return [
        stage.apply("{ a }", namespace="a"),
        stage.apply("{ b }", namespace="b"),
        stage.apply("{ a }", namespace="c"),
    ]


# ---------------------------------------------------------------- what is kept


def test_a_deleted_composition_frees_its_image_unless_a_deployment_uses_it(play: Play):
    async def script(stage: Stage) -> None:
        a, b = stage.apply("{ a }", name="a"), stage.apply("{ b }", name="b")
        await stage.until(READY, a, b)
        used = stage.image(a).image
        stage.deployed = {used}
        stage.delete(a)
        stage.delete(b)
        await asyncio.sleep(5)
        assert len(stage.world.roots) == 1
        assert (await stage.service.image(used)) is not None
        stage.deployed = set()
        await asyncio.sleep(100)
        assert not stage.world.roots

    play(script)


def test_when_the_disk_gets_full_what_nobody_uses_goes(play: Play):
    async def script(stage: Stage) -> None:
        old, current = stage.apply("{ old }", name="old"), stage.apply("{ current }", name="current")
        await stage.until(READY, old, current)
        stage.delete(old)
        await asyncio.sleep(5)
        assert len(stage.world.valid) == 2  # there is room
        stage.world.free = GIB
        more = stage.apply("{ more }", name="more")
        await stage.until(READY, more)
        assert len(stage.world.valid) == 2
        assert stage.image(current).image
        again = stage.apply("{ old }", name="old")
        await stage.until(READY, again)

    assert max(play(script).world.builds.values()) == 2


def test_a_full_disk_is_told_and_waited_out(play: Play):
    async def script(stage: Stage) -> None:
        stage.world.free = 0
        web = stage.apply("{ }")
        await stage.until(FAILED, web)
        assert (stage.image(web).reason, stage.image(web).blame) == ("DiskFull", Blame.CONTROLLER)
        stage.world.free = 10 * GIB
        await stage.until(READY, web)

    play(script)


# ---------------------------------------------------------------- sources that change


def config_map(version: str, **data: str) -> dict[str, object]:
    return {"metadata": {"resourceVersion": version}, "data": {"composition.nix": "{ }", **data}}


def test_a_config_map_is_read_again_when_it_changes(play: Play):
    async def script(stage: Stage) -> None:
        web = stage.apply(source={"configMap": {"name": "files"}})
        await stage.until(FAILED, web)
        assert stage.image(web).reason == "ConfigMapNotFound"
        stage.objects["ConfigMap", "lab", "files"] = config_map("1")
        await stage.until(READY, web)
        first = stage.image(web)
        stage.objects["ConfigMap", "lab", "files"] = config_map("2")  # only its metadata changed
        await asyncio.sleep(30)
        assert stage.image(web) == first
        stage.objects["ConfigMap", "lab", "files"] = config_map("3", **{"composition.nix": "{ new }"})
        await asyncio.sleep(30)
        await stage.until(READY, web)
        assert stage.image(web).image != first.image

    assert play(script).world.evaluations.total() == 2


def test_an_image_stays_while_nobody_can_tell_whether_its_source_changed(play: Play):
    async def script(stage: Stage) -> None:
        stage.objects["ConfigMap", "lab", "files"] = config_map("1")
        web = stage.apply(source={"configMap": {"name": "files"}})
        await stage.until(READY, web)
        stage.unreachable = True
        await asyncio.sleep(60)
        assert stage.image(web).state is READY
        assert any("could not be looked at again" in note for note in stage.state(web).notes)

    play(script)


def test_a_source_without_an_entry_is_told(play: Play):
    async def script(stage: Stage) -> None:
        stage.objects["ConfigMap", "lab", "files"] = config_map("1", **{"other.nix": ""})
        web = stage.apply(source={"configMap": {"name": "files"}, "entry": "main.nix"})
        await stage.until(FAILED, web)
        image = stage.image(web)
        assert (image.reason, image.evaluated) == ("SourceInvalid", False)
        assert "spec.source.entry" in image.message

    play(script)


# ---------------------------------------------------------------- the state directory


def test_a_state_directory_in_use_is_told_with_its_user(play: Play, tmp_path: Path):
    (tmp_path / "state").mkdir()
    other = Claim(tmp_path / "state" / "lock")

    async def script(stage: Stage) -> None:
        web = stage.apply("{ }")
        await stage.until(FAILED, web)
        assert stage.image(web).reason == "StateInUse"
        assert f"process {os.getpid()}" in stage.image(web).message
        other.release()
        await stage.until(READY, web)

    play(script)


def test_a_state_directory_that_cannot_be_is_told(play: Play, tmp_path: Path):
    (tmp_path / "state").write_text("a file")

    async def script(stage: Stage) -> None:
        web = stage.apply("{ }")
        await stage.until(FAILED, web)
        assert (stage.image(web).reason, stage.image(web).blame) == ("StateNotUsable", Blame.CONTROLLER)

    play(script)
