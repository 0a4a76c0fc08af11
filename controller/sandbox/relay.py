"""From UNIX sockets, one a node, to the nodes' SSH servers, and nowhere else.

Outside of the jail, which has no network: its sockets are all that is in there. Bytes are copied, not looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from controller.model.address import parted
from controller.model.errors import NxcError
from controller.model.node import Node

CONNECTIONS = 32
"""To one node, at a time."""
CONNECT_LIMIT = 10.0
PIECE = 1 << 16

Look = Callable[[str], Node | None]


@asynccontextmanager
async def relays(
    directory: Path, hosts: Iterable[str], look: Look, *, owner: tuple[int, int] | None = None
) -> AsyncIterator[None]:
    """Sockets `directory/HOST`, as long as it lasts. `look`: the node of a host, as it stands now.

    `owner`: the user and group that may use them; the controller's own where none is named.
    """
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        async with AsyncExitStack() as stack:
            for host in hosts:
                await stack.enter_async_context(_relay(descriptor, host, look, owner))
            yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def _relay(directory: int, host: str, look: Look, owner: tuple[int, int] | None) -> AsyncIterator[None]:
    # A socket's path has 107 bytes at most; that of the directory may have more.
    path = f"/proc/self/fd/{directory}/{host}"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(path)
        if owner is not None:
            os.chown(path, *owner)
        relays: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if len(relays) >= CONNECTIONS:
                writer.close()
                return
            task = asyncio.create_task(_connect(reader, writer, partial(look, host)))
            relays.add(task)
            task.add_done_callback(relays.discard)

        server = await asyncio.start_unix_server(accept, sock=listening)
        try:
            yield
        finally:
            server.close()
            for task in relays:
                task.cancel()
            await asyncio.gather(*relays, return_exceptions=True)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


async def _connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, look: Callable[[], Node | None]
) -> None:
    """One connection from the jail; where the node is not there, it is closed."""
    with contextlib.closing(writer), contextlib.suppress(OSError, NxcError, TimeoutError):
        node = look()
        if node is None or node.meta.deleting or not node.status.address:
            return
        address, port = parted(node.status.address)
        async with asyncio.timeout(CONNECT_LIMIT):
            answers, requests = await asyncio.open_connection(address, port)
        with contextlib.closing(requests):
            await _either(_copy(reader, requests), _copy(answers, writer))


async def _either(*copies: Awaitable[None]) -> None:
    """Until one side has ended and the other has had its last words."""
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
