"""Where nodes ask: one socket a machine for those on this host, TCP for those elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from controller.boot.http import HEAD_LIMIT, Handler, converse

CONNECTIONS = 512
"""At a time over TCP; more wait in the kernel's queue."""
IDLE = 10.0


class Listener:
    """A socket that is answered until `aclose`."""

    def __init__(self, handler: Handler, *, keep: bool, idle: float | None, most: int) -> None:
        self._handler, self._keep, self._idle = handler, keep, idle
        self._most = asyncio.Semaphore(most)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @classmethod
    async def unix(cls, path: Path, handler: Handler, *, owner: int | None = None) -> Listener:
        """A Unix socket for one machine, whose emulator keeps its connection. `owner`: the uid that may connect."""
        listener = cls(handler, keep=True, idle=None, most=4)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener._server = await asyncio.start_unix_server(listener._talk, path, limit=HEAD_LIMIT)
        if owner is not None:
            os.chown(path, owner, -1)
        os.chmod(path, 0o600)
        return listener

    @classmethod
    async def tcp(cls, host: str, port: int, handler: Handler) -> Listener:
        """A TCP socket for many machines; one request a connection."""
        listener = cls(handler, keep=False, idle=IDLE, most=CONNECTIONS)
        listener._server = await asyncio.start_server(
            listener._talk, host, port, limit=HEAD_LIMIT, backlog=CONNECTIONS
        )
        return listener

    @property
    def port(self) -> int:
        """The TCP port that it has."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            async with self._most:
                await converse(reader, writer, self._handler, keep=self._keep, idle=self._idle)
        except asyncio.CancelledError:
            pass  # `aclose`: asyncio's own callback would report it as an error
        finally:
            self._talks.discard(task)
            writer.close()

    async def aclose(self) -> None:
        """Stop answering."""
        if self._server is not None:
            self._server.close()
        for task in self._talks:
            task.cancel()
        if self._talks:
            await asyncio.wait(self._talks, timeout=1.0)
