"""What this machine's apt knows: where mirrors are, and what they offer. Only here is apt asked.

apt's own lists are read where they are there. Where they are not (slim containers delete them), or where they
are too old to know a file, `refresh` has apt fetch them anew into a directory of ours, from apt's own sources.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.build.seed.control import stanzas
from controller.build.seed.resolve import Candidate, Index, Selection, candidate
from controller.model.errors import TestbedError

REFRESH_SECONDS = 180.0
READ_SECONDS = 60.0
HELPER = "/usr/lib/apt/apt-helper"
"""Where Debian puts it; it is on no PATH."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Debian's own keys, of all its supported releases."""
_SOURCES = "sources.list"


@dataclass(frozen=True, slots=True)
class Source:
    """One index of one repository: `base` is what a pool path is relative to, `file` where apt keeps it."""

    base: str
    codename: str
    file: str


class Apt:
    """This machine's apt. `directory` is ours, for fresh lists; None: only the machine's own are looked at."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory

    async def sources(self, chosen: Selection) -> list[Source]:
        """Debian's indexes for the release. Raises `TestbedError` where there are none.

        Where apt has fetched no lists yet, it does so now. On a machine with another release of Debian the mirrors
        are those of its own sources: they carry the releases that are supported.
        """
        found, others = await self._targets(chosen)
        if not found and not others and self._directory is not None:
            await self.refresh()
            found, others = await self._targets(chosen)
        if not found and others and self._directory is not None:
            text = _sources_list(others, chosen.release)
            await asyncio.to_thread(_write, self._directory / _SOURCES, text)
            await self.refresh()
            found, _ = await self._targets(chosen)
        if not found:
            raise TestbedError(
                "NoMirror",
                f"apt on this machine knows no repository of Debian {chosen.release}: add one to its sources"
                f" (deb http://MIRROR/debian {chosen.release} main) and run: apt-get update",
            )
        return found

    async def _targets(self, chosen: Selection) -> tuple[list[Source], list[Source]]:
        """Debian's indexes that apt has: those of the release, and those of other releases."""
        template = "$(ORIGIN)|$(CODENAME)|$(ARCHITECTURE)|$(REPO_URI)|$(FILENAME)"
        text = await self._run(["apt-get", "indextargets", "--format", template, "Created-By: Packages"])
        found, others = [], []
        for line in text.splitlines():
            origin, codename, architecture, base, file = line.split("|", 4)
            if origin != "Debian" or architecture not in (chosen.architecture, "all", ""):
                continue
            source = Source(base.rstrip("/") + "/", codename, file)
            if codename in _suites(chosen.release):
                found.append(source)
            elif codename.partition("-")[0] != chosen.release:
                others.append(source)
        return found, others

    async def bases(self, chosen: Selection) -> list[str]:
        """The base URLs of the mirrors, as apt's sources name them. Raises `TestbedError` where none is HTTP."""
        found = list(dict.fromkeys(source.base for source in await self.sources(chosen)))
        usable = [base for base in found if base.startswith(("http://", "https://"))]
        if not usable:
            raise TestbedError("NoMirror", f"apt's sources for Debian are not http(s): {', '.join(found)}")
        return usable

    async def proxy(self) -> str | None:
        """The proxy that apt is told to use."""
        text = await self._run(["apt-config", "shell", "proxy", "Acquire::http::Proxy"])
        words = shlex.split(text)
        value = words[0].partition("=")[2] if words else ""
        return value if value not in ("", "DIRECT") else None

    async def index(self, chosen: Selection) -> Index:
        """All that the release's repositories offer."""
        candidates: list[Candidate] = []
        sources = await self.sources(chosen)
        for source in sources:
            text = await self._run([HELPER, "cat-file", source.file])
            candidates += await asyncio.to_thread(_candidates, text, chosen)
        return Index(candidates)

    async def refresh(self) -> None:
        """Fetch the lists anew, into our own directory. Raises `TestbedError` with apt's words."""
        if self._directory is None:
            raise TestbedError("NoMirror", "apt's lists are missing or out of date; run: apt-get update")
        partial = self._directory / "lists" / "partial"
        await asyncio.to_thread(partial.mkdir, parents=True, exist_ok=True)
        await self._run(["apt-get", "-q", "update"], REFRESH_SECONDS)

    def _options(self) -> list[str]:
        if self._directory is None or not (self._directory / "lists" / "partial").is_dir():
            return []
        settings = [
            f"Dir::State::Lists={self._directory}/lists",
            "APT::Sandbox::User=",  # no change of user: the directory may be ours alone
            "Dir::Cache::pkgcache=",
            "Dir::Cache::srcpkgcache=",
        ]
        if (self._directory / _SOURCES).exists():
            settings += [
                f"Dir::Etc::SourceList={self._directory / _SOURCES}",
                "Dir::Etc::SourceParts=/dev/null",
            ]
        return [word for setting in settings for word in ("-o", setting)]

    async def _run(self, command: Sequence[str], seconds: float | None = None) -> str:
        program, *rest = command
        seconds = seconds or READ_SECONDS
        try:
            process = await asyncio.create_subprocess_exec(
                program,
                *self._options(),
                *rest,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError as error:
            raise TestbedError(
                "NoApt", f"{program} is not on this machine; the seed's packages come through apt's sources"
            ) from error
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise TestbedError(
                "AptTimeout", f"`{' '.join(command)}` did not end within {seconds:g} s"
            ) from None
        if process.returncode:
            words = err.decode(errors="replace").strip()[-500:]
            raise TestbedError("AptFailed", f"`{' '.join(command)}` failed: {words}")
        return out.decode(errors="replace")


def _suites(release: str) -> tuple[str, ...]:
    """Not backports, which are not made to fit together."""
    return (release, f"{release}-updates", f"{release}-security")


def _sources_list(others: Sequence[Source], release: str) -> str:
    """The same mirrors for another release."""
    option = f"[signed-by={KEYRING}] " if Path(KEYRING).exists() else ""
    lines: dict[str, None] = {}
    for source in others:
        _, dash, kind = source.codename.partition("-")
        if f"{release}{dash}{kind}" in _suites(release):
            lines[f"deb {option}{source.base} {release}{dash}{kind} main\n"] = None
    return "".join(lines)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def _candidates(text: str, chosen: Selection) -> list[Candidate]:
    return [
        candidate(stanza)
        for stanza in stanzas(text.splitlines())
        if stanza.get("Architecture") in (chosen.architecture, "all")
    ]
