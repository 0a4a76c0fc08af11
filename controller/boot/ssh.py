"""SSH to a node, with the host key that it reported and its deployment's client key, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass

import asyncssh

from controller.model.errors import TestbedError

CONNECT_LIMIT = 10.0
asyncssh.set_log_level(logging.WARNING)  # it tells of every command at info
OUTPUT_LIMIT = 256 * 1024
KEEPALIVE, MISSED = 15, 3
"""Seconds between two signs of life on an idle connection, and how many may be missed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command said: its exit status (-1: none, a signal ended it), and both outputs, cut at `OUTPUT_LIMIT`."""

    status: int
    output: str
    errors: str


class Session:
    """One authenticated connection to one node."""

    def __init__(self, connection: asyncssh.SSHClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def open(
        cls, address: str, port: int, *, host_key: str, client_key: str, user: str = "root"
    ) -> Session:
        """Log in. `host_key` as in known_hosts, without names; `client_key` as OpenSSH's PEM.

        Raises `TestbedError`: `HostKeyChanged` where somebody else answers, `LoginRefused` where the node does
        not take our key, `NotAnswering` for everything else.
        """
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                connection = await asyncssh.connect(
                    address,
                    port,
                    username=user,
                    known_hosts=([asyncssh.import_public_key(host_key)], [], []),
                    client_keys=[asyncssh.import_private_key(client_key)],
                    config=None,
                    agent_path=None,
                    gss_auth=False,
                    gss_kex=False,
                    preferred_auth="publickey",
                    connect_timeout=CONNECT_LIMIT,
                    login_timeout=CONNECT_LIMIT,
                    keepalive_interval=KEEPALIVE,
                    keepalive_count_max=MISSED,
                )
        except asyncssh.HostKeyNotVerifiable:
            raise TestbedError(
                "HostKeyChanged", "it answers with another host key than it reported"
            ) from None
        except asyncssh.PermissionDenied:
            raise TestbedError("LoginRefused", "it does not take the deployment's key") from None
        except asyncssh.KeyImportError as error:
            raise TestbedError("BadKey", f"a key cannot be read: {error}") from None
        except TimeoutError:
            raise TestbedError("NotAnswering", f"no SSH session within {CONNECT_LIMIT:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise TestbedError("NotAnswering", f"no SSH session: {_why(error)}") from None
        return cls(connection)

    async def run(self, command: str, *, seconds: float, stdin: str = "") -> Answer:
        """Run a command. Raises `TestbedError` where the session broke or it took longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                async with self._connection.create_process(command) as process:
                    with contextlib.suppress(BrokenPipeError):  # it ended already, and read nothing
                        process.stdin.write(stdin)
                        process.stdin.write_eof()
                    output, errors = await asyncio.gather(_some(process.stdout), _some(process.stderr))
                    finished = await process.wait()
        except TimeoutError:
            raise TestbedError("NotAnswering", f"no answer within {seconds:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise TestbedError("NotAnswering", f"the SSH session broke: {_why(error)}") from None
        status = finished.exit_status
        return Answer(status if status is not None else -1, output, errors)

    async def closed(self) -> None:
        """Return when the connection has ended, for whatever reason."""
        await self._connection.wait_closed()

    async def aclose(self) -> None:
        """End the connection."""
        self._connection.close()
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(1.0):
                await self._connection.wait_closed()


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


async def _some(stream: asyncssh.SSHReader[str]) -> str:
    """The beginning of a stream, all of which is read: who writes too much must not wait for us."""
    parts: list[str] = []
    size = 0
    while part := await stream.read(32 * 1024):
        if size < OUTPUT_LIMIT:
            parts.append(part[: OUTPUT_LIMIT - size])
            size += len(parts[-1])
    return "".join(parts)
