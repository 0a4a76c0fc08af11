"""A world on disk: one small SQLite file, which survives every process that uses it, and may be shared."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nxc_simulators.life import Record, dump, load

_SCHEMA = """
create table if not exists facts (
    kind text not null, name text not null, value text, revision integer not null, primary key (kind, name)
);
create index if not exists by_revision on facts (revision);
"""


class Shelf:
    """Facts by kind and name. A fact that ended stays as a null, so that others hear of its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = off")  # kill -9 loses nothing; a power cut may
        self._database.executescript(_SCHEMA)
        self._seen = 0
        self._version = -1

    def put(self, kind: str, name: str, value: str | None) -> None:
        """Write a fact, or (None) its end."""
        self._write(kind, name, None if value is None else json.dumps(value))

    def put_record(self, name: str, record: Record) -> None:
        """Write a machine."""
        self._write("machine", name, json.dumps(dump(record)))

    def news(self) -> Iterator[tuple[str, str, object]]:
        """What changed since the last call, by whomever: kind, name, and a `Record`, text or None."""
        (version,) = self._database.execute("pragma data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        rows = self._database.execute(
            "select kind, name, value, revision from facts where revision > ? order by revision",
            (self._seen,),
        ).fetchall()
        for kind, name, text, revision in rows:
            self._seen = max(self._seen, revision)
            value = None if text is None else json.loads(text)
            yield kind, name, load(value) if kind == "machine" and value is not None else value

    def all(self, kind: str) -> list[tuple[str, object]]:
        """Every fact of a kind that has not ended."""
        rows = self._database.execute(
            "select name, value from facts where kind = ? and value is not null order by name", (kind,)
        )
        return [(name, json.loads(text)) for name, text in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _write(self, kind: str, name: str, text: str | None) -> None:
        self._database.execute(
            "insert or replace into facts select ?, ?, ?, coalesce(max(revision), 0) + 1 from facts",
            (kind, name, text),
        )
