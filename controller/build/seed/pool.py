"""Fetching locked files into a pool: verified, atomic, resumed where it broke off, four at a time.

A file is in the pool under its final name only once its bytes have the locked hash. Until then it is `NAME.part`,
held by a lock of the kernel, so that two processes with one pool neither spoil nor repeat each other's work.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from controller.build.seed.lock import Locked
from controller.model.errors import TestbedError

PARALLEL = 4
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds. A file as a whole has `grace` plus its size at `slowest` bytes a second."""

    connect: float = 10.0
    stall: float = 30.0
    grace: float = 60.0
    slowest: float = 100_000.0
    pause: float = 1.0

    def whole(self, size: int) -> float:
        """The longest that a file of this size may take."""
        return self.grace + size / self.slowest


LIMITS = Limits()


class Gone(TestbedError):
    """No mirror has these files any more; `packages` are they."""

    def __init__(self, packages: Sequence[Locked], bases: Sequence[str]) -> None:
        names = ", ".join(f"{one.name} {one.version}" for one in packages)
        super().__init__("Gone", f"no longer on {' or '.join(bases)}: {names}")
        self.packages = tuple(packages)


class _Broken(Exception):
    """This attempt failed; the next may not."""


@dataclass(frozen=True, slots=True)
class Pool:
    """A directory of verified files."""

    directory: Path

    def path(self, one: Locked) -> Path:
        """Where the file is, or would be."""
        return self.directory / one.store_name

    async def has(self, one: Locked) -> bool:
        """Whether it is there, with the right bytes (the size is looked at first)."""
        return await asyncio.to_thread(_matches, self.path(one), one)

    async def lacking(self, wanted: Iterable[Locked]) -> list[Locked]:
        """Those that are not there."""
        return [one for one in wanted if not await self.has(one)]

    async def fetch(
        self,
        wanted: Iterable[Locked],
        bases: Sequence[str],
        client: httpx.AsyncClient,
        *,
        limits: Limits = LIMITS,
        arrived: Callable[[Locked], None] = lambda _: None,
    ) -> None:
        """Get what is lacking. Raises `Gone` after all others were fetched, `TestbedError` for what failed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        places = asyncio.Semaphore(PARALLEL)
        gone: list[Locked] = []

        async def get(one: Locked) -> None:
            async with places:
                if not await self._get(one, bases, client, limits):
                    gone.append(one)
                else:
                    arrived(one)

        try:
            async with asyncio.TaskGroup() as group:
                for one in await self.lacking(wanted):
                    group.create_task(get(one), name=f"fetch {one.name}")
        except* TestbedError as errors:
            raise errors.exceptions[0] from None
        if gone:
            raise Gone(sorted(gone, key=lambda one: one.name), bases)

    async def _get(
        self, one: Locked, bases: Sequence[str], client: httpx.AsyncClient, limits: Limits
    ) -> bool:
        """False where every mirror says that it has no such file."""
        part = self.directory / f"{one.store_name}.part"
        seconds = limits.whole(one.size)
        try:
            async with asyncio.timeout(seconds), _held(part) as descriptor:
                if await self.has(one):  # another process was faster
                    return True
                for attempt in range(ATTEMPTS):
                    if attempt:
                        await asyncio.sleep(limits.pause * 2 ** (attempt - 1))
                    trouble = []
                    for base in bases:
                        try:
                            if await _download(one, base, descriptor, client, limits):
                                part.chmod(0o644)
                                part.rename(self.path(one))
                                return True
                        except (_Broken, httpx.HTTPError) as error:
                            trouble.append(f"{base}: {str(error) or type(error).__name__}")
                    if not trouble:
                        part.unlink()
                        return False
        except TimeoutError:
            raise TestbedError(
                "FetchTimeout",
                f"{one.file} ({one.size} bytes) did not arrive within {seconds:.0f} s from {', '.join(bases)};"
                " what has arrived is kept and the next try goes on from there",
            ) from None
        except OSError as error:
            raise TestbedError("FetchFailed", f"cannot write {part}: {error.strerror}") from error
        raise TestbedError(
            "FetchFailed", f"cannot fetch {one.file}, tried {ATTEMPTS} times: {'; '.join(trouble)}"
        )


async def _download(
    one: Locked, base: str, descriptor: int, client: httpx.AsyncClient, limits: Limits
) -> bool:
    """One attempt at one mirror, from where the last broke off. False: it has no such file."""
    have = os.fstat(descriptor).st_size
    if have >= one.size:
        os.ftruncate(descriptor, 0)
        have = 0
    timeout = httpx.Timeout(limits.stall, connect=limits.connect)
    headers = {"Range": f"bytes={have}-"} if have else {}
    headers["Accept-Encoding"] = "identity"
    async with client.stream("GET", base + one.file, headers=headers, timeout=timeout) as answer:
        if answer.status_code in (404, 410):
            return False
        if answer.status_code == 200:
            have = 0  # from the start, whether or not that was asked for
        elif answer.status_code != 206:
            if answer.status_code == 416:
                os.ftruncate(descriptor, 0)
            raise _Broken(f"HTTP {answer.status_code} {answer.reason_phrase}".strip())
        os.ftruncate(descriptor, have)
        async for chunk in answer.aiter_bytes():
            if have + len(chunk) > one.size:
                os.ftruncate(descriptor, 0)
                raise _Broken(f"sends more than the {one.size} bytes of the lock")
            await asyncio.to_thread(os.pwrite, descriptor, chunk, have)
            have += len(chunk)
    if have < one.size:
        raise _Broken(f"broke off after {have} of {one.size} bytes")
    if (found := await asyncio.to_thread(_digest, descriptor)) != one.sha256:
        os.ftruncate(descriptor, 0)
        raise _Broken(f"its bytes have the sha256 {found}, the lock wants {one.sha256}")
    await asyncio.to_thread(os.fsync, descriptor)
    return True


@asynccontextmanager
async def _held(part: Path) -> AsyncIterator[int]:
    """The part file, open and ours alone. Waits while another holds it; the caller limits how long."""
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(descriptor, part):  # it may have been renamed between the two calls
                break
        except BlockingIOError:
            pass
        os.close(descriptor)
        await asyncio.sleep(0.2)
    try:
        yield descriptor
    finally:
        if _same(descriptor, part) and os.fstat(descriptor).st_size == 0:
            os.unlink(part)
        os.close(descriptor)


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _digest(descriptor: int) -> str:
    digest, at = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, 1 << 20, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()


def _matches(path: Path, one: Locked) -> bool:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size == one.size and _digest(file.fileno()) == one.sha256
    except FileNotFoundError:
        return False
