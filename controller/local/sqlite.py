"""The state in one SQLite file: every write is the kernel's before the client hears of it.

One transaction a write, in a write-ahead log (https://sqlite.org/wal.html): a process that dies at any line loses
nothing that was acknowledged, and a reader such as `nxc-controller backup` never blocks it. `sync` brings the log
to the medium several times a second, beside the event loop, since waiting for a disk at each write would cost
more than everything else together; a power cut may take that last fraction, and leaves a whole, older state.

The highest resourceVersion stands beside the objects and moves in the same transaction, so that it cannot go
back, not even when the newest object was deleted. Against a power cut a higher one is reserved on the medium
in steps, and the count goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson

from controller.local.core.errors import ApiError, insufficient_storage, internal
from controller.local.core.storage import Change, Object
from controller.local.errors import StateError
from controller.local.state_file import (
    DATABASE,
    MIGRATIONS,
    Migration,
    check_length,
    check_ours,
    explained,
    migrate,
)

RESERVED_VERSIONS = 10_000
"""How far ahead resourceVersions are reserved; each step waits for the disk once."""
CHECKPOINT_BYTES = 4 << 20
"""From this size on the log is folded into the file."""


class Database:
    """The journal of the control plane (see `controller.local.core.storage.Journal`).

    Raises `StateError` from `open`; `append` raises `ApiError` (507 when the disk is full, 500 for other disk
    failures) and has then changed nothing.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self._log = path.with_name(path.name + "-wal")
        self._dirty = False
        self._reserved = 0
        self.encode: Callable[[Object], bytes] = orjson.dumps
        """How an object becomes JSON; the server puts its cache here, so that one serialisation serves all."""

    @classmethod
    def open(cls, directory: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Database:
        """Open or create the database in `directory`, bringing an older format forward.

        Before a migration the old file is kept beside the new one as `state.db.format-N`.
        """
        path = directory / DATABASE
        fresh = not path.exists() or path.stat().st_size == 0
        if not fresh:
            check_length(path)
        with explained(path):
            old_mask = os.umask(0o077)
            try:
                connection = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
            finally:
                os.umask(old_mask)
        try:
            with explained(path):
                if not fresh:
                    check_ours(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA wal_autocheckpoint = 8000")  # pages; `sync` is earlier than that
                migrate(connection, path, migrations)
                database = cls(connection, path)
                database._begin()
        except BaseException:
            connection.close()
            raise
        return database

    def _begin(self) -> None:
        """Note under which boot of the machine writes are made from now on, and see whether one was cut off."""
        meta = dict(self._connection.execute("SELECT key, value FROM meta").fetchall())
        boot = _boot_id()
        version = meta["resourceVersion"]
        if meta["boot"] not in ("", boot):
            version = meta[
                "reserved"
            ]  # the machine went down under us: versions up to here may have been seen
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'boot'", (boot,))
        self._reserve(version)

    def _reserve(self, version: int) -> None:
        """Put the current version and a reserve on the medium, now."""
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "UPDATE meta SET value = CASE key WHEN 'reserved' THEN ? ELSE ? END"
            " WHERE key IN ('reserved', 'resourceVersion')",
            (version + RESERVED_VERSIONS, version),
        )
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._reserved = version + RESERVED_VERSIONS

    def load(self) -> tuple[Iterator[Object], int]:
        """All objects as they were stored, definitions first, and the newest resourceVersion."""
        with explained(self.path):
            [(version,)] = self._connection.execute("SELECT value FROM meta WHERE key = 'resourceVersion'")
            rows = self._connection.execute(
                "SELECT body FROM objects ORDER BY plural != 'customresourcedefinitions', version"
            ).fetchall()
        return (orjson.loads(body) for (body,) in rows), version

    def append(self, changes: Sequence[Change]) -> None:
        """Write all changes or none; on return they outlive this process."""
        connection = self._connection
        try:
            if changes[-1].resource_version > self._reserved:
                self._reserve(changes[0].resource_version - 1)
            connection.execute("BEGIN IMMEDIATE")
            for change in changes:
                self._write(change)
            connection.execute(
                "UPDATE meta SET value = ? WHERE key = 'resourceVersion'", (changes[-1].resource_version,)
            )
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._roll_back()
            raise _refusal(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise
        self._dirty = True

    @property
    def dirty(self) -> bool:
        """Whether there is something for `sync` to do."""
        return self._dirty

    def sync(self) -> None:
        """Bring what was written to the medium; to be called in a thread of its own. Raises `OSError`."""
        self._dirty = False
        log = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(log)
            size = os.fstat(log).st_size
        finally:
            os.close(log)
        if size <= CHECKPOINT_BYTES:
            return
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=0)) as beside:
                beside.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            raise OSError(f"{self.path} could not be brought up to date: {error}") from error

    def _write(self, change: Change) -> None:
        key = (*change.storage, change.namespace, change.name)
        if change.type == "DELETED":
            self._connection.execute(
                "DELETE FROM objects WHERE grp = ? AND plural = ? AND namespace = ? AND name = ?", key
            )
            return
        self._connection.execute(
            "INSERT INTO objects VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (grp, plural, namespace, name)"
            " DO UPDATE SET version = excluded.version, body = excluded.body",
            (*key, change.resource_version, self.encode(change.object)),
        )

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Fold the log into the one file, so that the directory can be copied as it is."""
        with contextlib.suppress(sqlite3.Error):  # a full disk: the log stays and is read at the next start
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("UPDATE meta SET value = '' WHERE key = 'boot'")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()


def back_up(directory: Path, target: Path) -> None:
    """Copy the state in `directory` to the new file `target` (mode 0600), also while the control plane runs.

    `VACUUM INTO` reads one snapshot and blocks no writer (https://sqlite.org/lang_vacuum.html#vacuuminto).
    """
    path = directory / DATABASE
    if not path.exists():
        raise StateError(f"{path}: no such file, so there is nothing to back up (is --state right?)")
    if target.exists():
        raise StateError(f"{target} exists already; a backup never overwrites: name a new file")
    check_length(path)
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=5
    )
    try:
        with explained(path):
            check_ours(connection, path)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection.execute("VACUUM INTO ?", (str(partial),))
        with contextlib.closing(sqlite3.connect(partial)) as copy, copy:
            # who starts from this goes on at the reserved version: later ones than the copy's were seen meanwhile
            copy.execute("UPDATE meta SET value = 'backup' WHERE key = 'boot'")
        partial.rename(target)
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"cannot write the backup {target}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
        connection.close()


def _boot_id() -> str:
    """What changes at each start of the machine (random(4)); empty where there is no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _refusal(error: Exception, path: Path) -> ApiError:
    """The answer to a client whose write the disk did not take."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return insufficient_storage(
            f"the disk that holds {path} is full, so nothing was changed; free some space and try again"
        )
    return internal(f"{path} could not be written, so nothing was changed: {error}")
