"""Watches over HTTP: one JSON line per event, until the time is up, the client goes or falls too far behind.

Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from controller.local.core.errors import too_many_requests
from controller.local.core.watch import Event
from controller.local.faults import Source

SHORTEST, LONGEST = 1800.0, 3600.0
"""A watch without timeoutSeconds ends between these (seconds), as on the real server: clients spread out."""
BOOKMARK_EVERY = 50.0
"""Seconds; kopf takes a stream for dead after 70 without a line."""
STALL = 30.0
"""A client that takes nothing for so many seconds is cut off."""
BATCH = 500
FLUSH_BYTES = 64 << 10

Render = Callable[[Event], bytes]


def lifetime(asked: int | None, dice: random.Random) -> float:
    """How long a watch lives, in seconds."""
    return float(asked) if asked and asked > 0 else dice.uniform(SHORTEST, LONGEST)


class Watches:
    """All open watches of one server, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._open: set[Source] = set()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self) -> None:
        """Raises `ApiError` 429 when the server has as many watches as it can carry."""
        if len(self._open) >= self.limit:
            raise too_many_requests(
                f"this server carries {self.limit} watches at most, and has them; try again later", 5
            )

    def drop_all(self) -> None:
        """End every watch without a word, as a network does."""
        for watch in tuple(self._open):
            watch.close()
            if watch.on_ready is not None:
                watch.on_ready()

    async def stream(
        self,
        request: web.BaseRequest,
        watch: Source,
        render: Render,
        *,
        seconds: float,
        bookmarks: bool,
        media_type: str = "application/json",
    ) -> web.StreamResponse:
        """Send events until the end; the core's `watch` is closed in any case."""
        response = web.StreamResponse(
            headers={"Content-Type": media_type, "Cache-Control": "no-cache, private"}
        )
        response.enable_chunked_encoding()
        self._open.add(watch)
        try:
            await response.prepare(request)
            with suppress(ConnectionError):
                try:
                    await self._pump(response, watch, render, seconds=seconds, bookmarks=bookmarks)
                    await response.write_eof()
                except TimeoutError:  # the client does not read
                    if request.transport is not None:
                        request.transport.abort()
        finally:
            self._open.discard(watch)
            watch.close()
        return response

    async def _pump(
        self, response: web.StreamResponse, watch: Source, render: Render, *, seconds: float, bookmarks: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        watch.on_ready = ready.set
        end = loop.time() + seconds
        bookmark_at = loop.time() + BOOKMARK_EVERY
        while True:
            ready.clear()
            events = watch.take(BATCH)
            await _send(response, events, render)
            if watch.closed:
                return
            if events:
                continue
            now = loop.time()
            if now >= end:
                if bookmarks:
                    await _send(response, [watch.bookmark()], render)
                return
            if bookmarks and now >= bookmark_at:
                await _send(response, [watch.bookmark()], render)
                bookmark_at = now + BOOKMARK_EVERY
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(end, bookmark_at if bookmarks else end) - now):
                    await ready.wait()


async def _send(response: web.StreamResponse, events: list[Event], render: Render) -> None:
    """Write events; raises `TimeoutError` when the client takes nothing for `STALL` seconds."""
    lines: list[bytes] = []
    size = 0
    for event in events:
        line = render(event)
        lines.append(line)
        size += len(line)
        if size >= FLUSH_BYTES:
            async with asyncio.timeout(STALL):
                await response.write(b"".join(lines))
            lines, size = [], 0
    if lines:
        async with asyncio.timeout(STALL):
            await response.write(b"".join(lines))
