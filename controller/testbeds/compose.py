"""docker compose, version 2 or newer: the program, found once, and run with an environment of ours alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.model.errors import TestbedError

NAME = "docker-compose"
PLUGINS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
"""Where Docker's packages put it, which `docker compose` runs (docker/cli, cli-plugins/manager)."""
UP_SECONDS = 180.0
VERSION_SECONDS = 10.0
SAID = 16 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, and what it printed last."""

    status: int
    said: str


@dataclass(frozen=True, slots=True)
class Compose:
    """The program, and the engine that it speaks to."""

    program: Path
    endpoint: str

    async def up(self, file: Path, project: str, services: Sequence[str]) -> Outcome:
        """Create and start services that have no container yet; those that have one stay as they are."""
        return await self._run(
            file.parent,
            *("--project-name", project, "--file", str(file), "--project-directory", str(file.parent)),
            *("--env-file", os.devnull, "--progress", "quiet", "--ansi", "never"),
            *("up", "--detach", "--no-recreate", "--no-deps", "--pull", "never", "--", *services),
        )

    async def _run(self, directory: Path, *arguments: str, seconds: float = UP_SECONDS) -> Outcome:
        return await _run(
            self.program,
            *arguments,
            directory=directory,
            environment={"DOCKER_HOST": self.endpoint, "DOCKER_CONFIG": str(directory / ".docker")},
            seconds=seconds,
        )


async def find(endpoint: str) -> Compose:
    """The first on the PATH or among Docker's plugins that is new enough. Raises `TestbedError`."""
    old = ""
    for program in await asyncio.to_thread(_candidates):
        outcome = await _run(
            program, "version", "--short", directory=program.parent, environment={}, seconds=VERSION_SECONDS
        )
        version = outcome.said.strip().splitlines()[-1:] or [""]
        match = re.match(r"v?([0-9]+)\.", version[0])
        if outcome.status == 0 and match is not None and int(match[1]) >= 2:
            return Compose(program, endpoint)
        old = f"; {program} is {version[0] or 'of no version'}"
    raise TestbedError(
        "ProgramMissing", f"docker compose, version 2 or newer, is not installed on this host{old}"
    )


def _candidates() -> list[Path]:
    places = [shutil.which(NAME, path=place) for place in (os.environ.get("PATH", os.defpath), *PLUGINS)]
    return [Path(place) for place in places if place]


async def _run(
    program: Path, *arguments: str, directory: Path, environment: dict[str, str], seconds: float
) -> Outcome:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            cwd=directory,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise TestbedError("ProgramMissing", f"{program} cannot be run: {error}") from None
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        raise TestbedError("ComposeTimeout", f"docker compose did not end within {seconds:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    assert process.returncode is not None
    return Outcome(process.returncode, output[-SAID:].decode("utf-8", "replace"))
