"""A stage for tests of the build service."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.build.stage import Play, Script, Stage


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
