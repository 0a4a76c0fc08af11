"""What a node says of itself once it knows its role, and whether that is what was asked for.

The body comes from a machine that a user's composition controls: it is read as hostile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model.errors import UserError
from controller.model.machine import Signal

BODY_LIMIT = 16 * 1024
_HOST_KEY = re.compile(r"(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]{40,1500}={0,2}")
_TEXT = re.compile(r"[ -~]{0,512}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMING = re.compile(r"[A-Za-z][A-Za-z0-9 +_.-]{0,62}")
TIMINGS = 32


@dataclass(frozen=True, slots=True)
class Report:
    """A node's own words. `timings` are seconds since its kernel started; `error` says why it has no role."""

    host_key: str = ""
    toplevel: str = ""
    kernel: str = ""
    cmdline_sha256: str = ""
    role: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As a node posts it."""
        return {
            "hostKey": self.host_key,
            "toplevel": self.toplevel,
            "kernel": self.kernel,
            "cmdlineSha256": self.cmdline_sha256,
            "role": self.role,
            "timings": dict(self.timings),
            "error": self.error,
        }

    @classmethod
    def parse(cls, body: bytes) -> Report:
        """Read a posted report. Raises `UserError` with reason `BadReport`, naming the field."""
        if len(body) > BODY_LIMIT:
            raise UserError("BadReport", f"the report has {len(body)} bytes, more than {BODY_LIMIT}")
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise UserError("BadReport", "the report is no JSON") from None
        if not isinstance(value, dict):
            raise UserError("BadReport", "the report is no JSON object")
        error = _text(value, "error", _TEXT)
        report = cls(
            host_key=" ".join(_text(value, "hostKey", re.compile(r"[ -~]{0,2048}")).split()[:2]),
            toplevel=_text(value, "toplevel", _TEXT),
            kernel=_text(value, "kernel", _TEXT),
            cmdline_sha256=_text(value, "cmdlineSha256", _TEXT),
            role=_text(value, "role", _TEXT),
            timings=_timings(value.get("timings")),
            error=error,
        )
        if report.host_key and _HOST_KEY.fullmatch(report.host_key) is None:
            raise UserError("BadReport", "hostKey is no SSH public key")
        if not error and not report.host_key:
            raise UserError("BadReport", "hostKey is missing")
        if report.cmdline_sha256 and _SHA256.fullmatch(report.cmdline_sha256) is None:
            raise UserError("BadReport", "cmdlineSha256 is no sha256 in hex")
        return report


def _text(value: Mapping[str, Any], field: str, pattern: re.Pattern[str]) -> str:
    text = value.get(field, "")
    if not isinstance(text, str) or pattern.fullmatch(text.strip()) is None:
        raise UserError("BadReport", f"{field} is not a short line of ASCII text")
    return text.strip()


def _timings(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > TIMINGS:
        raise UserError("BadReport", f"timings is not an object of at most {TIMINGS} numbers")
    found: dict[str, float] = {}
    for name, seconds in value.items():
        number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if _TIMING.fullmatch(name) is None or not number or not 0 <= seconds < 1e9:
            raise UserError("BadReport", "timings holds something else than seconds by name")
        found[name] = float(seconds)
    return found


@dataclass(frozen=True, slots=True)
class Expected:
    """What was asked for. `kernel` is empty where the image does not tell its version."""

    toplevel: str
    kernel: str
    role: str
    cmdline_sha256: str


def judge(report: Report | None, expected: Expected) -> Signal:
    """The condition Verified: whether a node runs what was asked for, and nothing else."""
    if report is None:
        return Signal(None, "NoReport", "it has not reported what it booted yet")
    if report.error:
        return Signal(False, "Unconfigured", f"it took no role: {report.error}")
    for name, reason, said, asked in (
        ("role", "WrongRole", report.role, expected.role),
        ("system", "WrongSystem", report.toplevel, expected.toplevel),
        ("kernel", "WrongKernel", report.kernel, expected.kernel or report.kernel),
        ("command line", "WrongCommandLine", report.cmdline_sha256, expected.cmdline_sha256),
    ):
        if said != asked:
            return Signal(False, reason, f"it reported the {name} {said or '(none)'}, not {asked}")
    return Signal(True, "Verified", f"runs {report.toplevel} on Linux {report.kernel}")
