"""A small HTTPS client for our own commands, which act as the administrator of a running control plane."""

from __future__ import annotations

import http.client
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from controller.local.certificates import Authority, now
from controller.local.core.errors import ApiError
from controller.local.errors import LocalError
from controller.local.state import running_server

COMMAND_LIFE = timedelta(minutes=10)
SECONDS = 30.0


class Client:
    """Speaks to one server; every call raises `ApiError` for a refusal and `LocalError` when nobody answers."""

    def __init__(self, server: str, context: ssl.SSLContext) -> None:
        self.server = server
        self._context = context

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Send one request with a JSON body and return the JSON answer."""
        where = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, context=self._context, timeout=SECONDS
        )
        try:
            data = orjson.dumps(body) if body is not None else None
            connection.request(
                method, path, data, {"Content-Type": "application/json", "User-Agent": "nxc-controller"}
            )
            response = connection.getresponse()
            answer = orjson.loads(response.read())
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            raise LocalError(f"the control plane at {self.server} does not answer: {error}") from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(response.status, answer.get("reason", ""), answer.get("message", ""))
        assert isinstance(answer, dict)
        return answer


@contextmanager
def administrator(state: Path, authority: Authority) -> Iterator[Client]:
    """A client for the server that runs on this state, with a certificate that lives ten minutes."""
    server = running_server(state)
    identity = authority.client("nxc-controller", ["system:masters"], now(), COMMAND_LIFE)
    context = ssl.create_default_context(cadata=authority.pem.decode())
    with tempfile.TemporaryDirectory(prefix="nxc-") as directory:  # mode 0700; module ssl reads files alone
        pair = Path(directory) / "pair.pem"
        pair.write_bytes(identity.certificate + identity.key)
        context.load_cert_chain(pair)
    yield Client(server, context)
