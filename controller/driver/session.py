"""SSH to one node, from the caller's machine: the host key that it reported, one key, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shlex
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from controller.driver.target import Identity, Target, checked_via
from controller.model.errors import TestbedError, UserError

Opened = TypeVar("Opened")
asyncssh.set_log_level(logging.WARNING)
CONNECT_LIMIT = 20.0
KEEPALIVE, MISSED = 5, 4
"""Seconds between two signs of life, and how many may be missed: a node that is gone is noticed in 20 s."""
PIECE = 64 * 1024
REFUSED_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds to wait before a channel that the node refused is asked for again."""
OUTPUT_LIMIT = 64 * 1024 * 1024
"""Bytes of a command's output that are kept for a script."""
GRACE = 10.0
"""Seconds beyond a command's own limit after which the node, which should have ended it, is given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to: exit status as a shell has it, and its standard output."""

    status: int
    output: str


class Session:
    """One authenticated connection to one node."""

    def __init__(self, target: Target, connection: asyncssh.SSHClientConnection) -> None:
        self.target = target
        self.connection = connection
        self._drains: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, target: Target, identity: Identity, *, via: str = "") -> Session:
        """Log in. `via`: a host to jump over, as the user's own ssh reaches it.

        Raises `UserError` `LoginRefused` or `BadKey`, and `TestbedError` `HostKeyChanged` or `NotAnswering`.
        """
        key = _key(identity)
        tunnel = ["ssh", "-W", f"[{target.address}]:{target.port}", "--", checked_via(via)] if via else None
        try:
            async with asyncio.timeout(CONNECT_LIMIT):
                connection = await asyncssh.connect(
                    target.address,
                    target.port,
                    sock=await _by_socket(target.socket) if target.socket else None,
                    username=identity.user,
                    known_hosts=([asyncssh.import_public_key(target.host_key)], [], []),
                    client_keys=[key],
                    config=None,
                    agent_path=None,
                    gss_auth=False,
                    gss_kex=False,
                    preferred_auth="publickey",
                    proxy_command=tunnel or (),
                    keepalive_interval=KEEPALIVE,
                    keepalive_count_max=MISSED,
                )
        except asyncssh.HostKeyNotVerifiable:
            raise TestbedError(
                "HostKeyChanged",
                f"{target.host}: who answers at {target.address}:{target.port} has another host key than the node "
                "reported; not logged in (is this the controller's host, and is the node's status current?)",
            ) from None
        except asyncssh.PermissionDenied:
            raise UserError(
                "LoginRefused",
                f"{target.host} does not take this key for user {identity.user}: it takes the deployment's, and "
                "those in spec.authorizedKeys",
            ) from None
        except TimeoutError:
            raise TestbedError(
                "NotAnswering", f"{target.host}: no SSH session within {CONNECT_LIMIT:.0f} s"
            ) from None
        except (OSError, asyncssh.Error) as error:
            raise TestbedError(
                "NotAnswering", f"{target.host}: no SSH session: {_why(error, target)}"
            ) from None
        return cls(target, connection)

    async def aclose(self) -> None:
        """End the connection, and whatever still writes to it."""
        for task in self._drains:
            task.cancel()
        self.connection.close()
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(1.0):
                await self.connection.wait_closed()

    async def closed(self) -> None:
        """Return when the connection has ended, for whatever reason."""
        await self.connection.wait_closed()

    async def stream(self, command: str, line: Callable[[bool, str], None]) -> int:
        """Run a command as the user's shell does; each line goes to `line(is_error, text)`. Its exit status.

        128 plus the number of the signal, where one ended it. Raises `TestbedError` where the session broke.
        """
        try:
            async with await self._start(command, encoding="utf-8", errors="replace") as process:
                try:
                    process.stdin.write_eof()
                    await asyncio.gather(
                        _lines(process.stdout, lambda text: line(False, text)),
                        _lines(process.stderr, lambda text: line(True, text)),
                    )
                    finished = await process.wait()
                except asyncio.CancelledError:
                    with contextlib.suppress(OSError, asyncssh.Error):
                        process.terminate()
                    raise
        except (OSError, asyncssh.Error) as error:
            raise self._broken(error) from None
        if finished.exit_status is None:
            raise TestbedError(
                "SessionBroken", f"{self.target.host}: the session ended before the command did"
            )
        if finished.exit_signal is not None:
            return 128 + _SIGNALS.get(finished.exit_signal[0], 0)
        return finished.exit_status

    async def shell(
        self,
        command: str,
        *,
        seconds: float | None,
        complain: Callable[[str], None],
        stdin: bytes = b"",
    ) -> Outcome:
        """Run a command as NixOS' test driver does: by bash where there is one, errors ending it.

        The end of the command is marked in its output, so that programs it leaves behind in the background hold
        nobody up; what they go on to say is passed to `complain`, like all of the command's error output. A
        command that takes longer than `seconds` is ended by the node, with status 124 (timeout(1)).
        Raises `TestbedError` where the session breaks, or the node does not end it.
        """
        mark = secrets.token_hex(16)
        try:
            process = await self._start(wrapped(command, mark, seconds), encoding=None)
            with contextlib.suppress(OSError):  # it may have ended already, without reading
                process.stdin.write(stdin)
                process.stdin.write_eof()
            errors = asyncio.create_task(_lines_of_bytes(process.stderr, complain))
            self._drains.add(errors)
            errors.add_done_callback(self._drains.discard)
            try:
                async with asyncio.timeout(None if seconds is None else seconds + GRACE):
                    output, status = await self._until(process, mark.encode())
            except TimeoutError:
                process.close()
                raise TestbedError(
                    "NotAnswering", f"{self.target.host} did not end a command after {seconds:.0f} s"
                ) from None
            except asyncio.CancelledError:
                with contextlib.suppress(OSError, asyncssh.Error):
                    process.terminate()
                    process.close()
                raise
        except (OSError, asyncssh.Error) as error:
            raise self._broken(error) from None
        rest = asyncio.create_task(_discard(process.stdout))
        self._drains.add(rest)
        rest.add_done_callback(self._drains.discard)
        # what the command itself complained of came before its end; give it the moment that it is under way
        await asyncio.wait([errors], timeout=0.05)
        return Outcome(status, output.decode(errors="replace"))

    async def _start(self, command: str, **options: Any) -> asyncssh.SSHClientProcess[Any]:
        """Have a command run, once: it waits at the node until its channel is known to stand.

        Where a process of another channel ends between the opening of a channel and the request to run something
        in it, Dropbear 2022.83 closes that channel, and runs the command all the same.
        """
        process = await self._opened(
            lambda: self.connection.create_process(f"read -r _ || exit 125; {command}", **options)
        )
        process.stdin.write("\n" if options["encoding"] else b"\n")
        return process

    async def _opened(self, open_channel: Callable[[], Awaitable[Opened]]) -> Opened:
        for pause in REFUSED_PAUSES:
            with contextlib.suppress(asyncssh.ChannelOpenError):
                return await open_channel()
            await asyncio.sleep(pause)
        return await open_channel()

    async def _until(self, process: asyncssh.SSHClientProcess[bytes], mark: bytes) -> tuple[bytes, int]:
        """The output up to the mark, and the exit status beside it."""
        kept = bytearray()
        while True:
            piece = await process.stdout.read(PIECE)
            if not piece:
                raise TestbedError(
                    "SessionBroken", f"{self.target.host}: the session ended before the command did"
                )
            kept += piece
            at = kept.find(mark, max(0, len(kept) - len(piece) - len(mark)))
            if at >= 0:
                while b"\n" not in kept[at:]:
                    kept += await process.stdout.read(PIECE) or b"\n"
                said = bytes(kept[at + len(mark) : kept.index(b"\n", at)]).strip()
                return bytes(kept[:at]), int(said) if said.isdigit() else 255
            if len(kept) > OUTPUT_LIMIT:
                process.terminate()
                process.close()
                raise UserError(
                    "TooMuchOutput", f"{self.target.host}: a command wrote more than {OUTPUT_LIMIT >> 20} MiB"
                )

    async def listens(self, address: str, port: int) -> bool:
        """Whether a TCP port accepts, seen from the node (through a forwarding of its SSH server)."""
        try:
            async with asyncio.timeout(10.0):
                _, writer = await self.connection.open_connection(address, port, encoding=None)
        except asyncssh.ChannelOpenError as error:
            if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
                probe = f"nc -z {shlex.quote(address)} {port}"
                return (await self.shell(probe, seconds=10, complain=lambda _: None)).status == 0
            return False
        except TimeoutError:
            return False
        except (OSError, asyncssh.Error) as error:
            raise self._broken(error) from None
        writer.close()
        return True

    async def put(self, source: Path, target: str) -> None:
        """Copy a file or a folder to the node, as cp -r does. Raises `UserError` and `TestbedError`."""
        await self.shell(
            f"mkdir -p -- {shlex.quote(os.path.dirname(target) or '.')}", seconds=60, complain=lambda _: None
        )
        try:
            async with await self._opened(self.connection.start_sftp_client) as sftp:
                await sftp.put(str(source), target, recurse=True, follow_symlinks=True, preserve=False)
        except (OSError, asyncssh.SFTPError) as error:
            raise UserError("CopyFailed", f"{self.target.host}: {source} to {target}: {error}") from None
        except asyncssh.Error as error:
            raise self._broken(error) from None

    async def get(self, source: str, target: Path) -> None:
        """Copy a file or a folder from the node. Raises `UserError` and `TestbedError`."""
        try:
            async with await self._opened(self.connection.start_sftp_client) as sftp:
                await sftp.get(source, str(target), recurse=True, follow_symlinks=False, preserve=False)
        except (OSError, asyncssh.SFTPError) as error:
            raise UserError("CopyFailed", f"{self.target.host}: {source} to {target}: {error}") from None
        except asyncssh.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: Exception) -> TestbedError:
        return TestbedError(
            "SessionBroken", f"{self.target.host}: the SSH session broke: {_why(error, self.target)}"
        )


_SIGNALS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ILL": 4,
    "ABRT": 6,
    "FPE": 8,
    "KILL": 9,
    "SEGV": 11,
    "PIPE": 13,
    "TERM": 15,
}
"""RFC 4254, section 6.10; numbers of Linux."""


def wrapped(command: str, mark: str, seconds: float | None) -> str:
    """What the node's login shell is told: run the command in a shell of its own, then print mark and status.

    `set -euo pipefail` is NixOS' test driver's rule. POSIX sh; busybox' ash knows pipefail as well.
    """
    inner = (
        "if [ -r /etc/profile ]; then . /etc/profile; fi >/dev/null 2>&1; "
        f"cd /tmp 2>/dev/null || cd /; set -euo pipefail; {command}"
    )
    limit = f"timeout {max(1, round(seconds))} " if seconds is not None else ""
    return (
        "shell=$(command -v bash || command -v sh); "
        f'{limit}"$shell" -c {shlex.quote(inner)}; printf "%s %d\\n" {mark} $?'
    )


def _key(identity: Identity) -> asyncssh.SSHKey:
    try:
        if identity.file is not None:
            return asyncssh.read_private_key(str(identity.file))
        return asyncssh.import_private_key(identity.key)
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        name = identity.file or "the deployment's Secret"
        raise UserError("BadKey", f"the private key in {name} cannot be used: {error}") from None


async def _by_socket(path: str) -> socket.socket:
    """A connection to a UNIX socket. OSError: nobody is there."""
    made = socket.socket(socket.AF_UNIX)
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, path)
    except BaseException:
        made.close()
        raise
    return made


def _why(error: Exception, target: Target) -> str:
    why = str(error) or type(error).__name__
    if isinstance(error, ConnectionRefusedError) and target.loopback:
        return (
            f"nothing answers at {target.address}:{target.port}. That address is the controller's host's: "
            "is this it? Else go by it with --via HOST"
        )
    return why


async def _lines(reader: asyncssh.SSHReader[str], line: Callable[[str], None]) -> None:
    rest = ""
    while piece := await reader.read(PIECE):
        *whole, rest = (rest + piece).split("\n")
        for text in whole:
            line(text.rstrip("\r"))
        if len(rest) > PIECE:
            line(rest)
            rest = ""
    if rest:
        line(rest)


async def _lines_of_bytes(reader: asyncssh.SSHReader[bytes], line: Callable[[str], None]) -> None:
    rest = b""
    with contextlib.suppress(OSError, asyncssh.Error):
        while piece := await reader.read(PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            for text in whole:
                line(text.decode(errors="replace").rstrip("\r"))
            if len(rest) > PIECE:
                line(rest.decode(errors="replace"))
                rest = b""
    if rest:
        line(rest.decode(errors="replace"))


async def _discard(reader: asyncssh.SSHReader[bytes]) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while await reader.read(PIECE):
            pass
