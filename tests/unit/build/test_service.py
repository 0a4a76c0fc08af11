from __future__ import annotations

import asyncio
import copy
import itertools
import os
import shutil
from pathlib import Path

import pytest

from controller.build.claim import Claim
from controller.build.service import SEEN
from controller.model.composition import Image, ImageState
from controller.model.errors import Blame
from controller.model.kinds import Key
from tests.unit.build.stage import BUILD, EVALUATION, FAILED, GIB, READY, Play, Stage, World


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


def test_many_nodes_that_boot_one_image_ask_nix_once_and_one_that_is_gone_is_soon_noticed(
    play: Play, monkeypatch: pytest.MonkeyPatch
):
    async def script(stage: Stage) -> None:
        web = stage.apply("{ }")
        await stage.until(READY, web)
        digest = stage.image(web).image
        asked: list[str] = []
        valid = stage.engine.valid

        async def counted(output: str) -> bool:
            asked.append(output)
            return await valid(output)

        monkeypatch.setattr(stage.engine, "valid", counted)
        found = await asyncio.gather(*(stage.service.image(digest) for _ in range(16)))
        assert len({id(image) for image in found}) == 1
        assert len(asked) == 1
        stage.world.valid.clear()
        await asyncio.sleep(SEEN)
        assert await stage.service.image(digest) is None

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
