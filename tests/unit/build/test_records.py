from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.build.records import Record, Records

RECORD = Record(
    "sha256:aa", "docker", "sha256:d", "/nix/store/o", "/nix/store/d.drv", ("a", "b"), reproducible=True
)


def reloaded(directory: Path) -> Records:
    records = Records(directory)
    records.load()
    return records


def test_records_outlive_the_process(tmp_path: Path):
    reloaded(tmp_path).put(RECORD)
    records = reloaded(tmp_path)
    assert records.get("sha256:aa", "docker") == RECORD
    assert list(records.by_digest(["sha256:d"])) == [RECORD]
    assert records.get("sha256:aa", "vm-ramdisk") is None


def test_a_record_is_replaced_and_removed(tmp_path: Path):
    records = reloaded(tmp_path)
    records.put(RECORD)
    records.put(replace(RECORD, digest="sha256:e"))
    assert [record.digest for record in reloaded(tmp_path)] == ["sha256:e"]
    records.remove(RECORD)
    assert list(reloaded(tmp_path)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"content": 1}', "null"])
def test_a_broken_record_is_dropped(tmp_path: Path, text: str):
    reloaded(tmp_path).put(RECORD)
    next(tmp_path.iterdir()).write_text(text)
    assert list(reloaded(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path):
    reloaded(tmp_path).put(RECORD)
    (tmp_path / ".aa.docker.json").write_text('{"cont')
    assert list(reloaded(tmp_path)) == [RECORD]
    assert len(list(tmp_path.iterdir())) == 1
