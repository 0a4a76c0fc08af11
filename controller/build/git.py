"""Sources in git: which commit a ref is now, and the files of a commit.

git runs with an empty environment and no configuration but ours, without hooks, submodules, filters or
redirects, and for the protocols that the CRD lets through. Nothing is checked out: the files are read from
the object database, so that nothing in a repository's attributes has a say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import resource
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.build.source import File, Link, Tree, too_large
from controller.model.errors import NxcError, UserError

PROTOCOLS = "https:http:ssh:git"
SECONDS = 120.0
"""For one command: a server that answers more slowly is of no use to anybody."""
PACK_LIMIT = 200_000_000
"""Bytes of one file that git may write: a commit with all that is in it, compressed."""
OUTPUT_LIMIT = 64_000_000
FILES_LIMIT = 20_000
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where a source is, and what opens it. `secret` is the data of the Secret that the composition names."""

    url: str
    ref: str = "HEAD"
    path: str = ""
    secret: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    field: str = "spec.source.git"


async def resolve(repository: Repository, *, protocols: str = PROTOCOLS) -> str:
    """The commit that the ref is now. Raises `UserError` where the repository or the ref is not there."""
    if _COMMIT.fullmatch(repository.ref):
        return repository.ref
    async with _desk(repository, protocols) as desk:
        listing = await desk.git("ls-remote", "--", repository.url)
    refs: dict[str, str] = {}
    for line in listing.decode(errors="replace").splitlines():
        commit, _, ref = line.partition("	")
        refs[ref] = commit
    name = repository.ref
    for candidate in (
        name,
        f"refs/tags/{name}^{{}}",
        f"refs/tags/{name}",
        f"refs/heads/{name}",
        f"{name}^{{}}",
    ):
        if candidate in refs and _COMMIT.fullmatch(refs[candidate]):
            return refs[candidate]
    raise UserError(
        "GitRefNotFound",
        f"{repository.field}.ref: {repository.url} has no branch or tag {name!r}; of a commit give the full hash",
    )


async def fetch(repository: Repository, commit: str, limit: int, *, protocols: str = PROTOCOLS) -> Tree:
    """The files of a commit, below `path`. Raises `UserError` also where they are more than `limit` bytes."""
    async with _desk(repository, protocols) as desk:
        await desk.git("init", "--quiet", "--bare", ".")
        fetch = (
            "fetch",
            "--quiet",
            "--no-tags",
            "--depth=1",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        )
        await desk.git(*fetch, "--", repository.url, commit)
        entries = await desk.git(
            "ls-tree", "-r", "-z", "--long", "--full-tree", _tree(commit, repository.path)
        )
        return await _read(desk, repository, entries, limit)


def _tree(commit: str, path: str) -> str:
    return f"{commit}:{path}" if path else commit


async def _read(desk: _Desk, repository: Repository, entries: bytes, limit: int) -> Tree:
    wanted: list[tuple[str, str, str, int]] = []
    for line in entries.split(b"\0"):
        if not line:
            continue
        head, _, raw = line.partition(b"\t")
        mode, kind, name, size = head.decode().split()
        if kind == "blob":
            wanted.append((_decode(raw), mode, name, int(size)))
        # what is no blob is a submodule: an empty folder, as after a clone without submodules
    if (total := sum(size for *_, size in wanted)) > limit:
        raise too_large(total, limit)
    if len(wanted) > FILES_LIMIT:
        raise UserError(
            "SourceTooLarge",
            f"{repository.field} has {len(wanted)} files, and may have {FILES_LIMIT}; use path",
        )
    answer = await desk.git(
        "cat-file", "--batch", stdin="".join(f"{name}\n" for _, _, name, _ in wanted).encode()
    )
    files: dict[str, File | Link] = {}
    at = 0
    for path, mode, _, length in wanted:
        at = answer.index(b"\n", at) + 1
        data = answer[at : at + length]
        at += length + 1
        files[path] = (
            Link(data.decode(errors="replace")) if mode == "120000" else File(data, mode == "100755")
        )
    return Tree(files)


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UserError(
            "SourceInvalid", f"the repository has a file whose name is not UTF-8: {raw!r}"
        ) from error


@dataclass(frozen=True, slots=True)
class _Desk:
    """A private directory in which git works for one repository, with its credentials beside it."""

    directory: Path
    environment: Mapping[str, str]
    settings: Sequence[str]
    repository: Repository

    async def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run git; its output. Raises `UserError` with what git says, `NxcError` where there is no git."""
        words = [word for setting in self.settings for word in ("-c", setting)]
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *words,
                *arguments,
                cwd=self.directory / "repository",
                env=dict(self.environment),
                **_someone(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise NxcError(
                "GitMissing", "sources from git need the command git on the controller's machine: install git"
            ) from error
        with contextlib.suppress(ProcessLookupError, PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (PACK_LIMIT, PACK_LIMIT))
        try:
            async with asyncio.timeout(SECONDS):
                output, errors = await _communicate(process, stdin)
        except TimeoutError:
            raise self._failed(
                "GitTimeout", f"git {arguments[0]} did not end within {SECONDS:.0f} s"
            ) from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        if process.returncode:
            said = errors.decode(errors="replace").strip()[-2000:]
            raise self._failed("GitFailed", said or f"git {arguments[0]} ended with {process.returncode}")
        return output

    def _failed(self, reason: str, what: str) -> UserError:
        return UserError(
            reason, f"{self.repository.field}: {self.repository.url} ({self.repository.ref}): {what}"
        )


async def _communicate(process: asyncio.subprocess.Process, stdin: bytes) -> tuple[bytes, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None

    async def write(pipe: asyncio.StreamWriter) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(stdin)
            await pipe.drain()
        pipe.close()

    async def read(pipe: asyncio.StreamReader) -> bytes:
        parts, size = [], 0
        while part := await pipe.read(1 << 16):
            size += len(part)
            if size > OUTPUT_LIMIT:
                raise UserError("SourceTooLarge", f"git printed more than {OUTPUT_LIMIT:,} bytes")
            parts.append(part)
        return b"".join(parts)

    _, output, errors = await asyncio.gather(write(process.stdin), read(process.stdout), read(process.stderr))
    await process.wait()
    return output, errors


@asynccontextmanager
async def _desk(repository: Repository, protocols: str) -> AsyncIterator[_Desk]:
    directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="nxc-git."))  # mode 0700
    try:
        (directory / "repository").mkdir()
        environment = _environment(directory, repository, protocols)
        _give(directory)
        yield _Desk(directory, environment, _SETTINGS, repository)
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _someone() -> dict[str, Any]:
    """Who git runs as: what a server sends is nothing for root to read. Nobody else where we are not root."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return {}
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _give(directory: Path) -> None:
    """Make a directory and what lies in it that of whom git runs as."""
    if somebody := _someone():
        for path in (directory, *directory.iterdir()):
            os.chown(path, somebody["user"], somebody["group"])


_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "fetch.fsckObjects=true",
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "init.defaultBranch=main",
    "maintenance.auto=false",
    "protocol.version=2",
    "submodule.recurse=false",
)


def _environment(directory: Path, repository: Repository, protocols: str) -> dict[str, str]:
    """All that git gets to know: nothing of ours."""
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/run/current-system/sw/bin",
        "HOME": str(directory),
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": _ssh(directory, repository),
    }
    if "username" in repository.secret or "password" in repository.secret:
        environment["GIT_ASKPASS"] = str(_askpass(directory, repository.secret))
    return environment


def _askpass(directory: Path, secret: Mapping[str, bytes]) -> Path:
    """A program that git asks for the user and the password, which stand in files beside it."""
    for name in ("username", "password"):
        _private(directory / name, secret.get(name, b""))
    program = directory / "askpass"
    _private(
        program,
        b'#!/bin/sh\ncase "$1" in Username*) exec cat "${0%/*}/username";; *) exec cat "${0%/*}/password";; esac\n',
    )
    program.chmod(0o700)
    return program


def _ssh(directory: Path, repository: Repository) -> str:
    """ssh with the Secret's key and no other, and with no host but those in its known_hosts."""
    secret = repository.secret
    known, key = directory / "known_hosts", directory / "identity"
    _private(known, secret.get("known_hosts", b""))
    words = [
        "ssh",
        "-F",
        os.devnull,
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
    ]
    words += [
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"UserKnownHostsFile={known}",
        "-o",
        "ConnectTimeout=20",
    ]
    words += ["-o", "GlobalKnownHostsFile=/dev/null"]
    if "ssh-privatekey" in secret:
        _private(key, secret["ssh-privatekey"].rstrip(b"\n") + b"\n")
        words += ["-i", str(key)]
    return " ".join(words)


def _private(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)


def flake(ref: str) -> Repository:
    """The repository that a flake reference names. Raises `UserError` `NotSupported` for other references.

    References as in `nix flake --help`; what needs a registry or an archive is not fetched here.
    """
    head, _, query = ref.partition("?")
    if "#" in ref:
        raise UserError(
            "NotSupported", f"spec.source.flake.ref: {ref!r} names an output; use spec.select instead"
        )
    options = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
    if strange := sorted(options.keys() - {"ref", "rev", "dir", "host"}):
        raise UserError("NotSupported", f"spec.source.flake.ref: the option {strange[0]!r} is not supported")
    scheme, _, rest = head.partition(":")
    hosts = {"github": "github.com", "gitlab": "gitlab.com"}
    if scheme in hosts:
        parts = rest.split("/", 2)
        if len(parts) < 2 or not all(parts):
            raise UserError(
                "NotSupported", f"spec.source.flake.ref: {ref!r} is not {scheme}:owner/repository"
            )
        host = options.get("host", hosts[scheme])
        if _HOST.fullmatch(host) is None:
            raise UserError("NotSupported", f"spec.source.flake.ref: {host!r} is no host")
        url, given = f"https://{host}/{parts[0]}/{parts[1]}", parts[2] if len(parts) == 3 else ""
    elif scheme in ("git+https", "git+http", "git+ssh"):
        url, given = head.removeprefix("git+"), ""
    else:
        raise UserError(
            "NotSupported",
            f"spec.source.flake.ref: {ref!r} cannot be fetched by this controller; it knows github:owner/repository, "
            "gitlab:owner/repository, git+https://… and git+ssh://…",
        )
    wanted = options.get("rev") or options.get("ref") or given or "HEAD"
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._+/-]*", wanted) is None:
        raise UserError("NotSupported", f"spec.source.flake.ref: {wanted!r} is no branch, tag or commit")
    return Repository(url, wanted, options.get("dir", "").strip("/"), field="spec.source.flake")
