"""As much of HTTP/1.1 as a booting node needs (RFC 9112), on a stream that may outlive its speaker.

A node behind QEMU's guestfwd reaches us through one connection that QEMU keeps: requests of one TCP
connection after the other arrive on it, one of which may have been cut in the middle. So nothing is closed
while requests can be told apart, and one that does not go on within `STALL` seconds is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

HEAD_LIMIT = 8 * 1024
BODY_LIMIT = 16 * 1024
STALL = 5.0
"""Seconds within which a request must be complete once it began."""
_METHODS = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"PATCH ", b"OPTIONS ")
_PHRASES = {
    200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    409: "Conflict", 411: "Length Required", 413: "Content Too Large", 429: "Too Many Requests",
    431: "Request Header Fields Too Large",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request."""

    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `close`: what follows on the stream cannot be told apart any more."""

    code: int
    body: bytes = b""
    type: str = "text/plain; charset=us-ascii"
    close: bool = False

    def encode(self, *, keep: bool) -> bytes:
        """The bytes on the wire. RFC 9110 8.6: no Content-Length with 204, which is why we do not send 204."""
        head = (
            f"HTTP/1.1 {self.code} {_PHRASES.get(self.code, 'Answer')}\r\n"
            f"Content-Type: {self.type}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            "Cache-Control: no-store\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        )
        return head.encode("ascii") + self.body


class Malformed(Exception):
    """A request that cannot be answered as it stands."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body.decode())
        self.response = response


Handler = Callable[[Request], Response]


async def converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    handler: Handler,
    *,
    keep: bool,
    idle: float | None,
) -> None:
    """Answer requests until the other end closes. `keep`: never close by ourselves; `idle`: seconds of silence."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        while True:
            async with asyncio.timeout(idle):
                first = await reader.readexactly(1)
            try:
                async with asyncio.timeout(STALL):
                    request = await _read(first, reader)
            except TimeoutError:
                if keep:  # a speaker that was cut off; the next request starts afresh
                    await _drop_what_is_there(reader)
                    continue
                return
            except Malformed as error:
                writer.write(error.response.encode(keep=keep))
                await writer.drain()
                if keep:
                    await _drop_what_is_there(reader)
                    continue
                return
            response = handler(request)
            writer.write(response.encode(keep=keep))
            async with asyncio.timeout(STALL):
                await writer.drain()
            if not keep:
                return


async def _drop_what_is_there(reader: asyncio.StreamReader) -> None:
    """Read on until the speaker pauses: the rest of something malformed."""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.2):
                if not await reader.read(HEAD_LIMIT):
                    return


async def _read(first: bytes, reader: asyncio.StreamReader) -> Request:
    head = bytearray(first)
    while not head.endswith(b"\r\n\r\n"):
        try:
            head += await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise Malformed(Response(431, b"a line is too long")) from None
        if len(head) > HEAD_LIMIT:
            raise Malformed(Response(431, b"the head is too long"))
        if len(head) >= 8 and not head.startswith(_METHODS):
            raise Malformed(Response(400, b"no request line"))
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Malformed(Response(400, b"no request line"))
    length = 0
    for line in lines[1:-2]:
        name, _, value = line.partition(":")
        if name.lower() == "transfer-encoding":
            raise Malformed(Response(411, b"say Content-Length"))
        if name.lower() == "content-length":
            if not (value.strip().isascii() and value.strip().isdecimal()) or len(value.strip()) > 9:
                raise Malformed(Response(400, b"Content-Length is no number"))
            length = int(value)
    if length > BODY_LIMIT:
        raise Malformed(Response(413, b"the body is too long"))
    return Request(words[0], words[1], await reader.readexactly(length) if length else b"")
