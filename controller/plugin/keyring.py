"""Files that ssh reads: a key, known_hosts and a configuration, in a directory that nobody else may enter."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.driver.target import Identity, Target
from controller.model.errors import UserError
from controller.plugin import openssh

KEY, KNOWN_HOSTS, CONFIG = "key", "known_hosts", "config"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The files, written."""

    config: Path
    identity: Path


def write(directory: Path, targets: Sequence[Target], identity: Identity, *, via: str = "") -> Keyring:
    """Put the files into a directory, which is made (0700) or made private; what stood there is replaced."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_uid != os.getuid():
            raise UserError("BadDirectory", f"{directory} is somebody else's: name another with --dir")
        directory.chmod(0o700)
        file = identity.file.absolute() if identity.file is not None else directory / KEY
        if identity.file is None:
            _private(file, identity.key)
        _private(directory / KNOWN_HOSTS, openssh.known_hosts(targets))
        text = openssh.config(
            targets, user=identity.user, identity=file, hosts_file=directory / KNOWN_HOSTS, via=via
        )
        _private(directory / CONFIG, text)
    except OSError as error:
        raise UserError("BadDirectory", f"cannot write into {directory}: {error.strerror}") from None
    return Keyring(directory / CONFIG, file)


@contextmanager
def temporary(targets: Sequence[Target], identity: Identity, *, via: str = "") -> Iterator[Keyring]:
    """The files for a while: in memory where the system has a place for that, and removed at the end."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    place = runtime if os.path.isdir(runtime) and os.access(runtime, os.W_OK) else None
    directory = Path(tempfile.mkdtemp(prefix="nxc-ssh.", dir=place))
    try:
        yield write(directory, targets, identity, via=via)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def lasting(namespace: str, deployment: str) -> Path:
    """Where files for other programs stand by default (XDG base directory specification)."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "nxc" / "ssh" / f"{namespace}.{deployment}"


def _private(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)
