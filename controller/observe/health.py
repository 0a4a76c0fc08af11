"""`/healthz`, `/readyz` and `/metrics` over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

logger = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""A check: `None` when all is well, else what is wrong."""


@asynccontextmanager
async def serve(
    address: str,
    port: int,
    *,
    healthy: Iterable[Check],
    ready: Iterable[Check],
    metrics: Callable[[], bytes],
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port (a free one where `port` is 0)."""
    application = web.Application()
    application.router.add_get("/healthz", _answer(list(healthy)))
    application.router.add_get("/readyz", _answer(list(ready)))

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    application.router.add_get("/metrics", scrape)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, port)
        await site.start()
        bound = runner.addresses[0][1]
        logger.debug("health and metrics on http://%s:%s", address, bound)
        yield bound
    finally:
        await runner.cleanup()


def _answer(checks: list[Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        wrong = [problem for check in checks if (problem := check()) is not None]
        if wrong:
            return web.Response(status=503, text="\n".join(wrong) + "\n")
        return web.Response(text="ok\n")

    return handle
