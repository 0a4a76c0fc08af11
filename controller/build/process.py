"""One process in the jail: started, read, bounded, and gone when `run` returns, however that comes about."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.build import configuration, jail
from controller.model.errors import NxcError

log = logging.getLogger(__name__)

LAUNCHER = Path(jail.__file__)
_STOPPING = 10.0
"""Seconds for a launcher to end after SIGTERM; it only has to reap what the kernel kills."""


class TimeIsUp(Exception):
    """The process ran longer than it may."""


class NotStarted(NxcError):
    """The jail could not be built: at which step, and why."""

    def __init__(self, step: str) -> None:
        super().__init__("IsolationFailed", step)


class TooMuchOutput(Exception):
    """The process printed more than it may."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: exit status (128 + signal where one killed it) and what it printed."""

    status: int
    output: bytes
    errors: bytes


async def run(
    specification: Mapping[str, Any],
    *,
    seconds: float,
    output: int,
    stdin: Iterable[bytes] | None = None,
    on_error: Callable[[bytes], None] | None = None,
    watch: Awaitable[None] | None = None,
) -> Ended:
    """Runs what the specification of `jail.py` says.

    `output` bounds what it prints, in bytes, stdout and stderr together; with `on_error`, stderr goes there
    in pieces instead and does not count. `watch` runs alongside; what it raises stops the process, and is
    raised. `stdin` is written from a thread.
    TimeIsUp, TooMuchOutput: stopped for that. NotStarted: the jail could not be built.
    """
    watching = None if watch is None else asyncio.ensure_future(watch)
    process: asyncio.subprocess.Process | None = None
    feed = None if stdin is None else _Feed(stdin)
    try:
        with _file(json.dumps({**specification, "parent": os.getpid()})) as descriptor:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(LAUNCHER), str(descriptor)),
                stdin=asyncio.subprocess.DEVNULL if feed is None else feed.reading,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(descriptor,),
                start_new_session=True,
                env={},
                cwd="/",
            )
        if feed is not None:
            feed.start()
        ended = await _follow(process, seconds, output, on_error, watching)
    finally:
        if feed is not None:
            feed.close()
        if process is not None:
            await _gone(process)
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await watching
    if feed is not None and feed.error is not None:
        raise feed.error
    if ended.status == jail.FAILED and ended.errors.startswith(jail.PREFIX.encode()):
        reason = ended.errors.decode(errors="replace").splitlines()[0].removeprefix(jail.PREFIX)
        raise NotStarted(reason)
    return ended


@contextlib.contextmanager
def _file(text: str) -> Iterator[int]:
    """The descriptor of a file in memory with this text."""
    descriptor = os.memfd_create("nxc-jail")
    try:
        os.write(descriptor, text.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


async def _follow(
    process: asyncio.subprocess.Process,
    seconds: float,
    limit: int,
    on_error: Callable[[bytes], None] | None,
    watching: asyncio.Future[None] | None,
) -> Ended:
    """Reads until the process has ended, within the limits."""
    stdout, stderr = process.stdout, process.stderr
    assert stdout is not None
    assert stderr is not None
    collected = {stdout: bytearray(), stderr: bytearray()}

    async def read(stream: asyncio.StreamReader, hand: Callable[[bytes], None] | None) -> None:
        while piece := await stream.read(1 << 16):
            if hand is not None:
                hand(piece)
                if len(collected[stream]) < len(jail.PREFIX) * 40:  # enough to see that it never started
                    collected[stream] += piece
                continue
            collected[stream] += piece
            if sum(map(len, collected.values())) > limit:
                raise TooMuchOutput

    async def whole() -> int:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(stdout, None))
            group.create_task(read(stderr, on_error))
        return await process.wait()

    work = asyncio.ensure_future(whole())
    try:
        waited: set[asyncio.Future[Any]] = {work} if watching is None else {work, watching}
        async with asyncio.timeout(seconds):
            while not work.done():
                done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if watching is not None and watching in done:
                    await watching
        status = await work
    except TimeoutError:
        raise TimeIsUp from None
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await work
    return Ended(status, bytes(collected[stdout]), bytes(collected[stderr]))


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Ends the process, if it has not, and waits until nothing of it is left; a cancellation waits too."""
    stopping = asyncio.ensure_future(_stop(process))
    cancelled = False
    while not stopping.done():
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            cancelled = True
    stopping.result()
    if cancelled:
        raise asyncio.CancelledError


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()  # the launcher kills and reaps all the others
    try:
        async with asyncio.timeout(_STOPPING):
            await _drained(process)
    except TimeoutError:
        log.warning("process %s did not end within %s s of SIGTERM; killing it", process.pid, _STOPPING)
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # the others die with it
        await _drained(process)


async def _drained(process: asyncio.subprocess.Process) -> None:
    """Waits for the end, and reads what is left: full pipes would hold up `wait`."""

    async def drain(stream: asyncio.StreamReader | None) -> None:
        while stream is not None and await stream.read(1 << 16):
            pass

    await asyncio.gather(process.wait(), drain(process.stdout), drain(process.stderr))


class _Feed:
    """A pipe whose other end a thread writes pieces to, until all are written or nobody reads any more."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.reading, self._writing = os.pipe()
        self._thread: threading.Thread | None = None
        self.error: Exception | None = None

    def start(self) -> None:
        """The process has the reading end now: write."""
        os.close(self.reading)
        self._thread = threading.Thread(target=self._write, daemon=True, name="nix-stdin")
        self._thread.start()

    def close(self) -> None:
        """Nothing will be read: gives up both ends if it never started."""
        if self._thread is None:
            os.close(self.reading)
            os.close(self._writing)

    def _write(self) -> None:
        try:
            with os.fdopen(self._writing, "wb") as pipe, contextlib.suppress(BrokenPipeError):
                for piece in self._pieces:
                    pipe.write(piece)
                    pipe.flush()  # the next one may be long in coming
        except Exception as error:
            self.error = error


def specification(
    *,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    binds: Sequence[tuple[str, str, str]],
    root: str,
    user: tuple[int, int] | None,
    number: int,
    cgroups: Sequence[str] = (),
    rlimits: Mapping[str, int] | None = None,
    links: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    scratch: Mapping[str, int] | None = None,
    loopback: bool = False,
) -> dict[str, Any]:
    """What `jail.py` reads. Pure.

    `scratch`: directories in memory, with their size in bytes. `loopback`: have that of its own network namespace up.
    """
    return {
        "arguments": list(arguments),
        "environment": dict(environment),
        "binds": [list(bind) for bind in binds],
        "root": root,
        "user": None if user is None else list(user),
        "pid": number,
        "cgroups": list(cgroups),
        "rlimits": {"CORE": 0, **(rlimits or {})},
        "links": dict(links or {}),
        "files": dict(files or {}),
        "scratch": dict(scratch or {}),
        "loopback": loopback,
        "directory": configuration.HOME,
        "nice": 5,
        "oom_score_adj": 800,
    }
