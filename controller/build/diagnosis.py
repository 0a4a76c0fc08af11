"""What Nix says of an evaluation or a build that failed, for somebody who is new to it. Pure."""

from __future__ import annotations

from pathlib import Path

from controller.build.limits import BuildLimits
from controller.build.log import Log, plain
from controller.model.errors import UserError


def evaluation(stderr: str, _source: str = "") -> str:
    """The message of a failed evaluation."""
    text = plain(stderr)
    at = text.rfind("error:")
    return text[at:].removeprefix("error:").strip()[:2000] if at >= 0 else text.strip()[-2000:]


def build(log: Log, status: int, _limits: BuildLimits, path: Path) -> UserError:
    """Why a build failed that was not stopped by us."""
    said = "\n".join(log.errors)
    return UserError("BuildFailed", f"{said[:2000] or f'exit status {status}'} (whole log: {path})")
