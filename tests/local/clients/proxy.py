"""A TCP relay in front of a control plane whose connections a test can cut: the network at its worst."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

from tests.local.plane import address


class Proxy:
    """Relays bytes, TLS and all, from a port of its own. `kubeconfig` leads through it."""

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        target = urlsplit(address(kubeconfig))
        assert target.hostname is not None
        assert target.port is not None
        self._target = (target.hostname, target.port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self._original = kubeconfig
        self.kubeconfig = directory / "through-proxy"
        self.accepted = 0

    async def __aenter__(self) -> Self:
        await self.restore()
        document = yaml.safe_load(self._original.read_bytes())
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        self.kubeconfig.write_text(yaml.safe_dump(document), encoding="utf-8")
        self.kubeconfig.chmod(0o600)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    @property
    def port(self) -> int:
        return self._port

    _port = 0

    async def restore(self) -> None:
        """Let clients in (again)."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Cut every connection and let nobody in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.drop()
        if self._relays:
            await asyncio.wait(self._relays, timeout=10)
        await asyncio.sleep(0.05)  # what was aborted is closed in the next turns of the loop

    def drop(self) -> None:
        """Cut every connection; new ones are welcome."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        if self._server is None:  # cut meanwhile
            writer.transport.abort()
            far_writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._relay(source, sink, writer, far_writer))
            self._relays.add(task)
            task.add_done_callback(self._relays.discard)

    async def _relay(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *both: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        for writer in both:
            self._open.discard(writer)
            writer.transport.abort()
