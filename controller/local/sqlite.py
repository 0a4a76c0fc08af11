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

APPLICATION_ID = 0x6E786331
"""`nxc1`: what tells our file from another program's (https://sqlite.org/pragma.html#pragma_application_id)."""

DATABASE = "state.db"

RESERVED_VERSIONS = 10_000
"""How far ahead resourceVersions are reserved; each step waits for the disk once."""
CHECKPOINT_BYTES = 4 << 20
"""From this size on the log is folded into the file."""

QUICK_CHECK_BYTES = 64 << 20
"""A database up to this size is checked page by page at start; a larger one only by its header."""

Migration = Callable[[sqlite3.Connection], None]


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE objects ("
        " grp TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
        " version INTEGER NOT NULL, body BLOB NOT NULL)"
    )
    connection.execute("CREATE UNIQUE INDEX objects_key ON objects (grp, plural, namespace, name)")
    connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID")
    connection.execute("INSERT INTO meta VALUES ('resourceVersion', 1)")


def _add_reserve(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO meta VALUES ('reserved', 1), ('boot', '')")


MIGRATIONS: tuple[Migration, ...] = (_create, _add_reserve)
"""Step i brings the file from format i to i+1; the file's format is its `user_version`. Only append."""


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
            _check_length(path)
        with _explained(path):
            old_mask = os.umask(0o077)
            try:
                connection = sqlite3.connect(path, isolation_level=None, timeout=5, check_same_thread=False)
            finally:
                os.umask(old_mask)
        try:
            with _explained(path):
                if not fresh:
                    _check_ours(connection, path)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA wal_autocheckpoint = 8000")  # pages; `sync` is earlier than that
                _migrate(connection, path, migrations)
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
        with _explained(self.path):
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
    _check_length(path)
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=5
    )
    try:
        with _explained(path):
            _check_ours(connection, path)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection.execute("VACUUM INTO ?", (str(partial),))
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


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors at start into sentences that say which file it is and what to do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise StateError(_foreign(path)) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise StateError(_damaged(path, str(error))) from error
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise StateError(
                f"{path} cannot be written: {error}; mend its permissions or name another --state"
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise StateError(
                f"the disk that holds {path} is full; free some space and start again"
            ) from error
        raise StateError(f"{path}: {error}") from error


def _foreign(path: Path) -> str:
    return f"{path} is not a state of nxc-controller; move it away, or name another directory with --state"


def _damaged(path: Path, what: str) -> str:
    return (
        f"{path} is damaged ({what}); restore it from a backup (`nxc-controller backup` made it: copy it back"
        f" to this name and remove {path.name}-wal and {path.name}-shm), or move it away to start empty"
    )


def _check_length(path: Path) -> None:
    """Find a file cut short, which SQLite itself may notice only at a much later read.

    Header fields: https://sqlite.org/fileformat.html#the_database_header
    """
    try:
        with path.open("rb") as stream:
            header = stream.read(100)
        size = path.stat().st_size
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from error
    if not header.startswith(b"SQLite format 3\0"[: len(header)]):
        raise StateError(_foreign(path))
    if len(header) < 100:
        raise StateError(_damaged(path, "it ends within its header"))
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    expected = page * int.from_bytes(header[28:32], "big")
    log = path.with_name(path.name + "-wal")
    if size < expected and not (log.exists() and log.stat().st_size):
        raise StateError(_damaged(path, f"it has {size} bytes of {expected}"))


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    [(application,)] = connection.execute("PRAGMA application_id")
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if application != APPLICATION_ID and (tables or application):
        raise StateError(_foreign(path))
    if path.stat().st_size <= QUICK_CHECK_BYTES:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        if problems:
            raise StateError(_damaged(path, "; ".join(problems)))


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    [(format_now,)] = connection.execute("PRAGMA user_version")
    if format_now > len(migrations):
        raise StateError(
            f"{path} was written by a newer nxc-controller (format {format_now}, this one knows up to"
            f" {len(migrations)}); use that version, or name another directory with --state"
        )
    if format_now == len(migrations):
        return
    if format_now:
        kept = path.with_name(f"{path.name}.format-{format_now}")
        kept.unlink(missing_ok=True)
        os.close(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection.execute("VACUUM INTO ?", (str(kept),))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in migrations[format_now:]:
            step(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
