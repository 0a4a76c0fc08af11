"""What is acknowledged is on disk; what is on disk is ours, whole, and of a version that we know."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.local.core.errors import ApiError
from controller.local.core.storage import Change
from controller.local.errors import StateError
from controller.local.sqlite import RESERVED_VERSIONS, Database, back_up
from controller.local.state_file import DATABASE, MIGRATIONS

STORAGE = ("", "configmaps")


def put(name: str, version: int, *, size: int = 0, kind: Any = "ADDED") -> Change:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": str(version)},
        "data": {"x": "y" * size},
    }
    return Change(kind, STORAGE, "default", name, body, None, version)


def gone(name: str, version: int) -> Change:
    return put(name, version, kind="DELETED")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def names(database: Database) -> list[str]:
    return [obj["metadata"]["name"] for obj in database.load()[0]]


def reopened(directory: Path) -> tuple[list[str], int]:
    database = Database.open(directory)
    try:
        return names(database), database.load()[1]
    finally:
        database.close()


def test_objects_and_version_come_back(database: Database, tmp_path: Path) -> None:
    database.append([put("a", 2), put("b", 3)])
    database.append([put("a", 4, size=10, kind="MODIFIED")])
    database.close()
    again = Database.open(tmp_path)
    objects, version = again.load()
    assert {o["metadata"]["name"]: len(o["data"]["x"]) for o in objects} == {"a": 10, "b": 0}
    assert version == 4
    again.close()


def test_the_version_does_not_go_back_when_the_newest_object_is_deleted(
    tmp_path: Path, database: Database
) -> None:
    database.append([put("a", 2)])
    database.append([gone("a", 3)])
    database.close()
    assert reopened(tmp_path) == ([], 3)


def test_after_a_power_cut_the_version_goes_on_from_what_was_reserved(
    tmp_path: Path, database: Database
) -> None:
    database.append([put("a", 2)])
    database._connection.execute("UPDATE meta SET value = 'another boot' WHERE key = 'boot'")
    database._connection.close()  # as it is: nothing is tidied up
    again = Database.open(tmp_path)
    assert again.load()[1] == 1 + RESERVED_VERSIONS
    again._connection.close()
    once_more = Database.open(tmp_path)  # killed, but the machine stayed up
    assert once_more.load()[1] == 1 + RESERVED_VERSIONS
    once_more.close()


def test_versions_are_reserved_before_they_are_used(database: Database) -> None:
    def reserved() -> int:
        [(value,)] = database._connection.execute("SELECT value FROM meta WHERE key = 'reserved'")
        return int(value)

    for version in (
        2,
        RESERVED_VERSIONS,
        RESERVED_VERSIONS + 1,
        RESERVED_VERSIONS + 2,
        5 * RESERVED_VERSIONS,
    ):
        database.append([put("a", version)])
        assert reserved() >= version
        assert database.load()[1] == version


def test_the_log_is_folded_in_beside_the_writes(database: Database) -> None:
    assert not database.dirty
    for version in range(2, 12):
        database.append([put(f"n{version}", version, size=1 << 20)])
    assert database.dirty
    before = database.path.stat().st_size
    database.sync()
    assert not database.dirty
    assert database.path.stat().st_size > before + (1 << 20)
    database.append([put("b", 12)])
    assert names(database)[-1] == "b"
    assert len(names(database)) == 11


def test_definitions_come_first(database: Database) -> None:
    crd = {"kind": "CustomResourceDefinition", "metadata": {"name": "things.example.org"}}
    database.append([put("a", 2)])
    database.append(
        [Change("ADDED", ("apiextensions.k8s.io", "customresourcedefinitions"), "", "t", crd, None, 3)]
    )
    assert names(database) == ["things.example.org", "a"]


def test_a_full_disk_refuses_the_write_and_changes_nothing(database: Database) -> None:
    database.append([put("a", 2)])
    [(pages,)] = database._connection.execute("PRAGMA page_count")
    database._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ApiError) as refusal:
        database.append([put("small", 3), put("big", 4, size=1 << 20)])
    assert refusal.value.code == 507
    assert str(database.path) in refusal.value.message
    assert "full" in refusal.value.message
    assert (names(database), database.load()[1]) == (["a"], 2)
    database._connection.execute("PRAGMA max_page_count = 1073741823")
    database.append([put("big", 3, size=1 << 20)])
    assert names(database) == ["a", "big"]


def test_a_file_size_limit_refuses_the_write_and_the_next_small_one_works(tmp_path: Path) -> None:
    """The operating system's own refusal, in the middle of the log, rather than SQLite's."""
    script = """
import resource, signal, sys
from pathlib import Path
from tests.unit.local.test_sqlite import put, names
from controller.local.core.errors import ApiError
from controller.local.sqlite import Database
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
database = Database.open(Path(sys.argv[1]))
database.append([put("a", 2)])
size = database.path.with_name("state.db-wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20000, resource.RLIM_INFINITY))
try:
    database.append([put("big", 3, size=1 << 20)])
except ApiError as error:
    assert error.code in (500, 507), error.code
    assert "nothing was changed" in error.message, error.message
else:
    raise SystemExit("the write was taken")
assert names(database) == ["a"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
database.append([put("b", 3)])
print(*names(database))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=30,
    )
    assert (done.stdout.strip(), done.stderr) == ("a b", "")


def test_a_process_killed_at_any_moment_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from tests.unit.local.test_sqlite import put
from controller.local.sqlite import Database
database = Database.open(Path(sys.argv[1]))
version = database.load()[1]
while True:
    version += 1
    database.append([put(f"n{version % 50}", version, size=version % 3000)])
    print(version, flush=True)
"""
    newest = 1
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
        assert process.stdout is not None
        for _ in range(40):
            newest = int(process.stdout.readline())
        process.kill()
        newest = max([newest, *(int(line) for line in process.stdout.read().split())])
        process.stdout.close()
        process.wait(10)
        kept, version = reopened(tmp_path)
        assert version >= newest
        assert f"n{newest % 50}" in kept


def test_only_the_owner_can_read_it(database: Database) -> None:
    database.append([put("a", 2)])
    for path in database.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_newer_format_is_refused(tmp_path: Path, database: Database) -> None:
    database._connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    with pytest.raises(StateError, match=rf"{tmp_path}.*newer nxc-controller.*--state"):
        Database.open(tmp_path)


def test_an_older_format_is_migrated_and_kept_beside(tmp_path: Path, database: Database) -> None:
    def rename(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE objects SET name = 'renamed'")

    database.append([put("a", 2)])
    database.close()
    newer = Database.open(tmp_path, (*MIGRATIONS, rename))
    assert [row[0] for row in newer._connection.execute("SELECT name FROM objects")] == ["renamed"]
    newer.close()
    kept = tmp_path / f"{DATABASE}.format-{len(MIGRATIONS)}"
    with sqlite3.connect(kept) as old:
        assert old.execute("SELECT name FROM objects").fetchall() == [("a",)]
    old.close()
    with pytest.raises(StateError, match="newer"):
        Database.open(tmp_path)


def test_the_first_format_is_still_read(tmp_path: Path, database: Database) -> None:
    database.append([put("a", 2)])
    database._connection.execute("DELETE FROM meta WHERE key != 'resourceVersion'")
    database._connection.execute("PRAGMA user_version = 1")
    database._connection.close()
    assert reopened(tmp_path) == (["a"], 2)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, database: Database) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM objects")
        raise RuntimeError("half way")

    database.append([put("a", 2)])
    database.close()
    with pytest.raises(RuntimeError, match="half way"):
        Database.open(tmp_path, (*MIGRATIONS, broken))
    assert reopened(tmp_path) == (["a"], 2)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello, I am a letter to my grandmother" * 10, "not a state of nxc-controller"),
        (b"SQLite format 3\0", "damaged"),
        (b"SQLite f", "damaged"),
    ],
)
def test_a_foreign_file_is_left_alone(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / DATABASE
    path.write_bytes(content)
    with pytest.raises(StateError, match=says) as refusal:
        Database.open(tmp_path)
    assert str(path) in str(refusal.value)
    assert path.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(StateError, match="not a state of nxc-controller"):
        Database.open(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_found_at_start(tmp_path: Path, database: Database, share: float) -> None:
    for version in range(2, 60):
        database.append([put(f"n{version}", version, size=3000)])
    database.close()
    path = tmp_path / DATABASE
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(StateError, match=r"damaged.*backup"):
        Database.open(tmp_path)


def test_a_page_of_rubbish_is_found_at_start(tmp_path: Path, database: Database) -> None:
    for version in range(2, 60):
        database.append([put(f"n{version}", version, size=3000)])
    database.close()
    with (tmp_path / DATABASE).open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 8192)
    with pytest.raises(StateError, match="damaged"):
        Database.open(tmp_path)


def test_an_empty_file_is_a_fresh_start(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    assert reopened(tmp_path) == ([], 1)


def test_a_backup_is_whole_while_writes_go_on(tmp_path: Path, database: Database) -> None:
    database.append([put("a", 2)])
    target = tmp_path / "copy" / DATABASE
    target.parent.mkdir()
    back_up(tmp_path, target)
    database.append([put("b", 3)])
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert reopened(target.parent) == (["a"], 1 + RESERVED_VERSIONS)  # no version that was seen comes again


def test_a_backup_never_overwrites(tmp_path: Path, database: Database) -> None:
    target = tmp_path / "precious"
    target.write_text("do not touch")
    with pytest.raises(StateError, match="exists already"):
        back_up(tmp_path, target)
    assert target.read_text() == "do not touch"


def test_a_backup_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="nothing to back up"):
        back_up(tmp_path, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_backup_to_where_nobody_can_write_says_so(tmp_path: Path, database: Database) -> None:
    with pytest.raises(StateError, match="cannot write the backup"):
        back_up(tmp_path, tmp_path / "missing" / "copy")
