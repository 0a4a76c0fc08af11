"""Whether an engine can carry containers of ours: what runs them, docker compose, room, and this host's files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from controller.flavours.docker_file import BASE_IMAGE, LABEL
from controller.model.errors import TestbedError
from controller.testbeds.compose import Compose, find
from controller.testbeds.engine import Engine, EngineError

DISK_LEAST = 128 * 1024 * 1024
"""Bytes that the engine's disk must have left."""


class Fitness:
    """Of one engine. `state`: a directory of ours that it must see; `labels`: of what is made to find that out."""

    def __init__(self, engine: Engine, state: Path, labels: Mapping[str, str]) -> None:
        self._engine, self._state = engine, state
        self._labels = {**labels, f"{LABEL}probe": "store"}
        self._compose: Compose | None = None
        self._shares_store = False

    async def check(self) -> None:
        """Raise `TestbedError`: `EngineUnfit`, `ProgramMissing`, `EngineDiskFull`, `StoreNotShared`."""
        told = await self._engine.information()
        if str(told.get("OSType")) != "linux":
            raise TestbedError("EngineUnfit", f"the engine runs {told.get('OSType')} containers, not Linux")
        await self.compose()
        root = Path(str(told.get("DockerRootDir", "/")))
        with suppress(OSError):  # a root that we may not look into
            free = (await asyncio.to_thread(shutil.disk_usage, root)).free
            if free < DISK_LEAST:
                raise TestbedError(
                    "EngineDiskFull", f"the disk of the engine ({root}) has {free >> 20} MiB left"
                )
        await self._see_that_it_shares_our_store()

    async def compose(self) -> Compose:
        """docker compose, found once, and again where it is gone. Raises `TestbedError`, `ProgramMissing`."""
        if self._compose is None or not self._compose.program.exists():
            self._compose = await find(self._engine.endpoint)
        return self._compose

    def doubt(self) -> None:
        """The engine was away, and may be another one by now."""
        self._shares_store = False

    async def _see_that_it_shares_our_store(self) -> None:
        """Once an engine: whether paths of ours are the same there. A remote one could sit behind the socket."""
        engine = self._engine
        if self._shares_store:
            return
        if not await engine.has_image(BASE_IMAGE):
            await engine.import_empty_image(BASE_IMAGE)
        for left in await engine.containers(self._labels):
            await engine.remove_container(left.id)
        try:
            await engine.see(str(self._state.absolute()), BASE_IMAGE, self._labels)
        except EngineError as error:
            raise TestbedError(
                "StoreNotShared",
                f"the engine does not see this host's files, so it is on another host or in a machine of its own: "
                f"{error.said}",
            ) from None
        self._shares_store = True
