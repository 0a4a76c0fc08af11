"""A Docker engine of the tests' own: a private root, no bridge of its own, and nobody's firewall touched."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

from controller.model.errors import TestbedError
from controller.testbeds import compose
from controller.testbeds.wall import Wall

START_SECONDS = 60.0


class NoEngine(Exception):
    """No engine can run here, and why."""


class PrivateEngine:
    """A dockerd that can be killed and started again; `directory` must be short, for its sockets."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "docker.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._compose: compose.Compose | None = None

    @property
    def endpoint(self) -> str:
        return f"unix://{self.socket}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> PrivateEngine:
        """Start it and wait until it answers. Raises `NoEngine` where it ends instead."""
        program = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin:/sbin")
        if program is None or shutil.which("docker") is None:
            raise NoEngine("Docker is not installed (Debian: docker.io, from 13 on docker-cli as well)")
        if self._compose is None:
            try:
                self._compose = asyncio.run(self._found_compose())
            except TestbedError as error:
                raise NoEngine(error.message) from None
        # of one that was killed, and maybe not waited for
        for left in ("pid", "exec/containerd/containerd.pid"):
            (self.directory / left).unlink(missing_ok=True)
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    *(
                        "--data-root",
                        str(self.directory / "data"),
                        "--exec-root",
                        str(self.directory / "exec"),
                    ),
                    *("--host", self.endpoint, "--pidfile", str(self.directory / "pid")),
                    *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"),
                    *("--containerd-namespace", "nxc-tests", "--containerd-plugins-namespace", "nxc-tests-p"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if not self.running:
                raise NoEngine(f"dockerd does not run here: {self.said()[-500:]}")
            assert time.monotonic() < deadline, (
                f"dockerd did not answer within {START_SECONDS} s: {self.said()[-2000:]}"
            )
            time.sleep(0.1)
        return self

    def try_out(self) -> None:
        """Run one container on one network. Raises `NoEngine` where the kernel does not let it."""
        with tempfile.NamedTemporaryFile(suffix=".tar") as empty:
            with tarfile.open(fileobj=empty, mode="w"):
                pass
            empty.flush()
            steps = [
                ["import", empty.name, "nxc-try:1"],
                ["network", "create", "--internal", "--subnet", "10.207.255.0/24", "nxc-try"],
                [
                    *("run", "--rm", "--network", "nxc-try", "--memory", "64m", "--pids-limit", "64"),
                    *("--volume", "/bin/busybox:/bin/busybox:ro", "nxc-try:1", "/bin/busybox", "true"),
                ],
                ["network", "rm", "nxc-try"],
                ["rmi", "nxc-try:1"],
            ]
            for step in steps:
                done = self.docker(*step, check=False)
                if done.returncode != 0:
                    raise NoEngine(
                        f"containers do not run here: docker {step[0]}: {done.stderr.strip()[-300:]}"
                    )

    async def _found_compose(self) -> compose.Compose:
        """With the rest of what an operator needs to use an engine."""
        await Wall().keep([])
        return await compose.find(self.endpoint)

    def answers(self) -> bool:
        return self.socket.exists() and self.docker("version", check=False).returncode == 0

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does it; containers go on until the next start."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> None:
        """Containers and engine end."""
        if self._process is None:
            return
        if self.running:
            if self.answers() and (left := self.docker("ps", "-aq").stdout.split()):
                self.docker("rm", "-f", *left)
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith(f"{self.directory}/"):
                subprocess.run(["umount", "--lazy", place], check=False)

    def said(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line client, as somebody would use it by hand."""
        return subprocess.run(
            ["docker", "--host", self.endpoint, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Docker compose, as somebody would use it by hand."""
        assert self._compose is not None, "the engine was never started"
        return subprocess.run(
            [self._compose.program, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "DOCKER_HOST": self.endpoint},
        )

    def containers(self, *filters: str) -> list[dict[str, str]]:
        """Names and states, of all."""
        words = [word for label in filters for word in ("--filter", f"label={label}")]
        said = self.docker("ps", "--all", "--no-trunc", "--format", "{{json .}}", *words).stdout
        return [json.loads(line) for line in said.splitlines()]
