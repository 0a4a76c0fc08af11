"""The attempts that are under way: what each node may fetch, with which token, and what it reported.

Each is a file in a directory of the operator's, so that a node that boots while the operator restarts is
answered afterwards. A token is of one node and one attempt and opens nothing else; it ends with the attempt.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.boot.http import Request, Response
from controller.boot.report import Expected, Report, judge
from controller.model.errors import UserError
from controller.model.machine import UNSEEN, MachineKey, Signal
from controller.model.record import Unreadable, read

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the format of an attempt's file."""

RATE, BURST = 2.0, 20.0
"""Requests a second with one token, in the long run and at once."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One boot of one node, as far as information goes.

    `information` is the digest of what the Deployment told, `document` the bytes made of it. `contested` names
    a second host key that somebody tried to report, `refused` says what was wrong with a report that was none.
    """

    key: MachineKey
    token: str
    document: bytes
    information: str
    fetched: bool = False
    report: Report | None = None
    contested: str = ""
    refused: str = ""

    @property
    def informed(self) -> bool:
        """Whether the node is known to have its document."""
        return self.fetched or (self.report is not None and not self.report.error)

    def to_dict(self) -> dict[str, Any]:
        """As its file has it."""
        return {
            "version": VERSION,
            "key": list(self.key),
            "token": self.token,
            "document": base64.b64encode(self.document).decode(),
            "information": self.information,
            "fetched": self.fetched,
            "report": self.report.to_dict() if self.report is not None else None,
            "contested": self.contested,
            "refused": self.refused,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Attempt:
        """Read what `to_dict` wrote, or a version before it."""
        installation, node, number = value["key"]
        report = value["report"]
        return cls(
            MachineKey(installation, node, number),
            value["token"],
            base64.b64decode(value["document"]),
            value["information"],
            value["fetched"],
            Report.parse(json.dumps(report).encode()) if report is not None else None,
            value["contested"],
            value.get("refused", ""),  # not in version 0
        )


@dataclass(slots=True)
class _Allowance:
    """A token bucket."""

    left: float = BURST
    at: float = field(default_factory=time.monotonic)

    def take(self) -> bool:
        now = time.monotonic()
        self.left = min(BURST, self.left + (now - self.at) * RATE)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Attempts:
    """All attempts of one backend. `changed` hears of every fetch and report, at once."""

    def __init__(self, directory: Path, changed: Callable[[MachineKey], None]) -> None:
        """Read what an earlier process left in `directory`, which is made (0700) if it is not there."""
        self._directory, self._changed = directory, changed
        self._by_key: dict[MachineKey, Attempt] = {}
        self._by_token: dict[str, MachineKey] = {}
        self._allowances: dict[str, _Allowance] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in sorted(directory.glob("*.json")):
            try:
                self._remember(read(file.read_bytes(), VERSION, Attempt.from_dict))
            except Unreadable as error:
                logger.error("%s is removed, and the machine that it was of with it: %s", file, error)
                file.unlink()

    def token(self, key: MachineKey) -> str:
        """The token of an attempt: the one it has, or a new one (256 bits of chance)."""
        known = self._by_key.get(key)
        return known.token if known is not None else secrets.token_urlsafe(32)

    def open(self, attempt: Attempt) -> Attempt:
        """Answer for an attempt from now on; on record before this returns. One that is open stays as it is."""
        known = self._by_key.get(attempt.key)
        if known is None:
            self._keep(attempt)
        return known or attempt

    def get(self, key: MachineKey) -> Attempt | None:
        """An attempt that is open."""
        return self._by_key.get(key)

    def verified(self, key: MachineKey, expected: Expected) -> Signal:
        """The condition Verified of an attempt, from everything that was reported in it."""
        attempt = self._by_key.get(key)
        if attempt is None:
            return UNSEEN
        if attempt.contested:
            said = f"a second host key was reported for this attempt: {attempt.contested}"
            return Signal(False, "SecondHostKey", said)
        if attempt.report is None and attempt.refused:
            return Signal(False, "BadReport", attempt.refused)
        return judge(attempt.report, expected)

    def again(self, key: MachineKey) -> None:
        """Its machine starts again: it finds its document, and what it says of itself it has not said yet."""
        known = self._by_key.get(key)
        if known is not None:
            self._keep(replace(known, fetched=False, report=None, refused=""))

    def keep_only(self, keys: Collection[MachineKey]) -> None:
        """Close those of machines that are not on record: their order was never taken."""
        for key in [key for key in self._by_key if key not in keys]:
            self.close(key)

    def close(self, key: MachineKey) -> None:
        """The attempt is over; its token opens nothing any more."""
        known = self._by_key.pop(key, None)
        if known is not None:
            self._by_token.pop(known.token, None)
            self._allowances.pop(known.token, None)
        with contextlib.suppress(FileNotFoundError):
            self._file(key).unlink()

    def answer(self, request: Request, only: MachineKey | None = None) -> Response:
        """Answer a node. `only`: who alone can be speaking, where the way it came tells."""
        parts = request.path.split("/")
        if len(parts) != 4 or parts[:2] != ["", "v1"] or parts[2] not in ("info", "report"):
            return Response(404, b"there is nothing here\n")
        key = self._by_token.get(parts[3])
        if key is None or (only is not None and key != only):
            return Response(404, b"this token opens nothing (any more)\n")
        if not self._allowances.setdefault(parts[3], _Allowance()).take():
            return Response(429, b"too many requests\n")
        attempt = self._by_key[key]
        if parts[2] == "info" and request.method == "GET":
            if not attempt.fetched:
                self._keep(replace(attempt, fetched=True))
                self._changed(key)
            return Response(200, attempt.document, "application/json")
        if parts[2] == "report" and request.method == "POST":
            return self._take(attempt, request.body)
        return Response(405, b"GET info, POST report\n")

    def _take(self, attempt: Attempt, body: bytes) -> Response:
        try:
            report = Report.parse(body)
        except UserError as error:
            if error.message != attempt.refused:
                self._keep(replace(attempt, refused=error.message))
                self._changed(attempt.key)
            return Response(400, error.message.encode("ascii", "replace") + b"\n")
        before = attempt.report
        if before is not None and before.host_key and report.host_key != before.host_key:
            if not report.host_key:
                return Response(200, b"it reported already\n")
            if not attempt.contested:
                self._keep(replace(attempt, contested=report.host_key))
                self._changed(attempt.key)
            return Response(409, b"this attempt has another host key\n")
        if report != before:
            self._keep(replace(attempt, report=report))
            self._changed(attempt.key)
        return Response(200, b"taken\n")

    def _keep(self, attempt: Attempt) -> None:
        file = self._file(attempt.key)
        new = file.with_suffix(".new")
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                json.dump(attempt.to_dict(), stream)
            new.replace(file)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        self._remember(attempt)

    def _remember(self, attempt: Attempt) -> None:
        self._by_key[attempt.key] = attempt
        self._by_token[attempt.token] = attempt.key

    def _file(self, key: MachineKey) -> Path:
        return self._directory / f"{key.node}-{key.attempt}.json"
