"""What was built, on disk: so that after a restart an image is known without an evaluation.

One file a record, written under another name and renamed: a record is whole or not there.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One image. `content` and `flavour` name what it was built from; `digest` is the image's identity.

    `reproducible`: what a second build showed, `None` where there was none; `differs`: where it differed.
    """

    content: str
    flavour: str
    digest: str
    output: str
    drv: str
    roles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    store_paths: tuple[str, ...] = ()
    size: int = 0
    closure_size: int = 0
    eval_seconds: float = 0.0
    build_seconds: float = 0.0
    package_source: str = ""
    pin: str = ""
    reproducible: bool | None = None
    differs: str = ""
    test_script: str = ""
    limitations: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: Any) -> Record:
        """Read what `asdict` gave. Raises `ValueError`, `TypeError` or `KeyError`."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        for name in ("roles", "warnings", "store_paths", "limitations"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)


class Records:
    """The records of one state directory. Reading and writing block, for moments: a file each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[tuple[str, str], Record] = {}

    def load(self) -> None:
        """Read all. What cannot be read is left out, and removed: the image is built anew, or found built."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in self._directory.iterdir():
            try:
                record = Record.parse(json.loads(file.read_bytes()))
                if file.name != _name(record.content, record.flavour):
                    raise ValueError("it is not under its own name")
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                if not file.name.startswith("."):
                    logger.warning("the record %s is broken and is dropped: %s", file, error)
                file.unlink(missing_ok=True)
            else:
                self._known[record.content, record.flavour] = record

    def get(self, content: str, flavour: str) -> Record | None:
        """The record of an image, if there is one."""
        return self._known.get((content, flavour))

    def by_digest(self, digests: Iterable[str]) -> Iterator[Record]:
        """The records of these images; several may be of one."""
        wanted = frozenset(digests)
        return (record for record in tuple(self._known.values()) if record.digest in wanted)

    def __iter__(self) -> Iterator[Record]:
        return iter(tuple(self._known.values()))

    def put(self, record: Record) -> None:
        """Write a record; the file is on disk when this returns."""
        name = _name(record.content, record.flavour)
        part = self._directory / f".{name}"
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(record), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._directory / name)
        self._known[record.content, record.flavour] = record

    def remove(self, record: Record) -> None:
        """Forget an image."""
        (self._directory / _name(record.content, record.flavour)).unlink(missing_ok=True)
        self._known.pop((record.content, record.flavour), None)


def _name(content: str, flavour: str) -> str:
    return f"{content.removeprefix('sha256:')}.{flavour}.json"
