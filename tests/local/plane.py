"""Control planes to test against: a real one, ours in a thread, ours as a process that can be killed."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from controller.local.server import Server, Settings

START_SECONDS = 60.0
REAL = "NXC_TEST_KUBECONFIG"
"""Names the kubeconfig of a real control plane; of several, by colons, each of pytest's workers has one."""


@dataclass(frozen=True)
class ControlPlane:
    """A server that answers. `kind` is "local" or "real"."""

    kind: str
    kubeconfig: Path

    @property
    def name(self) -> str:
        return self.kind

    def __fspath__(self) -> str:
        return str(self.kubeconfig)

    def __str__(self) -> str:
        return str(self.kubeconfig)


def real_kubeconfig() -> Path | None:
    """Of the real control plane that is this process's to use, if there is one."""
    given = [Path(name) for name in os.environ.get(REAL, "").split(os.pathsep) if name]
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return given[worker % len(given)] if given else None


def tls(kubeconfig: Path, *, identity: bool = True) -> ssl.SSLContext:
    """What a client needs to speak to the server of a kubeconfig, with or without saying who it is."""
    document = yaml.safe_load(kubeconfig.read_bytes())
    authority = base64.b64decode(document["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    if identity:
        user = document["users"][0]["user"]
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def address(kubeconfig: Path) -> str:
    server = yaml.safe_load(kubeconfig.read_bytes())["clusters"][0]["cluster"]["server"]
    assert isinstance(server, str)
    return server


def http(kubeconfig: Path, *, identity: bool = True) -> httpx.Client:
    """Plain HTTP to a control plane, for what no client library would send."""
    return httpx.Client(base_url=address(kubeconfig), verify=tls(kubeconfig, identity=identity), timeout=30)


class LocalThread:
    """A local control plane in this process, on a free port, its event loop in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server: Server | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="local control plane", daemon=True)

    def _run(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            self.server = await Server.start(self.settings)
            self._ready.set()
            await self._stop.wait()
            await self.server.stop()

        try:
            asyncio.run(serve())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    def start(self) -> ControlPlane:
        self._thread.start()
        assert self._ready.wait(START_SECONDS), "the local control plane did not start within a minute"
        if self._error is not None:
            raise self._error
        return ControlPlane("local", self.settings.kubeconfig)

    def stop(self) -> None:
        if self.loop is not None and self._stop is not None and self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(30)
            assert not self._thread.is_alive(), "the local control plane did not stop within 30 s"
        if self._error is not None:
            raise self._error


class LocalProcess:
    """`nxc-controller up` as a real process, to be killed and started again; by default without the operator."""

    def __init__(self, directory: Path, *arguments: str, operator: bool = False) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.kubeconfig = directory / "kubeconfig"
        self.log = directory / "log"
        self._arguments = arguments if operator else ("--no-operator", *arguments)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *more: str) -> LocalProcess:
        """Start it and wait until it says that it answers."""
        position = self.log.stat().st_size if self.log.exists() else 0
        self.process = self.spawn(*more)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            said = self.log.read_bytes()[position:].decode()
            if "export KUBECONFIG" in said:
                return self
            if self.process.poll() is not None:
                raise AssertionError(f"`up` ended with {self.process.returncode}: {said}")
            time.sleep(0.05)
        raise AssertionError("`up` did not start within a minute")

    def spawn(self, *more: str) -> subprocess.Popen[bytes]:
        """Start the process and do not wait."""
        code = "import sys; from controller.local.up import main; sys.exit(main(sys.argv[1:]))"
        where = ["--state", str(self.state), "--kubeconfig", str(self.kubeconfig), "--port", "0"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code, *where, *self._arguments, *more],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


def status(answer: httpx.Response, code: int) -> dict[str, Any]:
    """The Status that a refusal with this code is."""
    document = answer.json()
    assert (answer.status_code, document["kind"], document["code"]) == (code, "Status", code), answer.text
    assert isinstance(document, dict)
    return document
