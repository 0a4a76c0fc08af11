"""Where the server listens and how it speaks TLS."""

from __future__ import annotations

import contextlib
import errno
import logging
import resource
import socket
import ssl
from asyncio import sslproto
from datetime import datetime
from pathlib import Path

from controller.local.certificates import Authority, is_unspecified, server_names
from controller.local.errors import LocalError

log = logging.getLogger(__name__)

READ_BUFFER = 32 << 10
"""Bytes that asyncio sets aside for each TLS connection: its 256 KiB would make thousands of watches costly."""
_NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which module ssl does not name: dates are judged in `authn`."""


def listen(bind: str, port: int) -> socket.socket:
    """A socket bound to this address; raises `LocalError` that says what to change."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((bind, port))
    except (OSError, OverflowError) as error:
        listener.close()
        where = f"{bind}:{port}"
        code = error.errno if isinstance(error, OSError) else None
        if code == errno.EADDRINUSE:
            raise LocalError(
                f"{where} is taken by another program; choose with --port (0: any free one)"
            ) from error
        if code == errno.EACCES:
            raise LocalError(f"{where} needs privileges; choose a --port over 1023") from error
        raise LocalError(f"cannot listen on {where}: {error}; choose with --bind and --port") from error
    listener.setblocking(False)
    return listener


def reachable(bind: str) -> str:
    """The address that a client on this machine uses for one that the server is bound to."""
    if is_unspecified(bind):
        return "[::1]" if ":" in bind else "127.0.0.1"
    return f"[{bind}]" if ":" in bind else bind


def context_for(authority: Authority, directory: Path, bind: str, now: datetime) -> ssl.SSLContext:
    """TLS 1.2 or later; a client certificate is asked for, not required."""
    authority.server(directory, server_names(bind), now)
    sslproto.SSLProtocol.max_size = READ_BUFFER
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, directory)
    context.load_verify_locations(cadata=authority.pem.decode())
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= _NO_CHECK_TIME
    context.set_alpn_protocols(["http/1.1"])
    return context


def load_certificate(context: ssl.SSLContext, directory: Path) -> None:
    """Serve the certificate that stands in `directory` now to connections from now on."""
    context.load_cert_chain(directory / "server.crt", directory / "server.key")


def watch_limit(wanted: int) -> int:
    """Raise the limit of open files as far as it goes, and carry no more watches than fit in it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    if soft == resource.RLIM_INFINITY:
        return wanted
    limit = max(16, min(wanted, soft - 512))
    if limit < wanted:
        log.warning(
            "only %d files may be open here (ulimit -n), so at most %d watches are carried", soft, limit
        )
    return limit
