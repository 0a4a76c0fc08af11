"""One store of Nix: how things come into it, what is in it, and what keeps them there.

It lies below the controller's state directory; each Nix process sees it from a jail of its own (`jail.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from controller.build import answers, derivation, nar
from controller.build.answers import PathInfo
from controller.build.gate import Gate
from controller.build.isolation import Isolation
from controller.build.limits import MIB, duration
from controller.build.log import plain
from controller.build.nar import Content
from controller.build.process import Ended, TimeIsUp, TooMuchOutput
from controller.build.roots import Roots
from controller.build.runner import OutOfMemory, Runner
from controller.build.system import System
from controller.model.errors import NxcError


class Store:
    """One store. `store_root / "nix/store"` is where its files are on this host."""

    def __init__(self, state: Path, isolation: Isolation, system: System) -> None:
        """Makes the directories of the store. Blocking."""
        state = state.absolute()
        self.store_root = state
        self.isolation = isolation
        self._runner = Runner(state, isolation, system)
        self._runner.prepare()
        self._roots = Roots(state / "nix/var/nix/gcroots")
        self._gate = Gate()
        self._known: dict[str, Content] = {}
        """Contents that we added: pure evaluation may read them, as it is told their digests."""
        self._valid: set[str] = set()

    # ---------------------------------------------------------------- into the store

    async def add_tree(self, tree: Path, name: str, *, limit: int | None = None) -> str:
        """Copies a directory or a file into the store; links are copied as links. Returns its path there.

        UserError `SourceTooLarge` (more than `limit` bytes), `SourceInvalid`.
        """
        content = await asyncio.to_thread(nar.measure, tree, name, limit=limit)
        await self._add({content: tree})
        return content.path

    async def add_fixed(self, *files: Path) -> list[str]:
        """Copies files into the store, each as the fixed output (flat, sha256) of its name; returns the paths."""
        contents = await asyncio.to_thread(
            lambda: {nar.measure_flat(file, file.name): file for file in files}
        )
        await self._add(contents)
        return [content.path for content in contents]

    async def _add(self, contents: Mapping[Content, Path]) -> None:
        async with self._gate.passing():
            missing = {content: path for content, path in contents.items() if not await self._has(content)}

            def stream() -> Iterator[bytes]:
                for content, path in missing.items():
                    yield from nar.export(path, content)
                yield nar.END_OF_EXPORT

            if missing:
                total = sum(content.size for content in missing)
                await self._run("nix-store", "--import", stdin=stream(), seconds=300 + total / MIB)
            for content in contents:
                self._roots.freshen(content.path)
                self._valid.add(content.path)
                self._known[content.path] = content

    async def _has(self, content: Content) -> bool:
        """Is it there? Small content is not asked for: to import it again takes no longer than the question."""
        return content.path in self._valid or (content.size > MIB and await self.valid(content.path))

    # ---------------------------------------------------------------- questions

    def physical(self, path: str) -> Path:
        """Where this path of the store is on the host. What is in it may be hostile: links lead anywhere."""
        return self.store_root / path.lstrip("/")

    def derivation(self, drv: str) -> derivation.Derivation:
        """Reads a derivation. Blocking, but short. ValueError: it is none."""
        if not (nar.is_store_path(drv) and drv.endswith(".drv")):
            raise ValueError(f"{drv!r} is not a derivation of the store")
        return derivation.parse(self.physical(drv).read_text(errors="replace"))

    async def closure(self, path: str) -> dict[str, PathInfo]:
        """A path and all that it needs at run time. NxcError: it is not in the store."""
        ended = await self._run("nix", "path-info", "--json", "--recursive", path)
        return answers.path_infos(ended.output)

    async def version(self) -> str:
        """What Nix calls itself: `nix (Nix) 2.26.3`."""
        ended = await self._run("nix", "--version")
        return ended.output.decode(errors="replace").strip()

    async def valid(self, path: str) -> bool:
        """Is this path in the store?"""
        ended = await self._runner.run(("nix-store", "--check-validity", path))
        return ended.status == 0

    # ---------------------------------------------------------------- roots

    def root(self, name: str, path: str) -> None:
        """Keeps this path and its closure under this name (letters, digits, `._-`)."""
        self._roots.add(name, path)

    def unroot(self, name: str) -> None:
        """Takes the name away."""
        self._roots.remove(name)

    def roots(self) -> Mapping[str, str]:
        """The named roots: name → path."""
        return self._roots.all()

    def release(self, path: str) -> None:
        """What came into the store by `add_…`, `evaluate` or `realise` is kept for some hours; no longer this."""
        self._roots.release(path)

    async def collect(self, max_freed: int | None = None) -> int:
        """Deletes what no root keeps and no running build uses, up to so many bytes; returns the bytes freed.

        Waits for evaluations that run, and others wait for it; builds go on.
        """
        async with self._gate.alone():
            await asyncio.to_thread(self._roots.expire)
            self._valid.clear()
            limit = () if max_freed is None else ("--max-freed", str(max_freed))
            ended = await self._run("nix-store", "--gc", *limit, seconds=3600)
            return answers.freed((ended.output + ended.errors).decode(errors="replace"))

    async def _run(
        self, *arguments: str, stdin: Iterable[bytes] | None = None, seconds: float = 600
    ) -> Ended:
        """Runs Nix for ourselves; it has to succeed."""
        shown = " ".join(arguments[:2])
        try:
            ended = await self._runner.run(arguments, stdin=stdin, seconds=seconds)
        except TimeIsUp:
            raise NxcError("NixFailed", f"{shown} did not end within {duration(seconds)}") from None
        except (TooMuchOutput, OutOfMemory):
            raise NxcError("NixFailed", f"{shown} used too much memory or printed too much") from None
        if ended.status != 0:
            said = plain(ended.errors.decode(errors="replace")).strip()[-1000:]
            raise NxcError("NixFailed", f"{shown} failed with exit status {ended.status}: {said}")
        return ended
