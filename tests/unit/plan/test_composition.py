from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.model.composition import Composition, Image, ImageState, Kept
from controller.model.errors import Blame
from controller.plan.composition import (
    Progress,
    composition_status,
    flavours_wanted,
    history_after,
    on_record,
)

BUILT = Image("docker", ImageState.READY, image="sha256:a", source="sha256:1")


@pytest.mark.parametrize("state", [ImageState.PENDING, ImageState.EVALUATING])
def test_a_builder_that_has_just_started_does_not_undo_what_is_on_record(state: ImageState):
    assert on_record(BUILT, Image("docker", state, source="sha256:1")) == BUILT


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (None, Image("docker", ImageState.PENDING, source="sha256:1")),
        (BUILT, Image("docker", ImageState.READY, image="sha256:b", source="sha256:1")),
        (
            Image("docker", ImageState.BUILDING, source="sha256:1"),
            Image("docker", ImageState.PENDING, source="sha256:1"),
        ),
    ],
)
def test_otherwise_the_builder_is_right(before: Image | None, told: Image):
    assert on_record(before, told) == told


@pytest.mark.parametrize(
    "told",
    [
        Image("docker", ImageState.PENDING, source="sha256:2"),
        Image("docker", ImageState.BUILDING, source="sha256:1"),  # it is really gone
        Image("docker", ImageState.FAILED, source="sha256:1", reason="BuildFailed"),
    ],
)
def test_the_last_image_is_named_until_there_is_a_newer_one(told: Image):
    assert on_record(BUILT, told) == replace(told, image="sha256:a")


def composition(keep: int, image: str, *history: str) -> Composition:
    images = [{"flavour": "docker", "state": "Ready", "image": image}] if image else []
    earlier = [{"flavour": "docker", "image": digest} for digest in history]
    return Composition.parse(
        {
            "metadata": {"name": "web", "namespace": "lab", "generation": 1},
            "spec": {"source": {"inline": "{ }"}, "build": {"keep": keep}},
            "status": {"images": images, "history": earlier},
        }
    )


@pytest.mark.parametrize(
    ("keep", "before", "earlier", "now", "after"),
    [
        (2, "", [], "a", []),
        (2, "a", [], "a", []),
        (2, "a", [], "b", ["a"]),
        (2, "b", ["a"], "c", ["b", "a"]),
        (2, "c", ["b", "a"], "d", ["c", "b"]),
        (2, "c", ["b", "a"], "b", ["c", "a"]),  # going back
        (0, "b", ["a"], "c", []),
        (1, "b", ["a"], "b", ["a"]),
    ],
)
def test_earlier_images_are_kept_as_many_as_asked_for(
    keep: int, before: str, earlier: list[str], now: str, after: list[str]
):
    images = {"docker": Image("docker", ImageState.READY, image=now)}
    kept = history_after(composition(keep, before, *earlier), images)
    assert kept == tuple(Kept("docker", image) for image in after)


def test_a_flavour_that_nobody_wants_any_more_keeps_no_images():
    assert history_after(composition(2, "b", "a"), {}) == ()


def test_a_status_tells_of_so_many_flavours_and_of_those_in_the_spec_first():
    wanted = flavours_wanted(
        Composition.parse({"metadata": {}, "spec": {"flavours": ["zz"]}}), [f"f{n:03}" for n in range(100)]
    )
    assert len(wanted) == 64
    assert "zz" in wanted
    assert "f062" in wanted


def judged(image: Image, **progress: Any) -> dict[str, tuple[str, str]]:
    status = composition_status(
        composition(2, ""), ["docker"], Progress({"docker": image}, ("a",), **progress), datetime.now(UTC)
    )
    return {c["type"]: (c["status"], c["message"]) for c in status["conditions"]}


@pytest.mark.parametrize(
    ("evaluated", "blame", "expected"),
    [(False, Blame.USER, "False"), (False, Blame.CONTROLLER, "Unknown"), (True, Blame.USER, "True")],
)
def test_evaluated_tells_where_it_failed(evaluated: bool, blame: Blame, expected: str):
    failed = Image("docker", ImageState.FAILED, reason="X", message="why", blame=blame, evaluated=evaluated)
    conditions = judged(failed)
    assert conditions["Evaluated"][0] == expected
    assert conditions["Built"] == ("False", "docker: why")
    assert ("Stalled" in conditions) == (blame is Blame.USER)


def test_warnings_stand_in_evaluated():
    assert judged(BUILT, notes=("one", "two"))["Evaluated"] == ("True", "one; two")
