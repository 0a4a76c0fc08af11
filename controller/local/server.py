"""One API server: state, keys, core and socket put together, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import secrets
import socket
import ssl
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from controller.local import accounts, kubeconfig
from controller.local.access import Gate
from controller.local.authn import Tokens
from controller.local.bootstrap import install
from controller.local.certificates import (
    Authority,
    ends_soon,
    server_names,
    signing_key,
)
from controller.local.core.api import ApiCore
from controller.local.core.errors import ApiError
from controller.local.core.storage import Change
from controller.local.documents import Documents
from controller.local.encoding import Encoder
from controller.local.errors import LocalError
from controller.local.faults import Faults
from controller.local.http import Edge
from controller.local.listener import context_for, listen, load_certificate, reachable, watch_limit
from controller.local.metrics import Metrics
from controller.local.reviews import reviewer
from controller.local.sqlite import Database
from controller.local.state import StateDirectory
from controller.local.upkeep import Aggregation, expire_events
from controller.local.watching import Watches

log = logging.getLogger(__name__)

ADMINISTRATOR = "nxc-admin"
RETRY_SECONDS = 5.0
"""How long background work rests after the disk refused it."""
SYNC_SECONDS = 0.2
EVENT_CHECK = 300.0
CERTIFICATE_CHECK = 12 * 3600.0
STOP_SECONDS = 3.0
WINDOW = 2048
"""Changes that each resource remembers for watches; most of a busy server's memory."""
KEEPALIVE_SECONDS = 300.0
"""Longer than client-go keeps an idle connection (90 s), so that the client is the one who closes."""
LONGEST_LINE = 64 << 10
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""The letters of generateName (k8s.io/apimachinery/pkg/util/rand): no vowels, so no words."""


@dataclass(frozen=True)
class Settings:
    """Where a server keeps its state and where it listens. Port 0: any free one."""

    state: Path
    kubeconfig: Path
    bind: str = "127.0.0.1"
    port: int = 0
    faults: bool = False
    max_watches: int = 2048


def _clock() -> datetime:
    return datetime.now(UTC)


def _suffix() -> str:
    return "".join(secrets.choice(_SUFFIX) for _ in range(5))


class Server:
    """A running API server; `start` returns once it answers."""

    def __init__(
        self,
        settings: Settings,
        directory: StateDirectory,
        database: Database,
        authority: Authority,
        core: ApiCore,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._database = database
        self._authority = authority
        self.core = core
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.ServerRunner | None = None
        self._context: ssl.SSLContext | None = None
        self._aggregation = Aggregation(core)
        self.watches = Watches(watch_limit(settings.max_watches))
        self.url = ""
        self.started_at = 0
        """The resourceVersion at which this server began to answer."""

    @classmethod
    async def start(cls, settings: Settings) -> Server:
        """Raises `LocalError` with a sentence for the terminal when something stands in the way."""
        directory = StateDirectory.claim(settings.state)
        try:
            listener = listen(settings.bind, settings.port)
            try:
                return await cls._start(settings, directory, listener)
            except BaseException:
                listener.close()
                raise
        except BaseException:
            directory.release()
            raise

    @classmethod
    async def _start(cls, settings: Settings, directory: StateDirectory, listener: socket.socket) -> Server:
        authority = Authority.load_or_create(directory.path, _clock())
        database = Database.open(directory.path)
        try:
            encoder = Encoder()
            database.encode = encoder.encode
            gate = Gate()
            core = ApiCore(
                clock=_clock,
                new_uid=lambda: str(uuid.uuid4()),
                new_suffix=_suffix,
                journal=database,
                root_ca=authority.pem.decode(),
                admit=gate.admit,
                review=reviewer(gate.authorizer, lambda: tokens),
                window=WINDOW,
            )
            tokens = Tokens(
                signing_key(directory.path),
                clock=lambda: _clock().timestamp(),
                account_uid=functools.partial(accounts.account_uid, core),
                object_uid=lambda _, namespace, name: accounts.object_uid(core, "secrets", namespace, name),
            )
            core.load(*database.load())
            gate.attach(core.storage)
            core.storage.observers.append(functools.partial(_forget_previous, encoder))
            server = cls(settings, directory, database, authority, core)
            await server._open(listener, encoder, gate, tokens)
        except (ApiError, ValueError) as error:
            database.close()
            raise LocalError(f"{database.path} could not be brought up: {error}") from error
        except BaseException:
            database.close()
            raise
        return server

    async def _open(self, listener: socket.socket, encoder: Encoder, gate: Gate, tokens: Tokens) -> None:
        settings, core = self._settings, self.core
        core.bootstrap()
        install(core)
        core.settle()
        self._aggregation.settle()
        host, port = listener.getsockname()[:2]
        self.url = f"https://{reachable(settings.bind)}:{port}"
        edge = Edge(
            core,
            gate=gate,
            tokens=tokens,
            encoder=encoder,
            documents=Documents(core.registry, lambda: f"{host}:{port}"),
            watches=self.watches,
            metrics=Metrics(),
            clock=_clock,
            wake=self._work.set,
            faults=Faults() if settings.faults else None,
        )
        self._context = context_for(self._authority, self._directory.path, settings.bind, _clock())
        web_server = web.Server(
            edge,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )
        self._runner = web.ServerRunner(web_server, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._context, backlog=1024).start()
        self._write_kubeconfig()
        self._directory.announce(self.url)
        self.started_at = core.storage.revision
        self._tasks = [
            asyncio.create_task(self._background(), name="background work"),
            asyncio.create_task(self._renew(), name="certificate renewal"),
            asyncio.create_task(self._expire(), name="event expiry"),
            asyncio.create_task(self._sync(), name="disk"),
        ]

    async def stop(self) -> None:
        """End watches, finish what is being answered (a few seconds at most), close the state."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.watches.drop_all()
        if self._runner is not None:
            await self._runner.cleanup()
        self._database.close()
        self._directory.release()

    async def _background(self) -> None:
        """Garbage collection, namespace and CRD deletion: one step at a time between requests."""
        while True:
            try:
                while self.core.step():
                    await asyncio.sleep(0)  # requests go in between
                self._aggregation.settle()
            except ApiError as error:
                log.warning("background work rests for %.0f s: %s", RETRY_SECONDS, error.message)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception:
                log.exception("background work failed; it goes on in %.0f s", RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            await self._work.wait()
            self._work.clear()

    async def _sync(self) -> None:
        """What was written goes to the medium a few times a second."""
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            if self._database.dirty:
                try:
                    await asyncio.to_thread(self._database.sync)
                except OSError as error:
                    log.error("what was written is not on the disk yet: %s", error)

    async def _expire(self) -> None:
        """Events are news, not history."""
        while True:
            await asyncio.sleep(EVENT_CHECK)
            try:
                if expire_events(self.core, _clock()):
                    self._work.set()
            except ApiError as error:
                log.warning("old events could not be deleted: %s", error.message)

    async def _renew(self) -> None:
        """A server that runs for months serves a fresh certificate to new connections."""
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK)
            try:
                made = self._authority.server(
                    self._directory.path, server_names(self._settings.bind), _clock()
                )
                if made and self._context is not None:
                    load_certificate(self._context, self._directory.path)
                self._write_kubeconfig()
            except LocalError as error:
                log.error("the certificates could not be renewed: %s", error)

    def _write_kubeconfig(self) -> None:
        """The administrator's kubeconfig, with the key that it has while that is good for another month."""
        path = self._settings.kubeconfig
        identity = None
        if path.exists() and kubeconfig.is_ours(path):
            with contextlib.suppress(LocalError):
                old = kubeconfig.read(path).identity
                if self._authority.issued(old.certificate) and not ends_soon(old.certificate, _clock()):
                    identity = old
        identity = identity or self._authority.client(ADMINISTRATOR, ["system:masters"], _clock())
        access = kubeconfig.Access(self.url, self._authority.pem, identity, ADMINISTRATOR, "default")
        kubeconfig.write(path, access)


def _forget_previous(encoder: Encoder, change: Change) -> None:
    if change.previous is not None:
        encoder.forget(change.previous)
