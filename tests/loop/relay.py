"""A TCP relay before an API server, which can be cut and mended: the network of an operator under test."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.loop.process import free_port


class Relay:
    """Passes bytes on between its port and a server's."""

    def __init__(self, url: str) -> None:
        """`url`: the server behind it."""
        parts = urlsplit(url)
        self._behind = (parts.hostname or "127.0.0.1", parts.port or 443)
        self.port = free_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Listen, and let through."""
        assert self._server is None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Listen no more, and end every connection."""
        if self._server is None:
            return
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(*self._behind)
        ends = {writer, behind_writer}
        self._open |= ends
        try:
            await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
    except OSError:
        writer.close()


def kubeconfig(
    given: Path, made: Path, *, server: str = "", user: dict[str, Any] | None = None, ca: str = ""
) -> Path:
    """A copy of a kubeconfig with another server, login, or certificate authority (base64 of its PEM)."""
    document = read(given)
    context = next(c for c in document["contexts"] if c["name"] == document["current-context"])["context"]
    cluster = next(c for c in document["clusters"] if c["name"] == context["cluster"])["cluster"]
    if server:
        cluster["server"] = server
    if ca:
        cluster.pop("certificate-authority", None)
        cluster["certificate-authority-data"] = ca
    if user is not None:
        next(u for u in document["users"] if u["name"] == context["user"])["user"] = user
    made.write_text(yaml.safe_dump(document))
    made.chmod(0o600)
    return made


def read(path: Path) -> dict[str, Any]:
    """A kubeconfig's content."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def server_of(path: Path) -> str:
    """The URL of the server that a kubeconfig names."""
    document = read(path)
    context = next(c for c in document["contexts"] if c["name"] == document["current-context"])["context"]
    url: str = next(c for c in document["clusters"] if c["name"] == context["cluster"])["cluster"]["server"]
    return url
