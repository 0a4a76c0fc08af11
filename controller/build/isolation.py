"""Which isolation this host gives to Nix, and where each process then stands.

There is one way to run Nix, the jail of `jail.py`; hosts differ in how strong it is:

- *own user*: we are root, so Nix gets a user of its own;
- *sandbox*: that user may make user namespaces, so Nix can put each builder into a sandbox of its own.

With both, compositions may be hostile. With one of them missing, only those of whom one trusts the author
may run. Without the jail itself (neither root nor user namespaces), Nix does not run at all.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from controller.build import process
from controller.build.configuration import HOME
from controller.build.system import System
from controller.model.errors import NxcError
from controller.testbeds.cgroups import Groups, find

USER = 59911
"""The uid and gid of Nix where no system user `nxc-nix` exists: above the users of people, below systemd's."""
USER_NAME = "nxc-nix"
_PROBE_SECONDS = 20.0
_SANDBOX_STEPS = ("user namespaces:", "mount /proc in a user namespace:")
"""Steps of `jail.py` that come after the jail is complete."""


@dataclass(frozen=True, slots=True)
class Isolation:
    """What a host gives. `lacks`: what is missing for hostile compositions, each a sentence's worth."""

    user: tuple[int, int] | None
    sandbox: bool
    groups: Groups = field(default_factory=Groups)
    lacks: tuple[str, ...] = ()

    @property
    def full(self) -> bool:
        """May compositions be hostile?"""
        return self.user is not None and self.sandbox

    def __str__(self) -> str:
        """For `up`, status and a metric's label."""
        limits = f"limits by control groups (version {self.groups.version})" if self.groups.parents else (
            f"limits by process only ({self.groups.unavailable})"
        )  # fmt: skip
        if self.full:
            uid = self.user[0] if self.user else "?"
            return f"isolated: user {uid}, own namespaces, no network, sandboxed builders; {limits}"
        return f"trusted: {'; '.join(self.lacks)}; {limits}"


def nix_user() -> tuple[int, int]:
    """The user and group of Nix. NxcError: the number belongs to somebody."""
    return own_user(USER_NAME, USER, "Nix")


def own_user(name: str, number: int, who: str) -> tuple[int, int]:
    """A user and group for `who` alone: the system user `name`, or else `number`. NxcError: that is somebody's."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        try:
            owner = pwd.getpwuid(number).pw_name
        except KeyError:
            return number, number
        raise NxcError(
            "IsolationFailed",
            f"uid {number}, which {who} would run as, belongs to {owner}; add a system user {name}",
        ) from None
    if entry.pw_uid in (0, os.geteuid()):
        raise NxcError("IsolationFailed", f"the user {name} is root or the controller's own") from None
    return entry.pw_uid, entry.pw_gid


def identity_files(user: tuple[int, int] | None) -> dict[str, str]:
    """The jail's /etc: Nix asks who it is."""
    uid, gid = user or (os.getuid(), os.getgid())
    return {"/etc/passwd": f"nix:x:{uid}:{gid}:Nix:/tmp:/bin/false\n", "/etc/group": f"nix:x:{gid}:\n"}


async def probe(system: System) -> Isolation:
    """Tries what this host gives. NxcError `IsolationFailed`: not even the jail."""
    groups = find()
    lacks = []
    user = None
    if os.geteuid() == 0:
        user = nix_user()
    else:
        lacks.append(f"Nix runs as the controller's user (uid {os.geteuid()}), as the controller is not root")
    failed = await _try(system, user)
    if failed is not None and not failed.startswith(_SANDBOX_STEPS):
        raise NxcError("IsolationFailed", f"this host cannot isolate Nix at all: {failed}")
    if failed is not None:
        lacks.append(f"builders have no sandbox of their own ({failed})")
    return Isolation(user, failed is None, groups, tuple(lacks))


async def _try(system: System, user: tuple[int, int] | None) -> str | None:
    """Tries the jail and a sandbox in it. What failed, or None."""
    try:
        return await _attempt(system, user)
    except PermissionError as error:
        return f"{error.filename}: {error.strerror}"


async def _attempt(system: System, user: tuple[int, int] | None) -> str | None:
    with TemporaryDirectory(prefix="nxc-probe-") as directory:
        root, work = f"{directory}/root", f"{directory}/work"
        for path in (root, work):
            os.mkdir(path, 0o700)
        try:
            if user is not None:
                os.chown(work, *user)
        except OSError as error:
            return f"no other user than root here: {error.strerror}"
        specification = process.specification(
            arguments=(),
            environment={},
            binds=[*system.binds(), (work, HOME, "rw")],
            root=root,
            user=user,
            number=1000,
            links=system.links(),
            files=identity_files(user),
        )
        try:
            ended = await process.run(specification, seconds=_PROBE_SECONDS, output=1 << 16)
        except process.NotStarted as error:
            return str(error)
        except (process.TimeIsUp, process.TooMuchOutput):
            return "the attempt did not end"
        said = ended.errors.decode(errors="replace").strip().splitlines()
        return (
            None if ended.status == 0 else f"exit status {ended.status}: {said[-1] if said else 'no message'}"
        )
