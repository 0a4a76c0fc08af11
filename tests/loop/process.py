"""The operator as a process: started, killed, stopped, and asked how it is."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 40.0
STOP_SECONDS = 20.0
IDENTITY = "loop-test"
"""One name for all starts, so that a restart after kill -9 leads at once."""


class OperatorProcess:
    """`python -m controller run`, with its output in a file."""

    def __init__(
        self,
        kubeconfig: Path,
        directory: Path,
        *arguments: str,
        python: tuple[str, ...] = (sys.executable,),
        resync: float = 20.0,
    ) -> None:
        """`python`: what runs the module; a profiler goes here."""
        self.kubeconfig = kubeconfig
        self.log = directory / "operator.log"
        self.port = free_port()
        self._command = [
            *(*python, "-m", "controller", "run", "--kubeconfig", str(kubeconfig)),
            *("--health", f"127.0.0.1:{self.port}", "--identity", IDENTITY, "--resync", str(resync)),
            *("--package-source", "simulated", "--build-state", str(directory / "build")),
            *arguments,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self.process is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def spawn(self, **environment: str) -> OperatorProcess:
        """Start it and do not wait."""
        assert not self.running, "the operator runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        return self

    def start(self, seconds: float = START_SECONDS) -> OperatorProcess:
        """Start it and wait until it leads."""
        self.spawn()
        deadline = time.monotonic() + seconds
        while not self.leads():
            assert self.running, (
                f"the operator ended with {self.process and self.process.returncode}: {self.said()}"
            )
            assert time.monotonic() < deadline, f"the operator did not lead within {seconds} s: {self.said()}"
            time.sleep(0.05)
        return self

    def kill(self) -> None:
        """As the kernel's out-of-memory killer does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        if self.running:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def wait(self, seconds: float) -> int:
        """Until it ends by itself; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def leads(self) -> bool:
        """Whether it says that it is the leader."""
        return self.metrics().get('leader_election_master_status{name="nxc"}') == 1.0

    def said(self, since: int = 0) -> str:
        """Its output, from a byte on."""
        return self.log.read_bytes()[since:].decode(errors="replace") if self.log.exists() else ""

    @property
    def position(self) -> int:
        """How much it has said so far, in bytes."""
        return self.log.stat().st_size if self.log.exists() else 0

    def get(self, path: str) -> tuple[int, str]:
        """Ask /healthz, /readyz or /metrics: status and text; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[str, float]:
        """Every sample by name and labels; empty when nobody answers."""
        _, text = self.get("/metrics")
        return {
            name: float(value)
            for name, value in re.findall(r"^(?!#)(\S+(?:\{[^}]*\})?) (\S+)$", text, re.MULTILINE)
        }

    def total(self, name: str, metrics: dict[str, float] | None = None) -> float:
        """A metric added up over all its labels."""
        samples = self.metrics() if metrics is None else metrics
        return sum(value for key, value in samples.items() if key.partition("{")[0] == name)

    def usage(self) -> tuple[float, float]:
        """CPU seconds used so far, and resident memory in MiB."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return seconds, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
