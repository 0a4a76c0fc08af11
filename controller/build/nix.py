"""Nix, isolated: the one door through which everything that Nix does here goes.

One store for the controller, below its state directory; each Nix process in a jail of its own (`jail.py`),
as a user of its own. What hostile compositions may try, and what stops it: docs/security.md.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from controller.build import answers, configuration, derivation, diagnosis, disk, nar, tree
from controller.build.answers import Evaluation, Fixed, Missing, PathInfo
from controller.build.building import Order, Place, run
from controller.build.expression import literal
from controller.build.isolation import Isolation, probe
from controller.build.limits import BuildLimits, EvalLimits, duration, size
from controller.build.log import Log, Progress
from controller.build.process import Ended, TimeIsUp, TooMuchOutput
from controller.build.runner import OutOfMemory
from controller.build.store import Store
from controller.build.system import HOST, System
from controller.model.errors import NxcError, UserError

_DIFFERS = re.compile(r"output '(/nix/store/\S+)' differs from '(/nix/store/\S+)'")
_MOST_DIFFERENCES = 20
_FILE = 1 << 30
"""Bytes of the largest file that an evaluation may write: a derivation, or something added to the store."""


def _ignore(_: Progress) -> None: ...


class Nix(Store):
    """Nix on a store: evaluates, builds, and checks what was built."""

    def __init__(
        self,
        state: Path,
        isolation: Isolation,
        *,
        expressions: Path,
        import_from_derivation: bool = False,
        system: System = HOST,
    ) -> None:
        """Makes the directories of the store. Blocking; `open` asks the host first, and checks."""
        super().__init__(state, isolation, system)
        self._expressions = expressions
        self._import_from_derivation = import_from_derivation

    @classmethod
    async def open(
        cls,
        state: Path,
        *,
        expressions: Path,
        trusted: bool = False,
        import_from_derivation: bool = False,
        system: System = HOST,
    ) -> Nix:
        """Nix on the store below `state`; `expressions` is the directory nix/ of this project.

        `system`: where Nix's programs are, if not on this host's PATH.
        NxcError `NixMissing`; `IsolationFailed`: this host isolates too little, and compositions are not `trusted`.
        """
        isolation = await probe(system)
        if not isolation.full and not trusted:
            raise NxcError(
                "IsolationFailed",
                f"this host does not isolate Nix well enough for compositions of others: {'; '.join(isolation.lacks)}. "
                "Run the controller as root where user namespaces are allowed, or start it with "
                "--trust-compositions if you trust every author of a composition",
            )
        nix = await asyncio.to_thread(
            cls,
            state,
            isolation,
            expressions=expressions,
            import_from_derivation=import_from_derivation,
            system=system,
        )
        await nix._run("nix-store", "--init")
        return nix

    # ---------------------------------------------------------------- evaluation

    async def evaluate(
        self, request: Mapping[str, object], limits: EvalLimits, *, import_from_derivation: bool = False
    ) -> Evaluation:
        """Evaluates nix/entry.nix for this request; paths of the store in it must have come by `add_…`.

        `import_from_derivation` allows it to this evaluation, where it is not allowed to all.

        UserError `EvaluationFailed` (with file:line:column and an excerpt), `EvaluationTimeout`,
        `EvaluationMemory`, `EvaluationOutput`.
        """
        began = time.monotonic()
        entry = await self.add_tree(self._expressions, "nxc")
        # A set with an attribute outPath would be printed as that string alone.
        expression = (
            f'let result = import ({literal(entry, self._known)} + "/entry.nix") '
            f"{{ request = {literal(request, self._known)}; }}; "
            'in removeAttrs result [ "outPath" ] // { imagePath = result.outPath; }'
        )
        async with self._gate.passing():
            ended = await self._evaluate(expression, limits, import_from_derivation)
            errors = ended.errors.decode(errors="replace")
            if ended.status != 0:
                names = await asyncio.to_thread(self._package_names)
                found = diagnosis.evaluation(errors, str(request.get("source", "")), names)
                if found.kind is diagnosis.Kind.MEMORY:
                    raise _memory(limits)
                raise UserError("EvaluationFailed", str(found))
            evaluation = answers.evaluation(ended.output, errors, time.monotonic() - began)
            self._roots.freshen(evaluation.drv_path)
        return evaluation

    async def _evaluate(self, expression: str, limits: EvalLimits, import_from_derivation: bool) -> Ended:
        try:
            return await self._runner.run(
                ("nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", "-"),
                configuration.evaluation(
                    import_from_derivation=import_from_derivation or self._import_from_derivation
                ),
                seconds=limits.seconds,
                output=limits.output,
                memory=limits.memory,
                file=_FILE,
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
            raise _memory(limits) from None

    def _package_names(self) -> list[str]:
        """Names of the seed's packages, for suggestions. Blocking."""
        names: list[str] = []
        for file, part in (("seed/lock.json", "packages"), ("seed/packages/aliases.json", None)):
            path = self._expressions / file
            if path.exists():
                read = json.loads(path.read_text())
                names += read if part is None else read.get(part, ())
        return names

    # ---------------------------------------------------------------- builds

    async def missing(self, drv: str) -> Missing:
        """What would have to be built for this derivation, and what would have to be fetched."""
        ended = await self._run("nix-store", "--realise", "--dry-run", drv)
        build = answers.to_build(ended.errors.decode(errors="replace"))
        return await asyncio.to_thread(lambda: Missing(build, tuple(self._fixed(build))))

    def _fixed(self, derivations: Iterable[str]) -> Iterator[Fixed]:
        for drv in derivations:
            read = self.derivation(drv)
            for output in read.outputs:
                if output.fixed:
                    url = read.environment.get("url", "")
                    yield Fixed(drv, nar.name_of(drv), output.path, output.method, output.digest, url)

    async def realise(
        self,
        drv: str,
        *,
        limits: BuildLimits,
        progress: Callable[[Progress], None] = _ignore,
        log: Path,
    ) -> None:
        """Builds this derivation and all it needs; writes what builders print to `log`.

        UserError `FetchRefused` (it needs fixed outputs that the store lacks: see `missing`), `BuildFailed`,
        `BuildTimeout`, `BuildSilent`, `LogTooLong`, `DiskLimit`, `BuildMemory`, `ClosureTooLarge`.
        """
        missing = await self.missing(drv)
        if missing.fixed:
            raise answers.refusal(missing.fixed)
        outputs = [output.path for output in self.derivation(drv).outputs]
        for path in outputs:  # before they exist, so that the collector has no moment in between
            self._roots.freshen(path)
        if not missing.build:
            return
        ended, reader = await self._build((drv,), missing.build, limits, progress, log)
        if ended.status != 0:
            raise diagnosis.build(reader, ended.status, limits, log)
        total = 0
        for path in outputs:
            total += sum(info.nar_size for info in (await self.closure(path)).values())
        if total > limits.closure:
            for path in outputs:
                self._roots.release(path)
            raise UserError(
                "ClosureTooLarge",
                f"the image needs {size(total)} of packages and files, and may need {size(limits.closure)}; "
                "leave packages out, or ask the administrator for a larger limit",
            )

    async def check(
        self,
        drv: str,
        *,
        limits: BuildLimits,
        progress: Callable[[Progress], None] = _ignore,
        log: Path,
        everything: bool = True,
    ) -> str | None:
        """Builds again what is in the store and compares: None where all is the same, else what differs.

        `everything`: not this derivation alone, but all that it was built from (but for fixed outputs).
        UserError as `realise`.
        """
        derivations = await self._checkable(drv, everything=everything)
        if not derivations:
            raise UserError(
                "BuildFailed", f"{nar.name_of(drv)} is not in the store, so that it cannot be checked"
            )
        arguments = ("--check", "--keep-failed", "--keep-going")
        ended, reader = await self._build(derivations, derivations, limits, progress, log, arguments)
        pairs = list(dict.fromkeys(_DIFFERS.findall("\n".join(reader.errors))))
        if pairs:
            return await asyncio.to_thread(self._compare, pairs)
        if ended.status != 0:
            raise diagnosis.build(reader, ended.status, limits, log)
        return None

    async def _checkable(self, drv: str, *, everything: bool) -> tuple[str, ...]:
        """The derivations to build again: their outputs must be there to be compared with."""
        found = await asyncio.to_thread(self._below, drv) if everything else {drv: self.derivation(drv)}
        built = {one: read for one, read in found.items() if not any(output.fixed for output in read.outputs)}
        outputs = {output.path: one for one, read in built.items() for output in read.outputs}
        ended = await self._runner.run(("nix-store", "--check-validity", "--print-invalid", *outputs))
        absent = {outputs[path] for path in ended.output.decode(errors="replace").split() if path in outputs}
        return tuple(one for one in built if one not in absent)

    def _below(self, drv: str) -> dict[str, derivation.Derivation]:
        """A derivation and all that it is built from. Blocking."""
        found: dict[str, derivation.Derivation] = {}
        todo = [drv]
        while todo:
            one = todo.pop()
            if one not in found:
                found[one] = self.derivation(one)
                todo += found[one].inputs
        return found

    def _compare(self, pairs: Iterable[tuple[str, str]]) -> str:
        """What differs between outputs and their second builds, which are deleted. Blocking."""
        lines = []
        for path, again in pairs:
            second = self.physical(again)
            lines += [
                f"{nar.name_of(path)}: {line}" for line in tree.differences(self.physical(path), second)
            ]
            disk.remove(second)
        more = len(lines) - _MOST_DIFFERENCES
        return "\n".join(lines[:_MOST_DIFFERENCES] + ([f"and {more} more"] if more > 0 else []))

    async def _build(
        self,
        derivations: Sequence[str],
        building: Sequence[str],
        limits: BuildLimits,
        progress: Callable[[Progress], None],
        log: Path,
        arguments: Sequence[str] = (),
    ) -> tuple[Ended, Log]:
        """Runs Nix on these derivations; `building` are those that it will build."""
        places = await asyncio.to_thread(self._places, building)
        order = Order(tuple(derivations), places, limits, log, tuple(arguments))
        return await run(self._runner, order, progress)

    def _places(self, building: Iterable[str]) -> tuple[Place, ...]:
        """Where builds of these derivations write. Blocking."""
        return tuple(
            Place(self.physical(f"{drv}.chroot"), self.physical(output.path))
            for drv in building
            for output in self.derivation(drv).outputs
            if output.path
        )


def _memory(limits: EvalLimits) -> UserError:
    return UserError(
        "EvaluationMemory",
        f"the evaluation needs more than {size(limits.memory)} of memory; is there an endless list in it?",
    )
