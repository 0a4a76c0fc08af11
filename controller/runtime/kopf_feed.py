"""kopf's part: log in, watch the four kinds, reconnect. Its handlers only pass events on.

Of kopf only `@kopf.on.event` is used: it writes nothing to the API and keeps nothing. Change handlers
write annotations that a Nix expression overflows, timers write finalizers, and indices go stale after a
watch gap and cost O(N²) at start.

kopf runs in a thread with an event loop of its own. In ours it would take over SIGTERM and SIGINT, and when
it ends it cancels every task of its loop that it did not find there at its start (`running.run_tasks`):
our workers among them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import kopf

from controller.model.kinds import WATCHED, Kind
from controller.model.meta import Object
from controller.runtime.feed import Feed

logger = logging.getLogger(__name__)

RESTART = 5.0
STOP_LIMIT = 5.0
WATCH_SILENCE = 70.0
"""Seconds without an event or bookmark after which kopf takes a watch for dead and reconnects."""

OnEvent = Callable[[Kind, str | None, Object], None]


class KopfFeed:
    """Feeds the store from kopf's watches."""

    def __init__(self, feed: Feed, *, namespaces: Sequence[str] = ()) -> None:
        self._feed, self._namespaces = feed, tuple(namespaces)

    async def run(self) -> None:
        """Watch until cancelled; when kopf ends or fails, start it anew."""
        while True:
            stop = threading.Event()
            ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
            thread = threading.Thread(target=self._thread, args=(stop, ended), name="kopf", daemon=True)
            thread.start()
            try:
                error = await asyncio.shield(ended)
            finally:
                stop.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_LIMIT):
                        await asyncio.shield(ended)
            why = f"{type(error).__name__}: {error}" if error is not None else "no reason given"
            logger.warning("the watch ended (%s); started again in %.0f s", why, RESTART)
            await asyncio.sleep(RESTART)

    def _thread(self, stop: threading.Event, ended: asyncio.Future[BaseException | None]) -> None:
        loop = ended.get_loop()

        def on_event(kind: Kind, type: str | None, obj: Object) -> None:
            loop.call_soon_threadsafe(self._feed.on_event, kind, type, obj)

        error: BaseException | None = None
        try:
            asyncio.run(
                kopf.operator(
                    registry=_registry(on_event),
                    settings=_settings(self._namespaces),
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    standalone=True,
                    stop_flag=stop,
                )
            )
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):  # our loop is closed already: the process is ending
            loop.call_soon_threadsafe(ended.set_result, error)


def _registry(on_event: OnEvent) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id="feed")(
            _handler(kind, on_event)
        )
    kopf.on.login(registry=registry, id="login", retries=3)(_login)
    return registry


def _handler(kind: Kind, on_event: OnEvent) -> Any:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:
        on_event(kind, event["type"], event["object"])

    return handle


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Service account inside a pod, else $KUBECONFIG: the same order as `controller.kube.config`."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


class _NoEssence(kopf.DiffBaseStorage):
    """For change handlers kopf would copy every object of every event, deeply; there are none here."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


def _settings(namespaces: Sequence[str]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.inactivity_timeout = WATCH_SILENCE
    settings.watching.chunk_size = 500
    settings.scanning.disabled = bool(namespaces)
    settings.persistence.finalizer = "nxc.dev/kopf"  # never written; named so that it would be known
    settings.persistence.diffbase_storage = _NoEssence()
    settings.process.ultimate_exiting_timeout = None  # it would kill the whole process
    return settings
