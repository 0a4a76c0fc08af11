from __future__ import annotations

import pytest

from controller.model.composition import Image, ImageState
from controller.plan.composition import on_record

BUILT = Image("docker", ImageState.READY, image="sha256:a", source="sha256:1")


@pytest.mark.parametrize("state", [ImageState.PENDING, ImageState.EVALUATING])
def test_a_builder_that_has_just_started_does_not_undo_what_is_on_record(state: ImageState):
    assert on_record(BUILT, Image("docker", state, source="sha256:1")) == BUILT


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (None, Image("docker", ImageState.PENDING, source="sha256:1")),
        (BUILT, Image("docker", ImageState.PENDING, source="sha256:2")),
        (BUILT, Image("docker", ImageState.BUILDING, source="sha256:1")),  # it is really gone
        (BUILT, Image("docker", ImageState.FAILED, source="sha256:1", reason="BuildFailed")),
        (BUILT, Image("docker", ImageState.READY, image="sha256:b", source="sha256:1")),
        (
            Image("docker", ImageState.BUILDING, source="sha256:1"),
            Image("docker", ImageState.PENDING, source="sha256:1"),
        ),
    ],
)
def test_otherwise_the_builder_is_right(before: Image | None, told: Image):
    assert on_record(before, told) == told
