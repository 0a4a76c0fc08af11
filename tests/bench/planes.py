"""The control planes that are measured: ours, as a process of its own, and a real one where there is one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.process import children, rss
from tests.local.plane import real_kubeconfig

ROOT = Path(__file__).parents[2]
UP = ROOT.parent / "shared" / "kube" / "up.sh"
START_SECONDS = 90.0


@contextlib.contextmanager
def real(directory: Path) -> Iterator[Path | None]:
    """The kubeconfig of a real control plane: the one that was named, one started for this, or None."""
    given = real_kubeconfig()
    if given is not None:
        yield given
        return
    if not UP.exists():
        yield None
        return
    run = directory / "real"
    environment = {**os.environ, "KAS_RUN": str(run)}
    subprocess.run([UP], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield run / "kubeconfig"
    finally:
        subprocess.run([UP.with_name("down.sh")], env=environment, check=True, stdout=subprocess.DEVNULL)


class Local:
    """`nxc-controller up` on a free port."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.kubeconfig = directory / "kubeconfig"
        self._log = directory / "up.log"
        self._command = [
            *(sys.executable, "-m", "controller", "up", "--port", "0"),
            *("--state", str(directory / "state"), "--kubeconfig", str(self.kubeconfig), *arguments),
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Local:
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        self.spawn()
        deadline = time.monotonic() + START_SECONDS
        while "export KUBECONFIG" not in self._log.read_text():
            assert self.process is not None
            assert self.process.poll() is None, f"`up` ended: {self._log.read_text()}"
            assert time.monotonic() < deadline, f"`up` did not start within {START_SECONDS:.0f} s"
            time.sleep(0.05)
        return self

    def spawn(self) -> None:
        """Start it and do not wait."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=log)

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(40)

    def memory(self) -> float:
        """Resident memory of the server and the operator together, in MiB."""
        assert self.process is not None
        return sum(rss(pid) for pid in (self.process.pid, *children(self.process.pid)))


def first_answer(directory: Path) -> tuple[float, float]:
    """Seconds from the start of `up`, on fresh state, to the first answered `kubectl get nxc`; and MiB then."""
    kubectl = shutil.which("kubectl")
    assert kubectl, "there is no kubectl on the PATH"
    local = Local(directory)
    directory.mkdir(parents=True)
    begin = time.monotonic()
    local.spawn()
    try:
        while True:
            assert time.monotonic() < begin + START_SECONDS, f"no answer within {START_SECONDS:.0f} s"
            if local.kubeconfig.exists():
                asked = [kubectl, "--kubeconfig", str(local.kubeconfig), "get", "nxc"]
                if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
                    break
            time.sleep(0.02)
        answered = time.monotonic() - begin
        time.sleep(5.0)  # the operator has looked at everything
        return answered, local.memory()
    finally:
        local.__exit__()
