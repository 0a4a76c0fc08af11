"""A virtual machine of a seed image, emulated, and what its user has of it: the console and a shell."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

MANAGEMENT = "52:54:00:00:00:01"
NETWORK = "52:54:00:01:00:{:02x}"
SERVER = "10.0.2.100:80"  # as the guest sees the test's HTTP server
RELAY = Path(__file__).with_name("relay.py")
BOOT_LIMIT = 150.0
"""Seconds: an emulated machine on a busy host takes ten times what it does on an idle one."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Image:
    """A built image: its manifest, and the store in whose files it lies."""

    manifest: Mapping[str, Any]
    root: Path

    @classmethod
    def of(cls, output: Path) -> Image:
        return cls(json.loads((output / "manifest.json").read_bytes()), output.parents[2])

    def physical(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def initrd(self, target: Path) -> Path:
        """The layers, one after the other, as a boot loader would have them."""
        with target.open("wb") as whole:
            for layer in self.manifest["initrd"]:
                with self.physical(layer).open("rb") as part:
                    shutil.copyfileobj(part, whole)
        return target


def information(role: str, key: str, **more: Any) -> dict[str, Any]:
    """A document as the controller writes it."""
    return {
        "version": 1,
        "deployment": "test",
        "namespace": "default",
        "node": "uid",
        "host": role,
        "role": role,
        "hosts": {role: {"address": "10.0.0.1", "aliases": [f"{role}1"]}},
        "authorizedKeys": [key],
        "interfaces": [{"mac": MANAGEMENT, "address": "10.0.2.15/24", "gateway": None}],
        "parameters": {},
    } | more


def inline(document: Mapping[str, Any]) -> str:
    """The kernel parameter that carries it whole."""
    return "nxc.info=" + base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@dataclass
class Machine:
    image: Image
    directory: Path
    parameters: Sequence[str]
    client_key: asyncssh.SSHKey
    memory: int = 192
    server_port: int | None = None
    """Port on loopback of the test's HTTP server."""
    network: str | None = None
    """QEMU's backend for a network between machines, such as `socket,listen=127.0.0.1:4000`."""
    number: int = 1
    ssh_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _connection: asyncssh.SSHClientConnection | None = None

    @property
    def console(self) -> str:
        path = self.directory / "console"
        return path.read_text("utf-8", "replace").replace("\r", "") if path.exists() else ""

    def boot(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        forward = (
            f",guestfwd=tcp:{SERVER}-cmd:{sys.executable} -S {RELAY} {self.server_port}"
            if self.server_port
            else ""
        )
        command = [
            "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "qemu64",
            "-m", str(self.memory), "-nodefaults", "-no-user-config", "-display", "none",
            "-serial", f"file:{self.directory / 'console'}", "-no-reboot",
            "-kernel", str(self.image.physical(self.image.manifest["kernel"])),
            "-initrd", str(self.image.initrd(self.directory / "initrd")),
            "-append", " ".join([*self.image.manifest["kernelParameters"], "panic=-1", *self.parameters]),
            "-netdev", f"user,id=m,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:{self.ssh_port}-10.0.2.15:22{forward}",
            "-device", f"virtio-net-pci,netdev=m,mac={MANAGEMENT},romfile=",
            "-device", "virtio-rng-pci",
        ]  # fmt: skip
        if self.network:
            mac = NETWORK.format(self.number)
            command += [
                "-netdev",
                f"{self.network},id=n",
                "-device",
                f"virtio-net-pci,netdev=n,mac={mac},romfile=",
            ]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def ended(self, limit: float = 60.0) -> bool:
        """Whether the machine turned itself off within that time."""
        async with asyncio.timeout(limit):
            while self.running():
                await asyncio.sleep(0.1)
        return True

    async def says(self, text: str, limit: float = BOOT_LIMIT) -> str:
        """The console once it has the text."""
        try:
            async with asyncio.timeout(limit):
                while text not in self.console:
                    assert self.running() or text in self.console, f"the machine ended:\n{self.console}"
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(
                f"no {text!r} on the console within {limit:.0f} s:\n{self.console}"
            ) from None
        return self.console

    async def run(self, command: str, limit: float = 90.0) -> tuple[int, str]:
        """Exit code, and what it printed on both."""
        connection = await self._connected()
        ended = await asyncio.wait_for(connection.run(command, stderr=asyncssh.STDOUT), limit)
        assert ended.exit_status is not None
        return ended.exit_status, str(ended.stdout)

    async def succeed(self, command: str, limit: float = 90.0) -> str:
        code, output = await self.run(command, limit)
        assert code == 0, f"{command}: exit code {code}: {output}\n{self.console}"
        return output

    async def eventually(self, command: str, limit: float = 90.0) -> str:
        """Again and again until it succeeds."""
        deadline = asyncio.get_running_loop().time() + limit
        while True:
            code, output = await self.run(command)
            if code == 0:
                return output
            assert asyncio.get_running_loop().time() < deadline, f"{command}: still {code}: {output}"
            await asyncio.sleep(0.5)

    async def connection(self) -> asyncssh.SSHClientConnection:
        return await self._connected()

    async def _connected(self) -> asyncssh.SSHClientConnection:
        deadline = asyncio.get_running_loop().time() + BOOT_LIMIT
        while self._connection is None:
            try:
                # QEMU accepts before the guest does: the limit is on the login as a whole
                self._connection = await asyncssh.connect(
                    "127.0.0.1", self.ssh_port, username="root", client_keys=[self.client_key],
                    known_hosts=None, config=None, login_timeout=30, connect_timeout=30,
                    server_host_key_algs=["ssh-ed25519"],  # dropbear ends where it is asked for another
                )  # fmt: skip
            except (OSError, asyncssh.Error) as error:
                if not self.running() or asyncio.get_running_loop().time() > deadline:
                    raise AssertionError(f"no SSH: {error}\n{self.console}") from error
                await asyncio.sleep(0.5)
        return self._connection

    async def off(self) -> None:
        """It is gone when this returns."""
        if self._connection is not None:
            self._connection.abort()
            await self._connection.wait_closed()
            self._connection = None
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
