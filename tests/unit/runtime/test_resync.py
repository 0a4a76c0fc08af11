from __future__ import annotations

import random
from typing import Any

from controller.kube.api import Listing, Unreachable
from controller.model.kinds import DEPLOYMENT
from controller.observe.metrics import Metrics
from controller.runtime import resync as module
from controller.runtime.feed import Feed
from controller.runtime.resync import Resync
from controller.runtime.store import Store

from .test_store import WEB, deployment


class Server:
    def __init__(self) -> None:
        self.items: dict[Any, tuple[Any, ...]] = {}
        self.failures = 0

    async def list(self, kind: Any, *, namespace: str = "") -> Listing:
        if self.failures:
            self.failures -= 1
            raise Unreachable("down")
        return Listing(self.items.get(kind, ()), "100")


async def test_the_first_listing_is_tried_until_the_server_gives_it(monkeypatch):
    monkeypatch.setattr(module, "RETRY", 0.0)
    server = Server()
    server.failures = 3
    server.items[DEPLOYMENT] = (deployment(),)
    feed = Feed(Store())
    await Resync(server, feed, Metrics(), interval=1, rng=random.Random(1)).fill()
    assert feed.store.get(WEB) is not None


async def test_a_resync_looks_at_everything_and_finds_what_vanished(monkeypatch):
    server = Server()
    server.items[DEPLOYMENT] = (deployment("stays", uid="a"), deployment("goes", uid="b"))
    feed, metrics = Feed(Store()), Metrics()
    resync = Resync(server, feed, metrics, interval=1, rng=random.Random(1))
    await resync.fill()
    woken: dict[str, float] = {}
    feed.wake = lambda key, delay: woken.setdefault(key.name, delay)
    server.items[DEPLOYMENT] = (deployment("stays", uid="a"),)
    assert await resync._try(DEPLOYMENT, everything=True)
    assert woken["goes"] == 0
    assert 0 < woken["stays"] <= module.SPREAD
    found = metrics.registry.get_sample_value("nxc_resync_found_total", {"kind": "Deployment"})
    assert found == 1
