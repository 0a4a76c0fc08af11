"""kopf's part: log in, watch the four kinds, reconnect. Its handlers only pass events on.

Of kopf only `@kopf.on.event` is used: it writes nothing to the API and keeps nothing. Change handlers
write annotations that a Nix expression overflows, timers write finalizers, and indices go stale after a
watch gap and cost O(N²) at start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import kopf

from controller.model.kinds import WATCHED, Kind
from controller.runtime.feed import Feed

logger = logging.getLogger(__name__)

RESTART = 5.0
WATCH_SILENCE = 70.0
"""Seconds without an event or bookmark after which kopf takes a watch for dead and reconnects."""


class KopfFeed:
    """Feeds the store from kopf's watches."""

    def __init__(self, feed: Feed, *, namespaces: Sequence[str] = ()) -> None:
        self._feed, self._namespaces = feed, tuple(namespaces)
        self.heard_at: float = 0.0

    async def run(self) -> None:
        """Watch until cancelled; when kopf ends or fails, start it anew."""
        while True:
            try:
                await kopf.operator(
                    registry=self._registry(),
                    settings=_settings(self._namespaces),
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    standalone=True,
                )
                logger.warning("the watch ended; started again in %.0f s", RESTART)
            except Exception as error:
                logger.warning(
                    "the watch failed (%s: %s); started again in %.0f s", type(error).__name__, error, RESTART
                )
            await asyncio.sleep(RESTART)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        for kind in WATCHED:
            kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id="feed")(
                self._handler(kind)
            )
        kopf.on.login(registry=registry, id="login", retries=3)(_login)
        return registry

    def _handler(self, kind: Kind) -> Any:
        async def handle(event: kopf.RawEvent, **_: Any) -> None:
            self.heard_at = asyncio.get_running_loop().time()
            self._feed.on_event(kind, event["type"], event["object"])

        return handle


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Service account inside a pod, else $KUBECONFIG: the same order as `controller.kube.config`."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


def _settings(namespaces: Sequence[str]) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.inactivity_timeout = WATCH_SILENCE
    settings.watching.chunk_size = 500
    settings.scanning.disabled = bool(namespaces)
    settings.persistence.finalizer = "nxc.dev/kopf"  # never written; named so that it would be known
    return settings
