"""The seed's packages for one store: the lock in force, the pool of fetched files, and putting them into the store.

Nix fetches nothing. After an evaluation `provide` looks which of the seed's inputs the derivation lacks, fetches
them through apt's mirrors, and adds them. Where the mirrors no longer have a locked file (Debian keeps only the
current version of a package), the whole lock is resolved anew from apt's metadata: the versions of one point
release are made to fit each other, a mixture is not. That lock is then in force until this program ships another.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import httpx

from controller.build.seed import deb
from controller.build.seed.apt import Apt
from controller.build.seed.lock import Lock, Locked, LockError, differences, parse
from controller.build.seed.pool import LIMITS, Gone, Limits, Pool
from controller.build.seed.resolve import Index, ResolveError, Selection, resolve, selection
from controller.model.errors import NxcError, TestbedError

URL = "file:///nxc-seed/"
"""What the seed's inputs have as URL; nobody ever opens it."""


class Input(Protocol):
    """A fixed output that the store lacks (`controller.build.answers.Fixed`)."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def url(self) -> str: ...


class Lacking(Protocol):
    """`controller.build.answers.Missing`."""

    @property
    def fixed(self) -> Sequence[Input]: ...


class Store(Protocol):
    """What `provide` needs of `controller.build.nix.Nix`."""

    async def missing(self, drv: str) -> Lacking: ...
    async def add_tree(self, tree: Path, name: str) -> str: ...
    async def add_fixed(self, *files: Path) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class LockInForce:
    """For a status. `differences`: against the lock that was shipped or set; empty where that one is in force."""

    digest: str
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provided:
    """`added`: store names that are there now. `renewed`: what changed in the lock, if it did: evaluate anew."""

    added: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _InForce:
    """A lock as it was read; `signature` of the file tells when to read again."""

    lock: Lock
    status: LockInForce
    signature: tuple[int, int] | None


class Seed:
    """`nix` is this project's folder nix/; `directory` is ours, for the pool, apt's lists and a renewed lock.

    `lock`: another lock than the one in nix/seed, which an administrator set.
    """

    def __init__(
        self,
        nix: Path,
        directory: Path,
        *,
        lock: Path | None = None,
        apt: Apt | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self.selection = _selection(nix / "seed" / "packages" / "selection.toml")
        self.pool = Pool(directory / "pool")
        self._directory = directory
        self._base_file = lock or nix / "seed" / "lock.json"
        self._set = lock is not None
        self._base_text = _read(self._base_file)
        self._base = _parse(self._base_text, self._base_file)
        self._apt = apt or Apt(directory / "apt")
        self._transport = transport
        self._limits = limits
        self._renewing = asyncio.Lock()
        self._now = _InForce(self._base, LockInForce(self._base.digest), None)
        self._locks = [self._base]
        self._look()

    # ---------------------------------------------------------------- the lock

    @property
    def lock(self) -> Lock:
        """The lock in force."""
        return self._look().lock

    @property
    def lock_file(self) -> Path | None:
        """The file that an evaluation must be given; None: the one in nix/seed will do."""
        if self._look().lock is not self._base:
            return self._renewed_file
        return self._base_file if self._set else None

    def status(self) -> LockInForce:
        """Which lock is in force, and what it changes."""
        return self._look().status

    @property
    def _renewed_file(self) -> Path:
        # Under the name of what it replaces: another shipped lock, and this one is no longer looked at.
        digest = sha256(self._base_text.encode()).hexdigest()
        return self._directory / f"lock-instead-of-{digest[:16]}.json"

    def _look(self) -> _InForce:
        """What is in force, read again where the file changed: `seed update` may run beside the operator."""
        file = self._renewed_file
        try:
            found = file.stat()
        except FileNotFoundError:
            signature = None
        else:
            signature = (found.st_ino, found.st_mtime_ns)
        if signature != self._now.signature:
            lock = self._base if signature is None else _parse(_read(file), file)
            status = LockInForce(lock.digest, tuple(differences(self._base, lock)))
            self._now = _InForce(lock, status, signature)
            self._locks.append(lock)
        return self._now

    def _lock_of(self, wanted: Sequence[Input]) -> Lock:
        """The lock that an evaluation had which wants these; it may have begun before another came into force."""

        def knows(lock: Lock) -> bool:
            known = _known(lock)
            return all((one.name, one.digest) in known for one in wanted)

        return next(filter(knows, reversed(self._locks)), self.lock)

    # ---------------------------------------------------------------- the store

    async def provide(self, nix: Store, drv: str) -> Provided:
        """Put what this derivation needs of the seed into the store.

        Raises `TestbedError` `FetchFailed`, `FetchTimeout`, `NoMirror`, `AptFailed`, … : nothing of it is the
        user's fault. Inputs that are not the seed's are left alone: whoever realises refuses them.
        """
        wanted = [one for one in (await nix.missing(drv)).fixed if one.url.startswith(URL)]
        if not wanted:
            return Provided()
        lock = self._lock_of(wanted)
        known = _known(lock)
        chosen = [known[key] for key in ((one.name, one.digest) for one in wanted) if key in known]
        try:
            await self.fetch(chosen)
        except Gone as gone:
            await self.renew(gone)
            return Provided(renewed=tuple(differences(lock, self.lock)))
        bootstrap = [one for one in chosen if one.name == lock.bootstrap]
        files = [one for one in chosen if one.name != lock.bootstrap]
        added = []
        if bootstrap:
            with tempfile.TemporaryDirectory(prefix="nxc-seed-") as directory:
                tree = Path(directory) / "tree"
                await self._bootstrap(self.pool.path(bootstrap[0]), tree)
                await nix.add_tree(tree, deb.BOOTSTRAP)
            added.append(deb.BOOTSTRAP)
        if files:
            await nix.add_fixed(*(self.pool.path(one) for one in files))
            added += [one.store_name for one in files]
        return Provided(added=tuple(added))

    async def fetch(
        self, packages: Iterable[Locked], *, arrived: Callable[[Locked], None] = lambda _: None
    ) -> None:
        """Into the pool. Raises `Gone`, `TestbedError`."""
        lacking = await self.pool.lacking(dict.fromkeys(packages))
        if not lacking:
            return
        bases = await self._apt.bases(self.selection)
        async with self._client(await self._apt.proxy()) as client:
            await self.pool.fetch(lacking, bases, client, limits=self._limits, arrived=arrived)

    def _client(self, proxy: str | None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self._transport,
            proxy=None if self._transport else proxy,
            follow_redirects=True,
            headers={"User-Agent": "nxc-controller"},
        )

    # ---------------------------------------------------------------- another lock

    async def renew(self, gone: Gone | None = None) -> None:
        """Resolve the lock anew and put it in force. Raises `TestbedError` where that helps nothing.

        With `gone`, only where these files are still what the lock in force has: somebody may have been faster.
        """
        async with self._renewing:
            if gone is not None and not _still(self.lock, gone):
                return
            index = await self._apt.index(self.selection)
            if gone is not None and _offers(index, gone):
                await self._apt.refresh()  # apt's lists are older than what the mirrors now have
                index = await self._apt.index(self.selection)
                if _offers(index, gone):
                    raise TestbedError(
                        "MirrorOutOfStep",
                        f"{gone.message}, though their own index still lists them; try again later",
                    ) from gone
            lock = await self.resolved(index)
            _write(self._renewed_file, lock.text())

    async def resolved(self, index: Index | None = None) -> Lock:
        """The lock that apt's metadata gives now. Raises `TestbedError`."""
        if index is None:
            index = await self._apt.index(self.selection)
        chosen = self.selection
        try:
            packages = resolve(chosen, index)
        except ResolveError as error:
            raise TestbedError("CannotResolve", f"the seed's packages cannot be resolved: {error}") from error
        if chosen.bootstrap not in packages:
            raise TestbedError("CannotResolve", f"the bootstrap package {chosen.bootstrap} is not a root")
        first = packages[chosen.bootstrap]
        await self.fetch([first])
        with tempfile.TemporaryDirectory(prefix="nxc-seed-") as directory:
            digest = await self._bootstrap(self.pool.path(first), Path(directory) / "tree")
        return Lock(chosen.release, chosen.bootstrap, digest, packages)

    async def _bootstrap(self, package: Path, tree: Path) -> str:
        """Unpack it; the sha256 of the tree's archive."""
        try:
            return (await asyncio.to_thread(deb.bootstrap_tree, package, tree)).sha256
        except deb.DebError as error:
            raise TestbedError("BadPackage", f"{package.name}: {error}") from error

    async def refresh(self) -> None:
        """Have apt fetch its metadata anew, into our own directory."""
        await self._apt.refresh()


def _known(lock: Lock) -> dict[tuple[str, str], Locked]:
    """By name and digest of the input. What busybox comes from has the tree's in place of the file's."""
    known = {(one.store_name, one.sha256): one for one in lock.packages.values()}
    known[deb.BOOTSTRAP, lock.bootstrap_nar] = lock.packages[lock.bootstrap]
    return known


def _still(lock: Lock, gone: Gone) -> bool:
    return any(lock.packages.get(one.name) == one for one in gone.packages)


def _offers(index: Index, gone: Gone) -> bool:
    """Whether the metadata still names one of the files that are gone as the current one."""
    current = (index.newest(one.name) for one in gone.packages)
    return any(
        found is not None and found.sha256 == one.sha256
        for found, one in zip(current, gone.packages, strict=True)
    )


def _selection(file: Path) -> Selection:
    try:
        return selection(_read(file))
    except ResolveError as error:
        raise NxcError("BadSelection", f"{file}: {error}") from error


def _parse(text: str, file: Path) -> Lock:
    try:
        return parse(text)
    except LockError as error:
        raise NxcError("BadLock", f"{file}: {error}") from error


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NxcError("BadLock", f"{file} cannot be read: {error}") from error


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}.new")
    with new.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    new.rename(file)
