"""The operator as a process: log in, check the surroundings, watch, lead, serve health, end cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import secrets
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any

from controller.app import Operator, Settings
from controller.build.api import ENTRY_POINT_GROUP as BUILDERS
from controller.build.api import BuilderFactory
from controller.flavours.api import ENTRY_POINT_GROUP as FLAVOURS
from controller.flavours.api import Flavour
from controller.kube.client import Client
from controller.kube.config import kubeconfig_path, load
from controller.kube.preflight import findings
from controller.model.errors import NxcError
from controller.observe.health import serve
from controller.runtime.kopf_feed import KopfFeed
from controller.sandbox.trials import jailed

logger = logging.getLogger(__name__)

CRD_REVISION = 4
LOOK_AGAIN = 2.0
"""Seconds between two looks at surroundings that are not right yet."""
STUCK_AFTER = 300.0
"""Seconds that a key may wait, or a reconcile run, before the process counts as stuck."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `nxc-controller run`."""

    kubeconfig: str | None = None
    context: str | None = None
    health_address: str = "127.0.0.1"
    health_port: int = 0
    identity: str = ""
    settings: Settings = field(default_factory=Settings)


class Daemon:
    """One operator process."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._wrong: list[str] = ["starting"]
        self._operator: Operator | None = None
        self._client: Client | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises `NxcError` where starting makes no sense (no usable kubeconfig)."""
        options = self._options
        configuration = await load(options.kubeconfig, context=options.context)
        if options.kubeconfig or options.context:
            # kopf logs in by itself, and knows only the environment
            os.environ["KUBECONFIG"] = kubeconfig_path(options.kubeconfig) or ""
            if options.context:
                os.environ["KUBECONTEXT"] = options.context
        client = self._client = Client(configuration)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        operator = self._operator = Operator(
            api=client,
            flavours=installed(FLAVOURS),
            builders=installed(BUILDERS),
            sandbox=jailed,
            clock=lambda: datetime.now(UTC),
            rng=random.Random(),  # noqa: S311 - jitter, not secrets
            settings=options.settings,
            identity=options.identity or f"{socket.gethostname()}_{secrets.token_hex(4)}",
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(client.aclose)
            await stack.enter_async_context(
                serve(
                    options.health_address,
                    options.health_port,
                    healthy=[self._stuck],
                    ready=[self._not_ready],
                    metrics=operator.metrics.render,
                )
            )
            work = asyncio.ensure_future(self._work(client, operator))
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not work.done():
                logger.info("stopping")
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def _work(self, client: Client, operator: Operator) -> None:
        await self._surroundings(client)
        client.outspoken = True
        feed = KopfFeed(operator.feed)
        async with asyncio.TaskGroup() as group:
            group.create_task(operator.run())
            group.create_task(feed.run())

    async def _surroundings(self, client: Client) -> None:
        """Wait until everything the operator needs is there, and say what is missing, once each."""
        said: set[str] = set()
        while True:
            try:
                namespace = self._options.settings.namespace
                looked = findings(client, revision=CRD_REVISION, namespace=namespace)
                wrong = [finding async for finding in looked]
            except NxcError as error:
                wrong = [f"the API server refused to be asked: {error.message}"]
            self._wrong = wrong
            if not wrong:
                if said:
                    logger.info("all is there now")
                return
            for finding in wrong:
                if finding not in said:
                    logger.error("%s", finding)
            said = set(wrong)
            await asyncio.sleep(LOOK_AGAIN)

    def _not_ready(self) -> str | None:
        trouble = self._client.trouble if self._client is not None else ""
        return "\n".join(self._wrong) or trouble or None

    def _stuck(self) -> str | None:
        queue = self._operator.queue if self._operator is not None else None
        if queue is None:
            return None
        if (waited := queue.oldest_wait()) > STUCK_AFTER:
            return f"a key has waited for {waited:.0f} s: no worker takes it"
        if (running := queue.longest_running()) > STUCK_AFTER:
            return f"a reconcile has run for {running:.0f} s"
        return None


def installed(group: str) -> Mapping[str, Any]:
    """What is installed in an entry-point group, by name; what cannot be loaded is left out, and named."""
    found: dict[str, Flavour | BuilderFactory] = {}
    for point in entry_points(group=group):
        try:
            found[point.name] = point.load()
        except Exception as error:
            logger.error("%s %r of %s cannot be loaded: %s", group, point.name, point.value, error)
    return found
