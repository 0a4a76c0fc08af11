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


@dataclass(frozen=True, slots=True)
class Source:
    """One index of one repository: `base` is what a pool path is relative to, `file` where apt keeps it."""

    base: str
    codename: str
    file: str


class Apt:
    """This machine's apt. `lists` is a directory of ours for fresh lists; None: only the machine's own."""

    def __init__(self, lists: Path | None = None) -> None:
        self._lists = lists

    async def sources(self, chosen: Selection) -> list[Source]:
        """Debian's indexes for the release, as apt is set up. Raises `TestbedError` where there are none."""
        template = "$(ORIGIN)|$(CODENAME)|$(ARCHITECTURE)|$(REPO_URI)|$(FILENAME)"
        text = await self._run(["apt-get", "indextargets", "--format", template, "Created-By: Packages"])
        found = []
        for line in text.splitlines():
            origin, codename, architecture, base, file = line.split("|", 4)
            right = architecture in (chosen.architecture, "all", "")
            # bookworm, bookworm-updates, bookworm-security; not backports, which are not made to fit together
            ours = codename in (chosen.release, f"{chosen.release}-updates", f"{chosen.release}-security")
            if origin == "Debian" and right and ours:
                found.append(Source(base.rstrip("/") + "/", codename, file))
        if not found:
            raise TestbedError(
                "NoMirror",
                f"apt on this machine knows no repository of Debian {chosen.release}: add one to its sources"
                f" (deb http://MIRROR/debian {chosen.release} main) and run: apt-get update",
            )
        return found

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
        if not await asyncio.to_thread(_complete, sources):
            await self.refresh()
            sources = await self.sources(chosen)
        for source in sources:
            text = await self._run([HELPER, "cat-file", source.file])
            candidates += await asyncio.to_thread(_candidates, text, chosen)
        return Index(candidates)

    async def refresh(self) -> None:
        """Fetch the lists anew, into our own directory. Raises `TestbedError` with apt's words."""
        if self._lists is None:
            raise TestbedError("NoMirror", "apt's lists are missing or out of date; run: apt-get update")
        (self._lists / "partial").mkdir(parents=True, exist_ok=True)
        await self._run(["apt-get", "-q", "update"], REFRESH_SECONDS)

    def _options(self) -> list[str]:
        if self._lists is None or not (self._lists / "partial").is_dir():
            return []
        # No change of user: the directory may be readable by us alone.
        return [
            "-o",
            f"Dir::State::Lists={self._lists}",
            "-o",
            "APT::Sandbox::User=",
            "-o",
            "Dir::Cache::pkgcache=",
            "-o",
            "Dir::Cache::srcpkgcache=",
        ]

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


def _complete(sources: Sequence[Source]) -> bool:
    return all(Path(source.file).exists() for source in sources)


def _candidates(text: str, chosen: Selection) -> list[Candidate]:
    return [
        candidate(stanza)
        for stanza in stanzas(text.splitlines())
        if stanza.get("Architecture") in (chosen.architecture, "all")
    ]
