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
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from controller.build import process
from controller.build.configuration import HOME
from controller.build.cgroups import Groups, find
from controller.model.errors import NxcError

USER = 59911
"""The uid and gid of Nix where no system user `nxc-nix` exists: above the users of people, below systemd's."""
USER_NAME = "nxc-nix"
SYSTEM = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/share/nix")
"""What of the host's system a Nix of its packages needs to see."""
ROOT_LINKS = ("bin", "lib", "lib64")
_PROBE_SECONDS = 20.0


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


def tool(name: str) -> str:
    """The path of one of Nix's programs. NxcError `NixMissing`: it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise NxcError("NixMissing", f"{name} is not on the PATH; install Nix 2.8 or newer (Debian: nix-bin)")
    return os.path.realpath(os.path.dirname(found)) + "/" + name


def nix_user() -> tuple[int, int]:
    """The user and group of Nix. NxcError: the number belongs to somebody."""
    try:
        entry = pwd.getpwnam(USER_NAME)
    except KeyError:
        try:
            owner = pwd.getpwuid(USER).pw_name
        except KeyError:
            return USER, USER
        raise NxcError(
            "IsolationFailed",
            f"uid {USER}, which Nix would run as, belongs to {owner}; add a system user {USER_NAME}",
        ) from None
    if entry.pw_uid in (0, os.geteuid()):
        raise NxcError("IsolationFailed", f"the user {USER_NAME} is root or the controller's own") from None
    return entry.pw_uid, entry.pw_gid


def system_binds() -> list[tuple[str, str, str]]:
    """The read-only view of the host's programs and libraries."""
    paths = [path for path in SYSTEM if os.path.isdir(path)]
    paths += [
        f"/{name}" for name in ROOT_LINKS if os.path.isdir(f"/{name}") and not os.path.islink(f"/{name}")
    ]
    return [(path, path, "ro") for path in paths]


def system_links() -> dict[str, str]:
    """`/lib` and the like where they are links."""
    return {f"/{name}": os.readlink(f"/{name}") for name in ROOT_LINKS if os.path.islink(f"/{name}")}


def identity_files(user: tuple[int, int] | None) -> dict[str, str]:
    """The jail's /etc: Nix asks who it is."""
    uid, gid = user or (os.getuid(), os.getgid())
    return {"/etc/passwd": f"nix:x:{uid}:{gid}:Nix:/tmp:/bin/false\n", "/etc/group": f"nix:x:{gid}:\n"}


async def probe() -> Isolation:
    """Tries what this host gives. NxcError `IsolationFailed`: not even the jail."""
    groups = find()
    if os.geteuid() != 0:
        await _try(None, ("/bin/true",))
        lacks: tuple[str, ...] = (
            f"Nix runs as the controller's user (uid {os.geteuid()}), as the controller is not root",
        )
        failed = await _sandbox_fails(None)
        if failed:
            lacks += (failed,)
        return Isolation(None, not failed, groups, lacks)
    user = nix_user()
    await _try(user, ("/bin/true",))
    failed = await _sandbox_fails(user)
    return Isolation(user, not failed, groups, (failed,) if failed else ())


async def _sandbox_fails(user: tuple[int, int] | None) -> str:
    """Why builders cannot have sandboxes; empty if they can. Nix's own sandbox does these steps."""
    command = "mount -t proc none /proc && exec true"
    arguments = (
        "/usr/bin/unshare",
        "-r",
        "-m",
        "-p",
        "-f",
        "-n",
        "--propagation",
        "private",
        "sh",
        "-c",
        command,
    )
    try:
        await _try(user, arguments)
    except NxcError as error:
        return f"builders have no sandbox, as user namespaces fail ({error.message})"
    return ""


async def _try(user: tuple[int, int] | None, arguments: Sequence[str]) -> None:
    """Runs a command in the jail. NxcError: it fails, for the reason it gives."""
    with TemporaryDirectory(prefix="nxc-probe-") as directory:
        root, work = f"{directory}/root", f"{directory}/work"
        for path in (root, work):
            os.mkdir(path, 0o700)
        if user is not None:
            os.chown(work, *user)
        specification = process.specification(
            arguments=arguments,
            environment={"PATH": "/usr/bin:/bin"},
            binds=[*system_binds(), (work, HOME, "rw")],
            root=root,
            user=user,
            number=1000,
            links=system_links(),
            files=identity_files(user),
        )
        try:
            ended = await process.run(specification, seconds=_PROBE_SECONDS, output=1 << 16)
        except (process.TimeIsUp, process.TooMuchOutput):
            raise NxcError("IsolationFailed", f"{arguments[0]} did not end in isolation") from None
        if ended.status != 0:
            said = ended.errors.decode(errors="replace").strip().splitlines()
            raise NxcError(
                "IsolationFailed", said[-1] if said else f"{arguments[0]}: exit status {ended.status}"
            )
