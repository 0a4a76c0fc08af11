"""A thin `kubectl` for tests: one call is one command as a user types it, with a time limit."""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

LIMIT = 60.0
"""Seconds after which a command is killed and the test fails; far above what any needs."""


@dataclass(frozen=True)
class Output:
    """What one command left behind."""

    command: str
    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, without its header, split at runs of blanks."""
        return [line.split() for line in self.lines[1:]]

    def json(self) -> Any:
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"$ kubectl {self.command}\n[{self.code}]\n{self.stdout}{self.stderr}"


@dataclass(frozen=True)
class Kubectl:
    """`k("get sprockets")` runs and must succeed; `k.fails(...)` must not.

    `kubeconfig` may be a list joined with ":", as in the variable KUBECONFIG.
    """

    kubeconfig: str
    home: Path
    namespace: str
    environment: Mapping[str, str] | None = None

    def __call__(
        self, command: str, stdin: str | Mapping[str, Any] | list[Any] | None = None, limit: float = LIMIT
    ) -> Output:
        output = self.run(command, stdin, limit)
        assert output.code == 0, str(output)
        return output

    def fails(
        self, command: str, stdin: str | Mapping[str, Any] | list[Any] | None = None, limit: float = LIMIT
    ) -> Output:
        output = self.run(command, stdin, limit)
        assert output.code != 0, f"should have failed:\n{output}"
        return output

    def run(
        self, command: str, stdin: str | Mapping[str, Any] | list[Any] | None = None, limit: float = LIMIT
    ) -> Output:
        try:
            done = subprocess.run(
                [_kubectl(), *shlex.split(command)],
                input=_text(stdin),
                capture_output=True,
                text=True,
                timeout=limit,
                env=self._environment(),
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            seen = (late.stdout or b"").decode() + (late.stderr or b"").decode()
            raise AssertionError(f"`kubectl {command}` did not end in {limit} s; so far:\n{seen}") from late
        return Output(command, done.returncode, done.stdout, done.stderr)

    def start(self, command: str) -> Running:
        """Start a command that goes on (a watch, a wait); use it in `with`."""
        process = subprocess.Popen(
            [_kubectl(), *shlex.split(command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
            start_new_session=True,
        )
        return Running(command, process)

    def get(self, what: str) -> Any:
        """The object as JSON."""
        return self(f"get {what} -o json").json()

    def exists(self, what: str) -> bool:
        output = self.run(f"get {what} -o name")
        assert output.code == 0 or "NotFound" in output.stderr, str(output)
        return output.code == 0

    def until(self, command: str, accept: Any, limit: float = LIMIT) -> Output:
        """Repeat a command until `accept(output)` holds."""
        end = time.monotonic() + limit
        while True:
            output = self.run(command)
            if accept(output):
                return output
            assert time.monotonic() < end, f"not within {limit} s; last:\n{output}"
            time.sleep(0.1)

    def wait_gone(self, what: str, limit: float = LIMIT) -> None:
        self.until(f"get {what} -o name", lambda o: o.code != 0 and "NotFound" in o.stderr, limit)

    def with_environment(self, **variables: str) -> Kubectl:
        return replace(self, environment={**(self.environment or {}), **variables})

    def with_kubeconfig(self, kubeconfig: str) -> Kubectl:
        return replace(self, kubeconfig=kubeconfig)

    def _environment(self) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in os.environ}
        return {**keep, "HOME": str(self.home), "KUBECONFIG": self.kubeconfig, **(self.environment or {})}


class Running:
    """A command that is still running: its output is read as it comes."""

    def __init__(self, command: str, process: subprocess.Popen[str]) -> None:
        self.command = command
        self.process = process
        self.seen: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            self._lines.put(line.rstrip("\n"))

    def until(self, *words: str, limit: float = LIMIT) -> str:
        """The next line that has all the words; lines before it are dropped (but kept in `seen`)."""
        end = time.monotonic() + limit
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                shown = "\n".join(self.seen)
                raise AssertionError(
                    f"`kubectl {self.command}` printed no line with {words} in {limit} s, but:\n{shown}"
                ) from None
            self.seen.append(line)
            if all(word in line for word in words):
                return line

    def ended(self, limit: float = LIMIT) -> int:
        """Wait for the end; the exit code."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"`kubectl {self.command}` still runs after {limit} s") from late
        for reader in self._readers:
            reader.join(limit)
        while not self._lines.empty():
            self.seen.append(self._lines.get())
        return code

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def _kubectl() -> str:
    """The kubectl under test: NXC_KUBECTL, else the one on PATH."""
    found = os.environ.get("NXC_KUBECTL") or shutil.which("kubectl")
    assert found, "no kubectl on PATH; set NXC_KUBECTL to one of version 1.30 or later"
    return found


def _text(stdin: str | Mapping[str, Any] | list[Any] | None) -> str | None:
    """Manifests as text: one object, or a list of them, as a stream of JSON documents."""
    if stdin is None or isinstance(stdin, str):
        return stdin
    documents = stdin if isinstance(stdin, list) else [stdin]
    return "\n".join(json.dumps(document) for document in documents)
