"""Whether a file is a state of ours, whole, and of a format that we know; and how it becomes one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from controller.local.errors import StateError

APPLICATION_ID = 0x6E786331
"""`nxc1`: what tells our file from another program's (https://sqlite.org/pragma.html#pragma_application_id)."""

DATABASE = "state.db"

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


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
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


def check_length(path: Path) -> None:
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


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raises `StateError` for another program's database and for one with damaged pages."""
    [(application,)] = connection.execute("PRAGMA application_id")
    [(tables,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    if application != APPLICATION_ID and (tables or application):
        raise StateError(_foreign(path))
    if path.stat().st_size <= QUICK_CHECK_BYTES:
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        if problems:
            raise StateError(_damaged(path, "; ".join(problems)))


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Bring the file to the newest format in one transaction; an older one is kept beside it first.

    Raises `StateError` for a file of a newer format.
    """
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
