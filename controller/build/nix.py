"""Nix, isolated: the one door through which everything that Nix does here goes.

One store for the controller, below its state directory; each Nix process in a jail of its own (`jail.py`),
as a user of its own. What hostile compositions may try, and what stops it: docs/security.md.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.build import configuration, derivation, diagnosis, disk, nar
from controller.build.expression import literal
from controller.build.gate import Gate
from controller.build.isolation import Isolation, probe
from controller.build.limits import MIB, BuildLimits, EvalLimits, duration, size
from controller.build.log import Log, Progress, plain
from controller.build.nar import Content
from controller.build.process import Ended, TimeIsUp, TooMuchOutput
from controller.build.roots import Roots
from controller.build.runner import OutOfMemory, Runner
from controller.build.system import System
from controller.model.errors import NxcError, UserError

WARNING = "nxc-warning: "
"""How nix/ marks a warning that it traces."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What nix/entry.nix tells of a composition; `result` is all of it."""

    drv_path: str
    out_path: str
    roles: tuple[str, ...]
    result: Mapping[str, object]
    warnings: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Fixed:
    """A fixed output that the store lacks: something from outside that Nix here may not fetch.

    `method` is `sha256` or, of an archive, `r:sha256`; `digest` is hexadecimal.
    """

    drv: str
    name: str
    path: str
    method: str
    digest: str
    url: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What the store lacks of a derivation: `build`, derivations to build, and what would have to be fetched."""

    build: tuple[str, ...]
    fixed: tuple[Fixed, ...]


@dataclass(frozen=True, slots=True)
class PathInfo:
    """A path of the store. `nar_size` in bytes, `nar_hash` as Nix writes it."""

    nar_size: int
    nar_hash: str
    references: tuple[str, ...]


class Nix:
    """One store, and Nix on it. `store_root / "nix/store"` is where its files are on this host."""

    def __init__(
        self,
        state: Path,
        isolation: Isolation,
        *,
        expressions: Path,
        import_from_derivation: bool = False,
        system: System = System(),  # noqa: B008 - frozen
    ) -> None:
        self.store_root = state
        self.isolation = isolation
        self._expressions = expressions
        self._import_from_derivation = import_from_derivation
        self._runner = Runner(state, isolation, system)
        self._runner.prepare()
        self._roots = Roots(state / "nix/var/nix/gcroots")
        self._gate = Gate()
        self._known: dict[str, Content] = {}
        """Contents that we added: pure evaluation may read them as it knows their digests."""
        self._valid: set[str] = set()

    @classmethod
    async def open(
        cls,
        state: Path,
        *,
        expressions: Path,
        trusted: bool = False,
        import_from_derivation: bool = False,
        system: System = System(),  # noqa: B008 - frozen
    ) -> Nix:
        """Nix on the store below `state`; `expressions` is the directory nix/ of this project.

        `system`: where Nix's programs are, if not on this host's PATH.

        Without full isolation NxcError `IsolationFailed`, unless compositions are `trusted`.
        """
        isolation = await probe(system)
        if not isolation.full and not trusted:
            raise NxcError(
                "IsolationFailed",
                f"this host does not isolate Nix well enough for compositions of others: {'; '.join(isolation.lacks)}. "
                "Run the controller as root with user namespaces, or start it with --trust-compositions "
                "if you trust every author of a composition",
            )
        nix = cls(
            state,
            isolation,
            expressions=expressions,
            import_from_derivation=import_from_derivation,
            system=system,
        )
        await nix._run("nix-store", "--init")
        return nix

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

    # ---------------------------------------------------------------- evaluation

    async def evaluate(self, request: Mapping[str, object], limits: EvalLimits) -> Evaluation:
        """Evaluates nix/entry.nix for this request; paths of the store in it must have come by `add_…`.

        UserError `EvaluationFailed` (with file:line:column and an excerpt), `EvaluationTimeout`,
        `EvaluationMemory`, `EvaluationOutput`.
        """
        began = time.monotonic()
        entry = await self.add_tree(self._expressions, "nxc")
        entry_file = f'{literal(entry, self._known)} + "/entry.nix"'
        # A set with an attribute outPath would be printed as that string alone.
        expression = (
            f"let result = import ({entry_file}) {{ request = {literal(request, self._known)}; }}; "
            'in removeAttrs result [ "outPath" ] // { imagePath = result.outPath; }'
        )
        async with self._gate.passing():
            ended = await self._evaluate(expression, limits)
            errors = ended.errors.decode(errors="replace")
            if ended.status != 0:
                raise UserError(
                    "EvaluationFailed", diagnosis.evaluation(errors, str(request.get("source", "")))
                )
            result = _result(ended.output)
            drv, out = result.get("drvPath"), result.get("imagePath")
            if not (isinstance(drv, str) and nar.is_store_path(drv) and drv.endswith(".drv")):
                raise UserError("EvaluationFailed", "the composition's image is no derivation")
            if not (isinstance(out, str) and nar.is_store_path(out)):
                raise UserError("EvaluationFailed", "the composition's image has no output path")
            self._roots.freshen(drv)
        roles = result.get("roles")
        if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
            raise UserError("EvaluationFailed", "the names of the composition's roles are not strings")
        warnings = tuple(
            line.partition(WARNING)[2] for line in errors.splitlines() if line.startswith(f"trace: {WARNING}")
        )
        return Evaluation(drv, out, tuple(roles), result, warnings, time.monotonic() - began)

    async def _evaluate(self, expression: str, limits: EvalLimits) -> Ended:
        settings = configuration.evaluation(import_from_derivation=self._import_from_derivation)
        arguments = ("nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-")
        try:
            return await self._runner.run(
                arguments,
                settings,
                seconds=limits.seconds,
                output=limits.output,
                memory=limits.memory,
                file=1 << 30,
                address_space=True,
                stdin=[expression.encode()],
            )
        except TimeIsUp:
            raise UserError(
                "EvaluationTimeout",
                f"the evaluation took longer than {duration(limits.seconds)}; is there an endless loop or list in it?",
            ) from None
        except TooMuchOutput:
            raise UserError(
                "EvaluationOutput",
                f"the evaluation printed more than {size(limits.output)}; "
                "remove traces, or make its result (test script, distribution) smaller",
            ) from None
        except OutOfMemory:
            raise UserError(
                "EvaluationMemory",
                f"the evaluation needs more than {size(limits.memory)} of memory; is there an endless list in it?",
            ) from None

    # ---------------------------------------------------------------- builds

    async def missing(self, drv: str) -> Missing:
        """What would have to be built for this derivation, and what would have to be fetched."""
        ended = await self._run("nix-store", "--realise", "--dry-run", drv)
        build = tuple(
            line.strip()
            for line in ended.errors.decode(errors="replace").splitlines()
            if line.startswith("  /nix/store/") and line.endswith(".drv")
        )
        fixed = []
        for path in build:
            read = await asyncio.to_thread(self.derivation, path)
            fixed += [
                Fixed(
                    path,
                    nar.name_of(path),
                    output.path,
                    output.method,
                    output.digest,
                    read.environment.get("url", ""),
                )
                for output in read.outputs
                if output.fixed
            ]
        return Missing(build, tuple(fixed))

    def derivation(self, drv: str) -> derivation.Derivation:
        """Reads a derivation. Blocking, but short."""
        if not (nar.is_store_path(drv) and drv.endswith(".drv")):
            raise ValueError(f"{drv!r} is not a derivation of the store")
        return derivation.parse(self.physical(drv).read_text(errors="replace"))

    def physical(self, path: str) -> Path:
        """Where this path of the store is on the host. What is below it may be hostile: links lead anywhere."""
        return self.store_root / path.lstrip("/")

    async def realise(
        self,
        drv: str,
        *,
        limits: BuildLimits,
        progress: Callable[[Progress], None] = lambda _: None,
        log: Path,
    ) -> None:
        """Builds this derivation and all it needs; writes what builders print to `log`.

        UserError `FetchRefused` (it needs fixed outputs that the store lacks: see `missing`), `BuildFailed`,
        `BuildTimeout`, `BuildSilent`, `LogTooLong`, `DiskLimit`, `BuildMemory`, `ClosureTooLarge`.
        """
        missing = await self.missing(drv)
        if missing.fixed:
            raise UserError("FetchRefused", _refusal(missing.fixed))
        outputs = [output.path for output in self.derivation(drv).outputs]
        for path in outputs:
            self._roots.freshen(path)
        if not missing.build:
            return
        await self._build(drv, missing.build, limits, progress, log)
        total = 0
        for path in outputs:
            total += sum(info.nar_size for info in (await self.closure(path)).values())
        if total > limits.closure:
            for path in outputs:
                self._roots.release(path)
            raise UserError(
                "ClosureTooLarge",
                f"the image needs {size(total)} of packages and files, and may need {size(limits.closure)}",
            )

    async def _build(
        self,
        drv: str,
        building: Sequence[str],
        limits: BuildLimits,
        progress: Callable[[Progress], None],
        log: Path,
        arguments: Sequence[str] = (),
    ) -> None:
        reader = Log()
        watched = [self.physical(f"{path}.chroot") for path in building]
        for path in building:
            watched += [self.physical(output.path) for output in self.derivation(path).outputs if output.path]

        with log.open("w", encoding="utf-8") as file:

            def take(data: bytes) -> None:
                before = reader.progress
                for line in reader.feed(data):
                    file.write(line + "\n")
                if reader.progress != before:
                    progress(reader.progress)
                if reader.size > limits.log:
                    raise _too_long(limits)

            try:
                ended = await self._runner.run(
                    ("nix-store", "--realise", drv, "--log-format", "internal-json", "-v", *arguments),
                    configuration.build(limits),
                    seconds=limits.seconds,
                    memory=limits.memory,
                    processes=limits.processes,
                    file=limits.file,
                    on_error=take,
                    watch=lambda work: disk.watch([work, *watched], self.store_root, limits),
                )
            except TimeIsUp:
                raise UserError(
                    "BuildTimeout", f"the build took longer than {duration(limits.seconds)}"
                ) from None
            except OutOfMemory:
                raise UserError(
                    "BuildMemory", f"the build needs more than {size(limits.memory)} of memory"
                ) from None
            finally:
                for line in reader.close():
                    file.write(line + "\n")
        if ended.status != 0:
            raise diagnosis.build(reader, ended.status, limits, log)

    # ---------------------------------------------------------------- questions

    async def closure(self, path: str) -> dict[str, PathInfo]:
        """A path and all that it needs at run time. NxcError: it is not in the store."""
        ended = await self._run("nix", "path-info", "--json", "--recursive", path)
        return dict(_path_infos(ended.output))

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
            return _freed((ended.output + ended.errors).decode(errors="replace"))

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


def _result(output: bytes) -> Mapping[str, object]:
    try:
        result = json.loads(output)
    except (ValueError, RecursionError):
        raise UserError("EvaluationFailed", "the result of the evaluation cannot be read") from None
    if not isinstance(result, dict):
        raise UserError("EvaluationFailed", "the result of the evaluation is not a set")
    return result


def _refusal(fixed: Sequence[Fixed]) -> str:
    first = fixed[0]
    what = f"{first.name} (from {first.url})" if first.url else first.name
    more = f", and {len(fixed) - 1} more," if len(fixed) > 1 else ""
    return (
        f"the composition needs {what}{more} from outside, and nothing may be fetched during a build; "
        "use packages of the package source, or put the file next to the composition"
    )


def _too_long(limits: BuildLimits) -> UserError:
    return UserError(
        "LogTooLong",
        f"the build printed more than {size(limits.log)}; let it print less (the log's beginning is kept)",
    )


def _path_infos(output: bytes) -> Iterator[tuple[str, PathInfo]]:
    """Nix 2.8 gives a list of objects with `path`, newer ones an object by path."""
    infos = json.loads(output)
    items = infos.items() if isinstance(infos, dict) else ((info["path"], info) for info in infos)
    for path, info in items:
        if not info or "narSize" not in info:
            raise NxcError("NixFailed", f"{path} is not in the store")
        yield path, PathInfo(info["narSize"], info["narHash"], tuple(sorted(info["references"])))


def _freed(said: str) -> int:
    """`3 store paths deleted, 12.34 MiB freed`."""
    for line in reversed(said.splitlines()):
        words = line.split()
        if words[-1:] == ["freed"]:
            return int(float(words[-3]) * MIB)
    return 0
