"""A node's stand-in: asyncssh's server on loopback. Commands are really run, by this machine's shell, or answered."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import Any

import asyncssh

from controller.driver.target import Identity, Target
from controller.model.node import Node, NodeSpec
from tests.unit.plan.make import node

Answer = Callable[[str], tuple[int, str, str] | None]


class StandIn:
    """One node. `answer(command)` gives (status, output, errors), or `None` to have the command really run."""

    def __init__(self, host: str, role: str, client_key: asyncssh.SSHKey) -> None:
        self.host, self.role = host, role
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.commands: list[str] = []
        self.answer: Answer = lambda _: None
        self.forwards = True
        self._client_key = client_key
        self._server: asyncssh.SSHAcceptor | None = None
        self._connections: list[asyncssh.SSHServerConnection] = []
        self._running: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        keys = asyncssh.import_authorized_keys(self._client_key.export_public_key().decode())
        self._server = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Server(self),
            server_host_keys=[self.host_key],
            authorized_client_keys=keys,
            process_factory=self._process,
            sftp_factory=asyncssh.SFTPServer,
            encoding=None,
        )
        self.port = self._server.get_port()

    async def stop(self) -> None:
        """As when a machine's power is cut."""
        if self._server is not None:
            self._server.close()
            for connection in self._connections:
                connection.abort()
            self._connections = []
            for task in tuple(self._running):
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def key(self) -> str:
        return " ".join(self.host_key.export_public_key().decode().split()[:2])

    def target(self, boot: str = "uid/1") -> Target:
        return Target("lab", "web", self.role, self.host, "127.0.0.1", self.port, self.key(), boot=boot)

    def node(self, **status: Any) -> Node:
        spec = NodeSpec("web", self.role, self.host, "m1", "local", "vm-ramdisk", "sha256:a")
        return node(
            spec, meta={"namespace": "lab"}, address=f"127.0.0.1:{self.port}", hostKey=self.key(), **status
        )

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        task = asyncio.create_task(self._run(process))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        self.commands.append(command)
        answered = self.answer(command)
        if answered is not None:
            status, output, errors = answered
            with contextlib.suppress(OSError, asyncssh.Error):
                process.stdout.write(output.encode())
                process.stderr.write(errors.encode())
                process.exit(status)
            return
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        feeding = asyncio.create_task(_feed(process, child.stdin))
        pumping = [
            asyncio.create_task(_pump(child.stdout, process.stdout)),
            asyncio.create_task(_pump(child.stderr, process.stderr)),
        ]
        try:
            status = await child.wait()
            await asyncio.gather(*pumping)  # like OpenSSH's: the channel ends when nobody holds its outputs
            process.exit(status if status >= 0 else 128 - status)
        finally:
            for task in (feeding, *pumping):
                task.cancel()
            if child.returncode is None:
                child.kill()
                await child.wait()
            child._transport.close()  # type: ignore[attr-defined]  # asyncio waits for those who hold its outputs
            await asyncio.gather(feeding, *pumping, return_exceptions=True)


async def _feed(process: asyncssh.SSHServerProcess[bytes], stdin: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while piece := await process.stdin.read(65536):
            stdin.write(piece)
            await stdin.drain()
        stdin.close()


async def _pump(source: asyncio.StreamReader, sink: asyncssh.SSHWriter[bytes]) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while piece := await source.read(65536):
            sink.write(piece)


class _Server(asyncssh.SSHServer):
    def __init__(self, owner: StandIn) -> None:
        self._owner = owner

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._owner._connections.append(conn)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        return self._owner.forwards


def identity(key: asyncssh.SSHKey) -> Identity:
    return Identity("root", key=key.export_private_key().decode())


@contextlib.asynccontextmanager
async def nodes(*names: str, role: str = "client"):
    """Stand-ins that run, and the identity that they take."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    made = [StandIn(name, "server" if name == "server" else role, key) for name in names]
    for stand_in in made:
        await stand_in.start()
    try:
        yield made, identity(key)
    finally:
        for stand_in in made:
            await stand_in.stop()
