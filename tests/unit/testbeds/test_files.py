"""Records and the directories of what runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.testbeds import files


def test_a_record_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    home = tmp_path / "machines" / "one"
    files.write_record(home, {"a": 1})
    files.write_record(home, {"a": 2})
    assert list(files.records(tmp_path / "machines")) == [(home, b'{"a": 2}')]
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / files.RECORD).stat().st_mode & 0o777 == 0o600


def test_what_was_not_finished_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "notes.txt").touch()  # somebody else's; left alone
    (tmp_path / "half" / "record.json.new").write_text("{")
    assert list(files.records(tmp_path)) == []
    assert not (tmp_path / "half").exists()
    assert list(files.records(tmp_path / "none")) == []


def test_a_directory_that_is_removed_is_no_record_from_the_first_moment(tmp_path: Path) -> None:
    files.write_record(tmp_path / "one", {})
    (tmp_path / "one" / "more").touch()
    files.remove(tmp_path / "one")
    files.remove(tmp_path / "one")
    assert not (tmp_path / "one").exists()


def test_socket_paths_fit_however_deep_the_state_is(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    first, second = files.runtime_directory(deep), files.runtime_directory(deep / "other")
    assert first != second
    # sun_path has 108 bytes; the longest name below is that of a machine's socket
    assert len(str(first / ("m" * 40) / "information.sock")) < 108


def test_a_private_directory_is_ours_alone(tmp_path: Path) -> None:
    made = files.private_directory(tmp_path / "a" / "b" / "c", None)
    assert made.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o711


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_a_directory_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    os.chown(tmp_path / "taken", 61190, 61190)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        files.private_directory(tmp_path / "taken", 61184)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_a_directory_below_somebody_elses_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 61190, 61190)
    with pytest.raises(PermissionError, match="theirs belongs to somebody else"):
        files.private_directory(tmp_path / "theirs" / "ours", None)


def test_only_empty_directories_go(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    files.remove_empty(tmp_path / "empty", tmp_path / "full", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]
