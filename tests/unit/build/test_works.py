"""One work for all who want the same: joined, left, queued, and told of."""

from __future__ import annotations

import asyncio

from controller.model.composition import ImageState
from tests.unit.build.stage import BUILD, FAILED, READY, Play, Stage


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
